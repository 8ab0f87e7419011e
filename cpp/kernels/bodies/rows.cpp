// Row kernels: the table of kernels/rows.h.
#include "kernels/rows.h"

#include "kernels/bodies/rows_batch.h"
#include "kernels/bodies/rows_norm.h"
#include "kernels/bodies/rows_softmax.h"

// What only a training step runs; a library for inference leaves it out, and its planner says so.
#ifdef FALCONET_INFERENCE_ONLY
#define FALCONET_TRAINING(kernel) {nullptr, nullptr}
#else
#define FALCONET_TRAINING(kernel) {kernel<float>, kernel<double>}
#endif

namespace falconet::FALCONET_ISA {

extern const RowKernels row_kernels;
const RowKernels row_kernels = {
    {softmax<float>, softmax<double>},
    {log_softmax<float>, log_softmax<double>},
    {logsumexp<float>, logsumexp<double>},
    FALCONET_TRAINING(softmax_grad),
    FALCONET_TRAINING(log_softmax_grad),
    FALCONET_TRAINING(label_loss),
    FALCONET_TRAINING(label_loss_grad),
    FALCONET_TRAINING(dense_loss),
    FALCONET_TRAINING(dense_loss_grad),
    {layer_norm<float>, layer_norm<double>},
    FALCONET_TRAINING(layer_norm_grad),
    FALCONET_TRAINING(layer_norm_grad_combine),
    {moments<float>, moments<double>},
    {moments_combine<float>, moments_combine<double>},
    {batch_norm<float>, batch_norm<double>},
    FALCONET_TRAINING(batch_norm_grad_sums),
    FALCONET_TRAINING(batch_norm_grad_sums_combine),
    FALCONET_TRAINING(batch_norm_grad_dx),
};

}  // namespace falconet::FALCONET_ISA
