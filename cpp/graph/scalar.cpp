#include <cmath>
#include <cstring>

#include "base/half.h"
#include "graph/graph.h"

namespace falconet {

namespace {

template <class T>
void put(void* to, T value) { std::memcpy(to, &value, sizeof value); }

template <class T>
T get(const void* from) {
  T value;
  std::memcpy(&value, from, sizeof value);
  return value;
}

int64_t to_int64(double v) {
  if (!(std::fabs(v) < 0x1p63)) return v > 0 ? INT64_MAX : v < 0 ? INT64_MIN : 0;
  return static_cast<int64_t>(v);
}

}  // namespace

void write_scalar(void* to, DType dtype, double value) {
  const int64_t i = is_float(dtype) ? 0 : to_int64(value);
  switch (dtype) {
    case DType::boolean: return put<uint8_t>(to, value != 0);
    case DType::uint8: case DType::int8: return put(to, static_cast<uint8_t>(i));
    case DType::uint16: case DType::int16: return put(to, static_cast<uint16_t>(i));
    case DType::uint32: case DType::int32: return put(to, static_cast<uint32_t>(i));
    case DType::uint64: return put(to, value >= 0x1p63 && value < 0x1p64 ? static_cast<uint64_t>(value) : static_cast<uint64_t>(i));
    case DType::int64: return put(to, i);
    case DType::float16: return put(to, float16_from_float(static_cast<float>(value)));
    case DType::bfloat16: return put(to, bfloat16_from_float(static_cast<float>(value)));
    case DType::float32: return put(to, static_cast<float>(value));
    case DType::float64: return put(to, value);
  }
}

double read_scalar(const void* from, DType dtype) {
  switch (dtype) {
    case DType::boolean: case DType::uint8: return get<uint8_t>(from);
    case DType::int8: return get<int8_t>(from);
    case DType::uint16: return get<uint16_t>(from);
    case DType::int16: return get<int16_t>(from);
    case DType::uint32: return get<uint32_t>(from);
    case DType::int32: return get<int32_t>(from);
    case DType::uint64: return static_cast<double>(get<uint64_t>(from));
    case DType::int64: return static_cast<double>(get<int64_t>(from));
    case DType::float16: return float_from_float16(get<uint16_t>(from));
    case DType::bfloat16: return float_from_bfloat16(get<uint16_t>(from));
    case DType::float32: return get<float>(from);
    case DType::float64: return get<double>(from);
  }
  return 0;
}

}  // namespace falconet
