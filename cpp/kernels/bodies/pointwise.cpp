// The table of micro-operations of one ISA, from the rows of pointwise.inc. Constant: nothing runs to build it.
#include "kernels/bodies/pointwise_micro.h"

namespace falconet::FALCONET_ISA {
namespace {

template <bool unsigned_lanes>
struct Unsigned {
  using Type = int64_t;
};
template <>
struct Unsigned<true> {
  using Type = uint64_t;
};
template <Micro m>
using U64 = typename Unsigned<sign_matters(m)>::Type;

}  // namespace

// In the order of Lane: f32, f64, i32, i64, u64, mask.
#define FALCONET_ROW_F(m) &micro<m, float>, &micro<m, double>
#define FALCONET_ROW_I(m) &micro<m, int32_t>, &micro<m, int64_t>, &micro<m, U64<m>>
#define FALCONET_CLASSES_F(m) {FALCONET_ROW_F(m), nullptr, nullptr, nullptr, nullptr}
#define FALCONET_CLASSES_I(m) {nullptr, nullptr, FALCONET_ROW_I(m), nullptr}
#define FALCONET_CLASSES_A(m) {FALCONET_ROW_F(m), FALCONET_ROW_I(m), nullptr}
#define FALCONET_CLASSES_AM(m) {FALCONET_ROW_F(m), FALCONET_ROW_I(m), &micro<m, int32_t>}
#define FALCONET_CLASSES_IM(m) {nullptr, nullptr, FALCONET_ROW_I(m), &micro<m, int32_t>}
#define FALCONET_CONVERT(to)                                                                                      \
  {&convert_lanes<Lane::to, Lane::f32>, &convert_lanes<Lane::to, Lane::f64>, &convert_lanes<Lane::to, Lane::i32>, \
   &convert_lanes<Lane::to, Lane::i64>, &convert_lanes<Lane::to, Lane::u64>, &convert_lanes<Lane::to, Lane::mask>}

extern const PointwiseKernels pointwise_kernels;
const PointwiseKernels pointwise_kernels = {
    {
#define MICRO(name, operands, classes, result) FALCONET_CLASSES_##classes(Micro::name),
#include "kernels/pointwise.inc"
#undef MICRO
    },
    {&load_lanes_of<DType::boolean>, &load_lanes_of<DType::uint8>, &load_lanes_of<DType::int8>,
     &load_lanes_of<DType::uint16>, &load_lanes_of<DType::int16>, &load_lanes_of<DType::uint32>,
     &load_lanes_of<DType::int32>, &load_lanes_of<DType::uint64>, &load_lanes_of<DType::int64>,
     &load_lanes_of<DType::float16>, &load_lanes_of<DType::bfloat16>, &load_lanes_of<DType::float32>,
     &load_lanes_of<DType::float64>},
    {&store_lanes_of<DType::boolean>, &store_lanes_of<DType::uint8>, &store_lanes_of<DType::int8>,
     &store_lanes_of<DType::uint16>, &store_lanes_of<DType::int16>, &store_lanes_of<DType::uint32>,
     &store_lanes_of<DType::int32>, &store_lanes_of<DType::uint64>, &store_lanes_of<DType::int64>,
     &store_lanes_of<DType::float16>, &store_lanes_of<DType::bfloat16>, &store_lanes_of<DType::float32>,
     &store_lanes_of<DType::float64>},
    {nullptr, &narrow_lanes_of<DType::uint8>, &narrow_lanes_of<DType::int8>, &narrow_lanes_of<DType::uint16>,
     &narrow_lanes_of<DType::int16>, &narrow_lanes_of<DType::uint32>, nullptr, nullptr, nullptr,
     &narrow_lanes_of<DType::float16>, &narrow_lanes_of<DType::bfloat16>, nullptr, nullptr},
    {FALCONET_CONVERT(f32), FALCONET_CONVERT(f64), FALCONET_CONVERT(i32), FALCONET_CONVERT(i64), FALCONET_CONVERT(u64),
     FALCONET_CONVERT(mask)},
    &fill_lanes<int32_t>,
    &fill_lanes<int64_t>,
};

}  // namespace falconet::FALCONET_ISA
