// GFLOP/s of the matrix product, and their share of this machine's FMA peak, which is measured beside every row.
//
//   gemm_bench [threads] [filter]     e.g. gemm_bench 2 128x784
//
// A row names M x K x N; Xt or Wt marks the operand that is stored transposed. Times are the best of many short runs:
// on a shared machine the best is what the code can do, and the median is printed beside it.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <thread>
#include <vector>

#if defined(__x86_64__) && defined(__GNUC__)
#include <immintrin.h>
#endif

#include "base/buffer.h"
#include "base/cpu.h"
#include "base/thread_pool.h"
#include "kernels/gemm.h"

namespace falconet {
#ifdef FALCONET_HAS_avx512
namespace avx512 {
extern const GemmKernels gemm_kernels;
}
#endif
#ifdef FALCONET_HAS_avx2
namespace avx2 {
extern const GemmKernels gemm_kernels;
}
#endif
#ifdef FALCONET_HAS_neon
namespace neon {
extern const GemmKernels gemm_kernels;
}
#endif
namespace portable {
extern const GemmKernels gemm_kernels;
}
}  // namespace falconet

namespace {

using namespace falconet;
using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

const GemmKernels& widest() {
  const char* forced = std::getenv("FALCONET_ISA");
  const std::string name = forced ? forced : "";
#ifdef FALCONET_HAS_avx512
  if (cpu::features().avx512 && (name.empty() || name == "avx512")) return avx512::gemm_kernels;
#endif
#ifdef FALCONET_HAS_avx2
  if (cpu::features().avx2 && (name.empty() || name == "avx2")) return avx2::gemm_kernels;
#endif
#ifdef FALCONET_HAS_neon
  if (name.empty() || name == "neon") return neon::gemm_kernels;
#endif
  return portable::gemm_kernels;
}

struct Row {
  int64_t m, k, n;
  bool trans_a, trans_b;
  DType dtype = DType::float32;
};

const Row kRows[] = {
    {16, 16, 16, false, false},
    {32, 32, 32, false, false},
    {64, 64, 64, false, false},
    {96, 96, 96, false, false},
    {128, 128, 128, false, false},
    {192, 192, 192, false, false},
    {256, 256, 256, false, false},
    {384, 384, 384, false, false},
    {512, 512, 512, false, false},
    {768, 768, 768, false, false},
    {1024, 1024, 1024, false, false},
    {2048, 2048, 2048, false, false},
    {1, 1024, 1024, false, false},
    {2, 1024, 1024, false, false},
    {4, 1024, 1024, false, false},
    {8, 1024, 1024, false, false},
    {16, 1024, 1024, false, false},
    {32, 784, 512, false, false},
    {128, 768, 3072, false, false},
    {1, 784, 512, false, false},
    {1, 512, 512, false, false},
    {1, 512, 10, false, false},
    // A 784-512-512-10 network at batch 128: forward, weight gradients, input gradients.
    {128, 784, 512, false, false},
    {128, 512, 512, false, false},
    {128, 512, 10, false, false},
    {784, 128, 512, true, false},
    {512, 128, 512, true, false},
    {512, 128, 10, true, false},
    {128, 512, 512, false, true},
    {128, 10, 512, false, true},
    // 32-64-64-1 at batch 1024.
    {1024, 32, 64, false, false},
    {1024, 64, 64, false, false},
    {1024, 64, 1, false, false},
    {32, 1024, 64, true, false},
    {64, 1024, 64, true, false},
    {64, 1024, 1, true, false},
    {1024, 64, 64, false, true},
    {1024, 1, 64, false, true},
    // 2-5-1 at batch 100, and one row of 32-64-64.
    {100, 2, 5, false, false},
    {100, 5, 1, false, false},
    {5, 100, 1, true, false},
    {2, 100, 5, true, false},
    {100, 1, 5, false, true},
    {1, 32, 64, false, false},
    {1, 64, 64, false, false},
    {64, 64, 64, false, false, DType::float64},
    {512, 512, 512, false, false, DType::float64},
    {1024, 1024, 1024, false, false, DType::float64},
    {8, 1024, 1024, false, false, DType::float64},
};

// Independent chains of fused multiply-adds in registers, and nothing else.
#if defined(__x86_64__) && defined(__GNUC__)
__attribute__((target("avx512f"))) float fma_loop_avx512(int64_t steps) {
  __m512 c[16];
  for (int i = 0; i < 16; ++i) c[i] = _mm512_set1_ps(static_cast<float>(i));
  const __m512 a = _mm512_set1_ps(0.999f), b = _mm512_set1_ps(0.001f);
  for (int64_t s = 0; s < steps; ++s) {
#pragma GCC unroll 16
    for (int i = 0; i < 16; ++i) c[i] = _mm512_fmadd_ps(c[i], a, b);
  }
  for (int i = 1; i < 16; ++i) c[0] = _mm512_add_ps(c[0], c[i]);
  return _mm512_cvtss_f32(c[0]);
}
__attribute__((target("avx2,fma"))) float fma_loop_avx2(int64_t steps) {
  __m256 c[12];
  for (int i = 0; i < 12; ++i) c[i] = _mm256_set1_ps(static_cast<float>(i));
  const __m256 a = _mm256_set1_ps(0.999f), b = _mm256_set1_ps(0.001f);
  for (int64_t s = 0; s < steps; ++s) {
#pragma GCC unroll 12
    for (int i = 0; i < 12; ++i) c[i] = _mm256_fmadd_ps(c[i], a, b);
  }
  for (int i = 1; i < 12; ++i) c[0] = _mm256_add_ps(c[0], c[i]);
  return _mm256_cvtss_f32(c[0]);
}
double flops_of_fma_loop(int64_t steps) {
  volatile float sink = 0;
  if (cpu::features().avx512) {
    sink = sink + fma_loop_avx512(steps);
    return 2.0 * 16 * 16 * steps;
  }
  if (cpu::features().avx2) {
    sink = sink + fma_loop_avx2(steps);
    return 2.0 * 12 * 8 * steps;
  }
  return 0;
}
#else
double flops_of_fma_loop(int64_t) { return 0; }
#endif

// One thread's float32 GFLOP/s; 0 where this program has no loop for the machine.
double measure_peak() {
  double best = 0;
  for (int i = 0; i < 20; ++i) {
    const auto start = Clock::now();
    const double flops = flops_of_fma_loop(20000);
    best = std::max(best, flops / seconds_since(start) * 1e-9);
  }
  return best;
}

void run_once(const GemmKernels& kernels, const GemmArgs& args, int threads) {
  if (threads == 1) {
    if (args.plan.pack_units) kernels.pack(&args, 0, args.plan.pack_units);
    kernels.run(&args, 0, args.plan.units);
    return;
  }
  if (args.plan.pack_units) pool::parallel_for(kernels.pack, &args, args.plan.pack_units, 1);
  pool::parallel_for(kernels.run, &args, args.plan.units, 1);
}

void bench_row(const GemmKernels& kernels, const Row& row, int threads, const std::string& filter) {
  const char* name_a = row.trans_a ? "Xt" : "";
  const char* name_b = row.trans_b ? "Wt" : "";
  char name[80];
  std::snprintf(name, sizeof(name), "%lldx%lldx%lld %s%s %s", static_cast<long long>(row.m),
                static_cast<long long>(row.k), static_cast<long long>(row.n), name_a, name_b,
                row.dtype == DType::float64 ? "f64" : "f32");
  if (std::string(name).find(filter) == std::string::npos) return;
  GemmProblem problem = {row.m, row.n, row.k, row.trans_a, row.trans_b};
  problem.lda = row.trans_a ? row.m : row.k;
  problem.ldb = row.trans_b ? row.k : row.n;
  problem.ldc = row.n;
  GemmArgs args;
  args.plan = kernels.plan(row.dtype, problem, threads);
  const int64_t size = size_of(row.dtype);
  std::vector<char> memory((row.m * row.k + row.k * row.n + row.m * row.n) * size + args.plan.scratch_bytes + 256);
  char* next = memory.data();
  auto take = [&](int64_t bytes) {
    next += (64 - reinterpret_cast<uintptr_t>(next) % 64) % 64;
    char* taken = next;
    next += bytes;
    return taken;
  };
  char* a = take(row.m * row.k * size);
  char* b = take(row.k * row.n * size);
  args.a = a, args.b = b, args.c = take(row.m * row.n * size), args.scratch = take(args.plan.scratch_bytes);
  for (int64_t i = 0; i < row.m * row.k; ++i) {
    if (size == 4) reinterpret_cast<float*>(a)[i] = static_cast<float>(i % 17) - 8;
    if (size == 8) reinterpret_cast<double*>(a)[i] = static_cast<double>(i % 17) - 8;
  }
  for (int64_t i = 0; i < row.k * row.n; ++i) {
    if (size == 4) reinterpret_cast<float*>(b)[i] = static_cast<float>(i % 13) - 6;
    if (size == 8) reinterpret_cast<double*>(b)[i] = static_cast<double>(i % 13) - 6;
  }
  const double flops = 2.0 * row.m * row.n * row.k;
  const int inner = static_cast<int>(std::max(1.0, 2e6 / flops));
  double peak = measure_peak();
  std::vector<double> times;
  const auto begin = Clock::now();
  while (times.size() < 8 || (seconds_since(begin) < 0.25 && times.size() < 2000)) {
    const auto start = Clock::now();
    for (int i = 0; i < inner; ++i) run_once(kernels, args, threads);
    times.push_back(seconds_since(start) / inner);
  }
  peak = std::max(peak, measure_peak()) * threads * 4 / size;
  std::sort(times.begin(), times.end());
  const double best = flops / times[0] * 1e-9, median = flops / times[times.size() / 2] * 1e-9;
  std::printf("%-24s path %d units %3lld  best %8.2f GFLOP/s %5.1f %%  median %8.2f  %10.3f us\n", name, args.plan.path,
              static_cast<long long>(args.plan.units), best, peak > 0 ? 100 * best / peak : 0.0, median,
              times[0] * 1e6);
}

}  // namespace

int main(int argc, char** argv) {
  const int threads = argc > 1 ? std::atoi(argv[1]) : 1;
  const std::string filter = argc > 2 ? argv[2] : "";
  pool::set_num_threads(threads);
  for (const Row& row : kRows) bench_row(widest(), row, threads, filter);
  return 0;
}
