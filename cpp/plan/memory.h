// Where values live in the arena: best fit over their lifetimes.
#pragma once

#include <cstdint>
#include <vector>

namespace falconet {

struct Lifetime {
  int64_t bytes = 0;
  int first = 0, last = 0;  // stages, inclusive
  int64_t offset = -1;      // result
};

// Gives every lifetime an offset, aligned to lines, so that those alive together do not overlap. Returns the arena's size.
int64_t assign_offsets(std::vector<Lifetime>& lifetimes);

}  // namespace falconet
