// The one signature of everything an executor calls.
#pragma once

#include <cstdint>

namespace falconet {

// Does units [begin, end) of the work that `args` describes. What a unit is (a row, a tile, a block of C) each kernel's
// header says. Calls on disjoint ranges may run at the same time and give the same bits as one call over the whole.
using TaskFn = void (*)(const void* args, int64_t begin, int64_t end);

}  // namespace falconet
