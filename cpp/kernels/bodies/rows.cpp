// Row kernels: the table of kernels/rows.h.
#include "kernels/rows.h"

#include "kernels/bodies/rows_batch.h"
#include "kernels/bodies/rows_norm.h"
#include "kernels/bodies/rows_softmax.h"

namespace falconet::FALCONET_ISA {

extern const RowKernels row_kernels;
const RowKernels row_kernels = {
    {softmax<float>, softmax<double>},
    {log_softmax<float>, log_softmax<double>},
    {logsumexp<float>, logsumexp<double>},
    {softmax_grad<float>, softmax_grad<double>},
    {log_softmax_grad<float>, log_softmax_grad<double>},
    {label_loss<float>, label_loss<double>},
    {label_loss_grad<float>, label_loss_grad<double>},
    {dense_loss<float>, dense_loss<double>},
    {dense_loss_grad<float>, dense_loss_grad<double>},
    {layer_norm<float>, layer_norm<double>},
    {layer_norm_grad<float>, layer_norm_grad<double>},
    {layer_norm_grad_combine<float>, layer_norm_grad_combine<double>},
    {moments<float>, moments<double>},
    {moments_combine<float>, moments_combine<double>},
    {batch_norm<float>, batch_norm<double>},
    {batch_norm_grad_sums<float>, batch_norm_grad_sums<double>},
    {batch_norm_grad_sums_combine<float>, batch_norm_grad_sums_combine<double>},
    {batch_norm_grad_dx<float>, batch_norm_grad_dx<double>},
};

}  // namespace falconet::FALCONET_ISA
