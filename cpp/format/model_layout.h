// Names that reader and writer of the model file share: docs/model_file.md.
#pragma once

#include <cstdint>
#include <string_view>

namespace falconet {

inline constexpr std::string_view kFormat = "falconet", kVersion = "1", kKind = "graph";
inline constexpr std::string_view kUserPrefix = "user.";
inline constexpr std::string_view kGraphTensor = "falconet/graph";
inline constexpr std::string_view kFlatRole = "flat";
inline constexpr std::string_view kRoles[] = {"weight", "optimizer", "metric", "seed", "state", kFlatRole};
inline constexpr std::string_view kSignatures[] = {"predict", "train", "evaluate"};
inline constexpr size_t kMaxPorts = 1024;
inline constexpr int64_t kMaxTestRows = 1024;

}  // namespace falconet
