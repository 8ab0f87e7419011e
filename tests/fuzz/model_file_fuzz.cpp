// What a hostile model file can do: any bytes are read, laid out for a few batch sizes and run. A ValueError or
// TypeError is the answer to a bad file; anything else (a crash, a sanitizer's report, another exception, memory beyond
// the promise) is a finding. The checksum is made right first, so that what lies behind it is reached.
//
// Built with clang and -fsanitize=fuzzer it is a libFuzzer target, which AFL++ takes too. Built without
// (FALCONET_FUZZ_MAIN) it is a program of its own:
//   model_file_fuzz FILE...                       runs each file as it is
//   model_file_fuzz --truncate FILE               every length of it
//   model_file_fuzz --header FILE                 every byte of its header in all 255 other ways, the checksum as it is
//   model_file_fuzz --mutate FILE [COUNT [SEED]]  every byte of text in it, header and graph, changed in COUNT random
//   ways
//                                                 (0: in all 255)
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iterator>
#include <new>
#include <string>
#include <vector>

#include "format/container.h"
#include "format/model_file.h"
#include "graph/simplify.h"
#include "plan/planner.h"

namespace {

size_t live_bytes = 0, peak_bytes = 0;

}  // namespace

#ifdef FALCONET_FUZZ_MAIN
// Counted, so that the promise on memory is checked. The size stands before the block. libFuzzer has a limit of its
// own.
void* operator new(size_t bytes, const std::nothrow_t&) noexcept {
  auto* p = static_cast<char*>(std::malloc(bytes + 16));
  if (!p) return nullptr;
  std::memcpy(p, &bytes, sizeof bytes);
  live_bytes += bytes;
  if (live_bytes > peak_bytes) peak_bytes = live_bytes;
  return p + 16;
}
void* operator new(size_t bytes) {
  void* p = operator new(bytes, std::nothrow);
  if (!p) throw std::bad_alloc();
  return p;
}
void operator delete(void* p) noexcept {
  if (!p) return;
  size_t bytes;
  std::memcpy(&bytes, static_cast<char*>(p) - 16, sizeof bytes);
  live_bytes -= bytes;
  std::free(static_cast<char*>(p) - 16);
}
void operator delete(void* p, size_t) noexcept { operator delete(p); }
void operator delete(void* p, const std::nothrow_t&) noexcept { operator delete(p); }
#endif

