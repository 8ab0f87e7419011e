// The tables of the ISAs in this build, and which one the process uses.
//
// FALCONET_HAS_<isa> say what was built. This file is compiled for the baseline, so asking never meets an instruction
// that the machine lacks.
#include <atomic>
#include <cstdlib>

#include "base/cpu.h"
#include "base/error.h"
#include "kernels/kernels.h"

namespace falconet {

#define FALCONET_ISA_TABLES(isa_name)                                                        \
  namespace isa_name {                                                                       \
  extern const PointwiseKernels pointwise_kernels;                                           \
  extern const GemmKernels gemm_kernels;                                                     \
  extern const ReduceKernels reduce_kernels;                                                 \
  extern const RowKernels row_kernels;                                                       \
  extern const MoveKernels move_kernels;                                                     \
  extern const SortKernels sort_kernels;                                                     \
  static const Kernels kernels{#isa_name,   pointwise_kernels, gemm_kernels, reduce_kernels, \
                               row_kernels, move_kernels,      sort_kernels};                \
  }

#ifdef FALCONET_HAS_avx512
FALCONET_ISA_TABLES(avx512)
#endif
#ifdef FALCONET_HAS_avx2
FALCONET_ISA_TABLES(avx2)
#endif
#ifdef FALCONET_HAS_neon
FALCONET_ISA_TABLES(neon)
#endif
#ifdef FALCONET_HAS_portable
FALCONET_ISA_TABLES(portable)
#endif

namespace {

std::vector<const Kernels*> find_available() {
  std::vector<const Kernels*> found;
#ifdef FALCONET_HAS_avx512
  if (cpu::features().avx512) found.push_back(&avx512::kernels);
#endif
#ifdef FALCONET_HAS_avx2
  if (cpu::features().avx2) found.push_back(&avx2::kernels);
#endif
#ifdef FALCONET_HAS_neon
  if (cpu::features().neon) found.push_back(&neon::kernels);
#endif
#ifdef FALCONET_HAS_portable
  found.push_back(&portable::kernels);
#endif
  return found;
}

const Kernels* find(const std::string& name, const char* asked_by) {
  std::string names;
  for (const Kernels* k : available_kernels()) {
    if (name == k->isa) return k;
    names += names.empty() ? k->isa : std::string(", ") + k->isa;
  }
  fail("[", asked_by, "] this machine or build has no ISA \"", name, "\"; available: ", names, ".");
}

const Kernels* choose() {
  const char* forced = std::getenv("FALCONET_ISA");
  if (forced && *forced) return find(forced, "FALCONET_ISA");
  if (available_kernels().empty()) {
    fail("[kernels] this processor lacks the instruction sets that this library was built for (FALCONET_ISAS).");
  }
  return available_kernels().front();
}

std::atomic<const Kernels*> active{nullptr};

}  // namespace

const Kernels& kernels() {
  const Kernels* k = active.load(std::memory_order_acquire);
  if (!k) {
    const Kernels* chosen = choose();
    // A use_isa in another thread meanwhile wins.
    k = active.compare_exchange_strong(k, chosen) ? chosen : k;
  }
  return *k;
}

const std::vector<const Kernels*>& available_kernels() {
  static const std::vector<const Kernels*> available = find_available();
  return available;
}

void use_isa(const std::string& name) { active.store(find(name, "use_isa"), std::memory_order_release); }

}  // namespace falconet
