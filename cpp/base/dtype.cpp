#include "base/dtype.h"

#include "base/error.h"

namespace falconet {

DType dtype_from_name(std::string_view name) {
  for (int i = 0; i < kNumDTypes; ++i) {
    if (kDTypes[i].name == name) return static_cast<DType>(i);
  }
  std::string known;
  for (const DTypeInfo& d : kDTypes) known += (known.empty() ? "" : ", ") + std::string(d.name);
  fail("`dtype` is \"", name, "\"; it must be one of ", known);
}

}  // namespace falconet
