// The accuracy of the functions of real variables: errors in units in the last place (ulp), float32 against the C
// library's float64 over a stride of all bit patterns, float64 against its long double.
//
// FALCONET_SWEEP_STRIDE sets the stride; 1 is every float32 (minutes a function).
#include <algorithm>
#include <cstdlib>
#include <iomanip>
#include <random>

#include "check.h"
#include "kernels/kernels.h"
#include "pointwise_reference.h"

using namespace falconet;

namespace {

// What pointwise.h promises. The largest seen are printed.
double limit_of(Micro m, Lane lane) {
  if (lane == Lane::f32) return m == Micro::exp || m == Micro::log ? 2 : 4;
  // Terms that cancel: their errors are those of a larger number.
  return m == Micro::lgamma || m == Micro::digamma ? 10 : 4;
}
// digamma's zeros (and lgamma's below 0): where the value is small beside the terms that cancel, errors count from 1.
bool near_zero_of_cancelling(Micro m, double x, double want) {
  return (m == Micro::digamma || (m == Micro::lgamma && x < 0)) && std::fabs(want) < 1;
}

struct Worst {
  double ulps = 0, a = 0, b = 0, got = 0, want = 0;
};

template <class T>
void report(Micro m, Lane lane, const std::vector<Worst>& worst) {
  const auto& kernels = available_kernels();
  std::cout << "  " << std::setw(10) << std::left << info(m).name;
  for (size_t k = 0; k < kernels.size(); ++k) {
    const Worst& w = worst[k];
    std::cout << "  " << kernels[k]->isa << " " << std::setprecision(4) << w.ulps << " ulp at " << std::setprecision(9)
              << w.a;
    if (info(m).operands > 1) std::cout << ", " << w.b;
    if (!(w.ulps <= limit_of(m, lane))) {
      check::fail(__FILE__, __LINE__,
                  std::string(kernels[k]->isa) + " " + info(m).name + "(" + check::text_of(w.a) + ", " +
                      check::text_of(w.b) + ") is " + check::text_of(w.got) + ", not " + check::text_of(w.want));
    }
  }
  std::cout << "\n";
}

template <class T, class Real>
void compare(Micro m, Lane lane, const std::vector<T>& a, const std::vector<T>& b, std::vector<Worst>& worst) {
  const int64_t n = static_cast<int64_t>(a.size());
  std::vector<Real> want(n);
  bool known = true;
  for (int64_t i = 0; i < n; ++i) {
    want[i] = info(m).operands == 1 ? reference::function<Real>(m, a[i], known)
                                    : reference::function<Real>(m, a[i], b[i], known);
  }
  std::vector<T> y(n);
  for (size_t k = 0; k < worst.size(); ++k) {
    const MicroFn f = available_kernels()[k]->pointwise.micro[static_cast<int>(m)][static_cast<int>(lane)];
    f(y.data(), a.data(), b.data(), nullptr, n, 0);
    for (int64_t i = 0; i < n; ++i) {
      double error = reference::ulps<T>(y[i], want[i]);
      if (near_zero_of_cancelling(m, a[i], static_cast<double>(want[i]))) {
        error = static_cast<double>(std::fabs(y[i] - want[i])) / std::numeric_limits<T>::epsilon();
      }
      // The sign of a zero result counts.
      if (y[i] == 0 && want[i] == 0 && std::signbit(y[i]) != std::signbit(want[i])) error = 1e30;
      if (error > worst[k].ulps) {
        worst[k] = {error, static_cast<double>(a[i]), static_cast<double>(b[i]), static_cast<double>(y[i]),
                    static_cast<double>(want[i])};
      }
    }
  }
}

std::vector<Micro> functions(int operands) {
  std::vector<Micro> result;
  for (int i = 0; i < kNumMicros; ++i) {
    const Micro m = static_cast<Micro>(i);
    bool known = true;
    if (operands == 1) {
      reference::function<double>(m, 0.5, known);
    } else {
      reference::function<double>(m, 0.5, 0.5, known);
    }
    if (known && info(m).operands == operands) result.push_back(m);
  }
  return result;
}

float from_pattern(uint32_t pattern) {
  float x;
  std::memcpy(&x, &pattern, sizeof(x));
  return x;
}

TEST(float32_functions_of_one) {
  const char* text = std::getenv("FALCONET_SWEEP_STRIDE");
  const uint64_t stride = std::max<uint64_t>(1, text ? std::strtoull(text, nullptr, 10) : 997);
  for (Micro m : functions(1)) {
    std::vector<Worst> worst(available_kernels().size());
    std::vector<float> x;
    // The ends of everything, then the sweep in blocks.
    for (uint32_t p : {0u, 0x80000000u, 1u, 0x80000001u, 0x7FFFFFu, 0x800000u, 0x7F7FFFFFu, 0xFF7FFFFFu, 0x7F800000u,
                       0xFF800000u, 0x7FC00000u, 0xFFC00000u, 0x3F800000u, 0xBF800000u, 0x3F7FFFFFu, 0x3F800001u}) {
      x.push_back(from_pattern(p));
    }
    for (int i = -400; i <= 400; ++i) {
      x.push_back(static_cast<float>(i));
      x.push_back(static_cast<float>(i) / 8);
    }
    for (uint64_t p = 0; p < (uint64_t{1} << 32); p += stride) {
      x.push_back(from_pattern(static_cast<uint32_t>(p)));
      if (x.size() < 65536 && p + stride < (uint64_t{1} << 32)) continue;
      compare<float, double>(m, Lane::f32, x, x, worst);
      x.clear();
    }
    report<float>(m, Lane::f32, worst);
  }
}

template <class T>
std::vector<T> operands(std::mt19937_64& random, int64_t n) {
  using L = std::numeric_limits<T>;
  const std::vector<T> special = {
      T(0),          -T(0),          T(1),           T(-1),    T(2),        T(-3),           T(0.5),
      L::infinity(), -L::infinity(), L::quiet_NaN(), L::max(), L::lowest(), L::denorm_min(), T(16777216),
      T(-16777217)};
  std::vector<T> x(n);
  for (T& v : x) {
    const uint64_t bits = random();
    if (bits % 4 == 0) {
      std::memcpy(&v, reinterpret_cast<const char*>(&bits) + (8 - sizeof(T)), sizeof(T));
    } else if (bits % 4 == 1) {
      v = special[random() % special.size()];
    } else {
      v = static_cast<T>(static_cast<double>(static_cast<int64_t>(random())) * 0x1p-63 * (bits % 4 == 2 ? 2 : 100));
      if (bits % 16 == 3) v = std::nearbyint(v);
    }
  }
  return x;
}

TEST(float32_functions_of_two) {
  std::mt19937_64 random(5);
  for (Micro m : functions(2)) {
    std::vector<Worst> worst(available_kernels().size());
    for (int repeat = 0; repeat < 30; ++repeat) {
      const auto a = operands<float>(random, 65536), b = operands<float>(random, 65536);
      compare<float, double>(m, Lane::f32, a, b, worst);
    }
    report<float>(m, Lane::f32, worst);
  }
}

TEST(float64_functions) {
  std::mt19937_64 random(6);
  for (int count : {1, 2}) {
    for (Micro m : functions(count)) {
      std::vector<Worst> worst(available_kernels().size());
      const auto a = operands<double>(random, 20000), b = operands<double>(random, 20000);
      compare<double, long double>(m, Lane::f64, a, b, worst);
      report<double>(m, Lane::f64, worst);
    }
  }
}

// 1 / sqrt(x) with both operations rounded, which the ISAs must agree on to the bit.
TEST(rsqrt_rounds_twice) {
  std::mt19937_64 random(8);
  const auto x = operands<float>(random, 10001);
  std::vector<float> y(x.size());
  for (const Kernels* k : available_kernels()) {
    const MicroFn f = k->pointwise.micro[static_cast<int>(Micro::rsqrt)][static_cast<int>(Lane::f32)];
    f(y.data(), x.data(), nullptr, nullptr, static_cast<int64_t>(x.size()), 0);
    for (size_t i = 0; i < x.size(); ++i) {
      const float root = std::sqrt(x[i]), want = 1.0f / root;
      if (!std::isnan(want)) CHECK_EQ(y[i], want);
    }
  }
}

}  // namespace
