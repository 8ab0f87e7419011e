// The scratch of a sort: two arrays of entries, between which a radix sort moves them (see bodies/sort_keys.h).
#include "kernels/sort.h"

namespace falconet {

int64_t sort_scratch_bytes(Lane lane, int64_t n, bool with_index) {
  const int64_t entry = with_index ? 2 * lane_bytes(lane) : lane_bytes(lane);
  return (2 * n * entry + 63) / 64 * 64;
}

}  // namespace falconet
