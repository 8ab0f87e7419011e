// Element types: their sizes, Keras names and classes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace falconet {

enum class DType : uint8_t {
  boolean,  // one byte, 0 or 1
  uint8,
  int8,
  uint16,
  int16,
  uint32,
  int32,
  uint64,
  int64,
  float16,
  bfloat16,
  float32,
  float64,
};
inline constexpr int kNumDTypes = 13;

struct DTypeInfo {
  std::string_view name;
  uint8_t size;  // bytes
  bool is_float, is_signed;
};

inline constexpr DTypeInfo kDTypes[kNumDTypes] = {
    {"bool", 1, false, false},   {"uint8", 1, false, false},   {"int8", 1, false, true},
    {"uint16", 2, false, false}, {"int16", 2, false, true},    {"uint32", 4, false, false},
    {"int32", 4, false, true},   {"uint64", 8, false, false},  {"int64", 8, false, true},
    {"float16", 2, true, true},  {"bfloat16", 2, true, true},  {"float32", 4, true, true},
    {"float64", 8, true, true},
};

constexpr const DTypeInfo& info(DType d) { return kDTypes[static_cast<int>(d)]; }
constexpr int64_t size_of(DType d) { return info(d).size; }
constexpr std::string_view name_of(DType d) { return info(d).name; }
constexpr bool is_float(DType d) { return info(d).is_float; }
constexpr bool is_integer(DType d) { return !info(d).is_float && d != DType::boolean; }

// Throws ValueError naming the known dtypes.
DType dtype_from_name(std::string_view name);

}  // namespace falconet