namespace {

using namespace falconet;

// Small, so that a run takes milliseconds.
constexpr GraphLimits kLimits{int64_t{1} << 20, 64};
constexpr int64_t kMostWork = 20'000'000;

void run_signature(const Model& model, const Signature& s, int64_t rows) {
  const auto states = model.make_states(true);
  const auto graph = s.at(rows, states, kLimits);
  std::vector<Array> inputs, outputs;
  std::vector<const void*> in;
  std::vector<void*> out;
  for (const Port& p : s.inputs) {
    inputs.push_back(Array::allocate(p.spec.at(rows)));
    // Numbers of every kind, out of range as indices too.
    auto* bytes = reinterpret_cast<uint8_t*>(inputs.back().data());
    const bool is_bool = p.spec.dtype == DType::boolean;
    for (int64_t i = 0; i < inputs.back().spec.bytes(); ++i)
      bytes[i] = static_cast<uint8_t>(is_bool ? i & 1 : i * 37 + 11);
    in.push_back(inputs.back().data());
  }
  for (const Port& p : s.outputs) {  // as who serves it does, by what the file says
    outputs.push_back(Array::allocate(p.spec.at(rows)));
    out.push_back(outputs.back().data());
  }
  const auto plan = make_plan(*simplify(*graph, true), std::make_shared<Arena>());
  if (plan->cost() > kMostWork) return;
  plan->run(in.data(), out.data());
}

// 0: refused; 1: read.
int read_and_run(const uint8_t* data, size_t size, bool verify_checksum) {
  Model model;
  const size_t before = live_bytes;
  peak_bytes = live_bytes;
  try {
    model = read_model(data, size, std::shared_ptr<void>(const_cast<uint8_t*>(data), [](void*) {}), {verify_checksum});
  } catch (const ValueError&) {
  } catch (const TypeError&) {
  }
  // What is aligned is used in place; std::aligned_alloc, which copies go to, is not counted here.
  if (peak_bytes - before > size + size / 4 + (1 << 20)) {
    std::fprintf(stderr, "%zu bytes of memory for a file of %zu\n", peak_bytes - before, size);
    std::abort();
  }
  for (const auto& [name, signature] : model.signatures) {
    for (int64_t rows : {1, 3}) {
      try {
        run_signature(model, signature, rows);
      } catch (const ValueError&) {
      } catch (const TypeError&) {
      }
    }
  }
  return model.signatures.empty() ? 0 : 1;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  auto* copy = static_cast<uint8_t*>(std::aligned_alloc(64, size / 64 * 64 + 64));
  if (!copy) return 0;
  if (size) std::memcpy(copy, data, size);
  seal(reinterpret_cast<std::byte*>(copy), size);
  read_and_run(copy, size, false);
  std::free(copy);
  return 0;
}

#ifdef FALCONET_FUZZ_MAIN

namespace {

std::vector<uint8_t> bytes_of(const char* path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

// Exactly as long as it is, so that a sanitizer sees a read behind its end.
int run_exact(const std::vector<uint8_t>& bytes, bool sealed) {
  auto* copy = static_cast<uint8_t*>(::aligned_alloc(64, bytes.size() / 64 * 64 + 64));
  if (!bytes.empty()) std::memcpy(copy, bytes.data(), bytes.size());
  if (sealed) seal(reinterpret_cast<std::byte*>(copy), bytes.size());
  const int good = read_and_run(copy, bytes.size(), !sealed);
  std::free(copy);
  return good;
}

uint64_t next_random(uint64_t& state) {
  state ^= state << 13;
  state ^= state >> 7;
  state ^= state << 17;
  return state;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2) {
    std::fprintf(stderr, "usage: model_file_fuzz [--truncate | --header | --mutate] FILE...\n");
    return 2;
  }
  const std::string mode = argv[1];
  size_t runs = 0, read = 0;
  if (mode == "--truncate") {
    const std::vector<uint8_t> whole = bytes_of(argv[2]);
    for (size_t length = 0; length < whole.size(); ++length, runs += 2) {
      const std::vector<uint8_t> part(whole.begin(), whole.begin() + static_cast<long>(length));
      read += static_cast<size_t>(run_exact(part, false) + run_exact(part, true));
    }
    if (read > 0) {
      std::fprintf(stderr, "%zu truncations were read\n", read);
      return 1;
    }
  } else if (mode == "--header") {
    const std::vector<uint8_t> whole = bytes_of(argv[2]);
    size_t header = 0;
    std::memcpy(&header, whole.data(), 8);
    for (size_t at = 0; at < header + 8; ++at) {
      for (int k = 1; k < 256; ++k, ++runs) {
        std::vector<uint8_t> changed = whole;
        changed[at] ^= static_cast<uint8_t>(k);
        read += static_cast<size_t>(run_exact(changed, false));
      }
    }
    if (read > 0) {
      std::fprintf(stderr, "%zu changed headers were read\n", read);
      return 1;
    }
  } else if (mode == "--mutate") {
    const std::vector<uint8_t> whole = bytes_of(argv[2]);
    const int values = argc > 3 ? std::atoi(argv[3]) : 0;
    uint64_t state = argc > 4 ? std::strtoull(argv[4], nullptr, 10) * 2 + 1 : 88172645463325252ull;
    size_t header = 0;
    std::memcpy(&header, whole.data(), 8);
    header = std::min(whole.size(), header + 8);
    // The graph lies somewhere in the payload: all text is changed.
    size_t unsealed = 0;
    for (size_t at = 0; at < whole.size(); ++at) {
      const bool is_text = at < header || (whole[at] >= 32 && whole[at] < 127);
      if (!is_text) continue;
      for (int k = 0; k < (values > 0 ? values : 255); ++k) {
        std::vector<uint8_t> changed = whole;
        changed[at] ^= static_cast<uint8_t>(values > 0 ? 1 + next_random(state) % 255 : 1 + k);
        unsealed += static_cast<size_t>(run_exact(changed, false));
        read += static_cast<size_t>(run_exact(changed, true));
        runs += 2;
      }
    }
    if (unsealed > 0) {
      std::fprintf(stderr, "%zu changed files passed their checksum\n", unsealed);
      return 1;
    }
  } else {
    for (int i = 1; i < argc; ++i, ++runs) read += static_cast<size_t>(run_exact(bytes_of(argv[i]), true));
  }
  std::printf("%zu runs, %zu were read\n", runs, read);
  return 0;
}

#endif
