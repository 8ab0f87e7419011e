// What the machine can do, without any of our code: loops whose only limit is the one they are named after. ceilings.py
// compiles this for the machine it runs on, and runs each in as many threads as it asks about.
//
// Each returns seconds. Wide vectors are the compiler's; -ffp-contract=fast makes c * a + b one instruction.
#include <chrono>
#include <cstdint>
#include <cstring>

#if defined(__AVX512F__)
#define WIDTH 64
#elif defined(__AVX__)
#define WIDTH 32
#else
#define WIDTH 16
#endif

namespace {

typedef float Wide __attribute__((vector_size(WIDTH)));
using Clock = std::chrono::steady_clock;

// Enough independent chains to cover the latency of two multiply-adds a cycle, few enough for 16 registers.
constexpr int kChains = 12;
// Reads in flight hide latency; the maximum of floats has no chain as long as a sum's.
constexpr int kStreams = 8;

volatile float sink;

float total(Wide v) {
  float lanes[WIDTH / 4], sum = 0;
  std::memcpy(lanes, &v, sizeof v);
  for (float x : lanes) sum += x;
  return sum;
}

double since(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

}  // namespace

extern "C" {

// Operations of one step of fma().
int64_t fma_flops() { return 2 * kChains * (WIDTH / 4); }

double fma(int64_t steps) {
  Wide c[kChains], a, b;
  for (int i = 0; i < kChains; ++i) c[i] = Wide{} + static_cast<float>(i);
  a = Wide{} + 0.999f;
  b = Wide{} + 0.001f;
  const auto start = Clock::now();
  for (int64_t s = 0; s < steps; ++s) {
#pragma GCC unroll 12
    for (int i = 0; i < kChains; ++i) c[i] = c[i] * a + b;
  }
  const double seconds = since(start);
  for (int i = 1; i < kChains; ++i) c[0] += c[i];
  sink = total(c[0]);
  return seconds;
}

// Reads `bytes`, a multiple of kStreams * WIDTH, `times` times.
double read(const float* x, int64_t bytes, int64_t times) {
  const Wide* p = reinterpret_cast<const Wide*>(x);
  const int64_t n = bytes / WIDTH;
  Wide s[kStreams] = {};
  const auto start = Clock::now();
  for (int64_t t = 0; t < times; ++t) {
    for (int64_t i = 0; i < n; i += kStreams) {
#pragma GCC unroll 8
      for (int j = 0; j < kStreams; ++j) s[j] += p[i + j];
    }
  }
  const double seconds = since(start);
  for (int j = 1; j < kStreams; ++j) s[0] += s[j];
  sink = total(s[0]);
  return seconds;
}

double copy(float* y, const float* x, int64_t bytes, int64_t times) {
  const auto start = Clock::now();
  for (int64_t t = 0; t < times; ++t) {
    std::memcpy(y, x, static_cast<size_t>(bytes));
    sink = y[t % 16];
  }
  return since(start);
}

// y = y + 3 x
double triad(float* y, const float* x, int64_t bytes, int64_t times) {
  Wide* q = reinterpret_cast<Wide*>(y);
  const Wide* p = reinterpret_cast<const Wide*>(x);
  const auto start = Clock::now();
  for (int64_t t = 0; t < times; ++t) {
    for (int64_t i = 0; i < bytes / WIDTH; ++i) q[i] = q[i] + p[i] * 3.0f;
    sink = y[t % 16];
  }
  return since(start);
}
}
