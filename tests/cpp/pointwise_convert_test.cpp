// Loads, stores, narrowing, conversions between classes of lanes, fills, and generators, on every ISA of this machine.
#include <limits>
#include <random>

#include "check.h"
#include "kernels/kernels.h"
#include "pointwise_reference.h"

using namespace falconet;

namespace {

MicroFn micro_of(const Kernels* k, Micro m, Lane lane) {
  return k->pointwise.micro[static_cast<int>(m)][static_cast<int>(lane)];
}

// Runs f over x with canaries behind y, in one call and in parts; the parts must give the bits of the whole.
template <class R, class X>
std::vector<R> run(MicroFn f, const std::vector<X>& x) {
  const int64_t n = static_cast<int64_t>(x.size());
  std::vector<R> y(n + 8, R(77));
  f(y.data(), x.data(), nullptr, nullptr, n, 0);
  for (int64_t i = n; i < n + 8; ++i) CHECK_EQ(y[i], R(77));
  y.resize(n);
  for (int64_t length = 1; length < 40; length += 3) {
    std::vector<R> part(length + 8, R(77));
    const int64_t at = (length * 7) % (n - length);
    f(part.data(), x.data() + at, nullptr, nullptr, length, 0);
    for (int64_t i = 0; i < length; ++i) CHECK(check::same_bits(part[i], y[at + i]));
    for (int64_t i = length; i < length + 8; ++i) CHECK_EQ(part[i], R(77));
  }
  return y;
}

// The storage types of one 16-bit pattern each, to float by arithmetic.
double half_value(uint16_t h) {
  const int exponent = (h >> 10) & 31, fraction = h & 1023;
  const double sign = h & 0x8000 ? -1 : 1;
  if (exponent == 31) return fraction ? NAN : sign * INFINITY;
  return sign * (exponent == 0 ? std::ldexp(fraction, -24) : std::ldexp(1024 + fraction, exponent - 25));
}
float bfloat_value(uint16_t b) {
  const uint32_t bits = uint32_t{b} << 16;
  float x;
  std::memcpy(&x, &bits, 4);
  return x;
}

std::vector<uint16_t> all_patterns() {
  std::vector<uint16_t> x(65536);
  for (int i = 0; i < 65536; ++i) x[i] = static_cast<uint16_t>(i);
  return x;
}

TEST(every_16_bit_float_loads_and_stores_back) {
  const std::vector<uint16_t> patterns = all_patterns();
  for (const Kernels* k : available_kernels()) {
    for (DType d : {DType::float16, DType::bfloat16}) {
      const bool is_half = d == DType::float16;
      const int i = static_cast<int>(d);
      const std::vector<float> loaded = run<float>(k->pointwise.load[i], patterns);
      const std::vector<uint16_t> stored = run<uint16_t>(k->pointwise.store[i], loaded);
      for (int p = 0; p < 65536; ++p) {
        const uint16_t h = static_cast<uint16_t>(p);
        const float want = is_half ? static_cast<float>(half_value(h)) : bfloat_value(h);
        if (std::isnan(want)) {
          CHECK(std::isnan(loaded[p]));
          CHECK(std::isnan(is_half ? half_value(stored[p]) : bfloat_value(stored[p])));
        } else {
          CHECK(check::same_bits(loaded[p], want));
          CHECK_EQ(stored[p], h);
        }
      }
    }
  }
}

// Rounding to nearest even: `narrow` gives the closer neighbour among the type's values, the even one at ties.
TEST(narrowing_to_16_bit_floats_rounds_to_nearest_even) {
  std::mt19937 random(1);
  std::vector<float> x;
  for (int p = 0; p < 65535; ++p) {  // the ties between neighbours and their surroundings
    for (double (*value)(uint16_t) : {half_value, +[](uint16_t b) -> double { return bfloat_value(b); }}) {
      const double a = value(static_cast<uint16_t>(p)), b = value(static_cast<uint16_t>(p + 1));
      if (!std::isfinite(a) || !std::isfinite(b) || (p & 0x7FFF) == 0x7FFF) continue;
      const float tie = static_cast<float>((a + b) / 2);
      x.insert(x.end(), {tie, std::nextafter(tie, INFINITY), std::nextafter(tie, -INFINITY)});
    }
  }
  for (int i = 0; i < 200000; ++i) {
    const uint32_t bits = random();
    float v;
    std::memcpy(&v, &bits, 4);
    x.push_back(v);
  }
  x.insert(x.end(),
           {65504.0f, 65519.99f, 65520.0f, 1e6f, -65520.0f, 3.4e38f, 3.3961776e38f, INFINITY, -INFINITY, 0.0f, -0.0f});
  for (const Kernels* k : available_kernels()) {
    for (DType d : {DType::float16, DType::bfloat16}) {
      const bool is_half = d == DType::float16;
      const int digits = is_half ? 11 : 8, least = is_half ? -24 : -133;
      const double largest = is_half ? 65504 : 0x1.fep127;
      const std::vector<float> y = run<float>(k->pointwise.narrow[static_cast<int>(d)], x);
      for (size_t i = 0; i < x.size(); ++i) {
        if (std::isnan(x[i])) {
          CHECK(std::isnan(y[i]));
          continue;
        }
        int exponent = 0;
        std::frexp(x[i], &exponent);
        const int unit = std::max(exponent - digits, least);
        double want = std::ldexp(std::nearbyint(std::ldexp(static_cast<double>(x[i]), -unit)), unit);
        if (std::fabs(want) > largest) want = std::copysign(INFINITY, want);
        if (!check::same_bits(y[i], static_cast<float>(want))) CHECK_EQ(y[i], static_cast<float>(want));
      }
    }
  }
}

template <class S, class T>
void check_integers(DType d) {
  std::mt19937_64 random(2);
  std::vector<T> x(1000);
  for (T& v : x) v = static_cast<T>(random() >> (random() % 64));
  std::vector<S> stored_before(1000);
  for (size_t i = 0; i < x.size(); ++i) stored_before[i] = static_cast<S>(x[i]);
  for (const Kernels* k : available_kernels()) {
    const int i = static_cast<int>(d);
    const std::vector<T> loaded = run<T>(k->pointwise.load[i], stored_before);
    const std::vector<S> stored = run<S>(k->pointwise.store[i], x);
    for (size_t j = 0; j < x.size(); ++j) {
      CHECK_EQ(loaded[j], static_cast<T>(stored_before[j]));
      CHECK_EQ(stored[j], static_cast<S>(x[j]));
    }
    CHECK_EQ(k->pointwise.narrow[i] == nullptr, is_native(d));
    if (!k->pointwise.narrow[i]) continue;
    const std::vector<T> narrowed = run<T>(k->pointwise.narrow[i], x);
    std::vector<T> in_place = x;
    k->pointwise.narrow[i](in_place.data(), in_place.data(), nullptr, nullptr, 1000, 0);
    for (size_t j = 0; j < x.size(); ++j) CHECK_EQ(narrowed[j], static_cast<T>(static_cast<S>(x[j])));
    CHECK(in_place == narrowed);
  }
}

TEST(integers_wrap_when_stored) {
  check_integers<uint8_t, int32_t>(DType::uint8);
  check_integers<int8_t, int32_t>(DType::int8);
  check_integers<uint16_t, int32_t>(DType::uint16);
  check_integers<int16_t, int32_t>(DType::int16);
  check_integers<uint32_t, int64_t>(DType::uint32);
  check_integers<int32_t, int32_t>(DType::int32);
  check_integers<int64_t, int64_t>(DType::int64);
  check_integers<uint64_t, uint64_t>(DType::uint64);
}

TEST(booleans_are_masks) {
  std::vector<uint8_t> x(100);
  for (int i = 0; i < 100; ++i) x[i] = static_cast<uint8_t>(i % 3 == 0 ? 0 : i % 3 == 1 ? 1 : 200);
  for (const Kernels* k : available_kernels()) {
    const std::vector<int32_t> mask = run<int32_t>(k->pointwise.load[0], x);
    const std::vector<uint8_t> stored = run<uint8_t>(k->pointwise.store[0], mask);
    for (int i = 0; i < 100; ++i) {
      CHECK_EQ(mask[i], x[i] ? -1 : 0);
      CHECK_EQ(stored[i], x[i] ? 1 : 0);
    }
  }
}

template <class To>
To saturated(double x, double low, double high, To least, To most) {
  return std::isnan(x) ? To(0) : x <= low ? least : x >= high ? most : static_cast<To>(x);
}
template <class From>
void check_from_float(Lane from) {
  std::vector<From> x = {0,
                         From(-0.0),
                         From(0.9),
                         From(-0.9),
                         From(1.5),
                         From(-1.5),
                         From(2147483520),
                         From(2147483648),
                         From(-2147483648),
                         From(-2147483904),
                         From(9.2e18),
                         From(9.3e18),
                         From(-9.3e18),
                         From(1.8e19),
                         From(1.9e19),
                         From(INFINITY),
                         From(-INFINITY),
                         From(NAN),
                         From(1e30),
                         From(-1e30),
                         From(255)};
  while (x.size() < 64) x.push_back(x[x.size() % 21] / 3);
  for (const Kernels* k : available_kernels()) {
    const auto to = [&](Lane l) { return k->pointwise.convert[static_cast<int>(l)][static_cast<int>(from)]; };
    const auto i32 = run<int32_t>(to(Lane::i32), x);
    const auto i64 = run<int64_t>(to(Lane::i64), x);
    const auto u64 = run<uint64_t>(to(Lane::u64), x);
    const auto mask = run<int32_t>(to(Lane::mask), x);
    const auto f32 = run<float>(to(Lane::f32), x);
    const auto f64 = run<double>(to(Lane::f64), x);
    for (size_t i = 0; i < x.size(); ++i) {
      CHECK_EQ(i32[i], saturated<int32_t>(x[i], -0x1p31, 0x1p31, INT32_MIN, INT32_MAX));
      CHECK_EQ(i64[i], saturated<int64_t>(x[i], -0x1p63, 0x1p63, INT64_MIN, INT64_MAX));
      CHECK_EQ(u64[i], saturated<uint64_t>(x[i], 0, 0x1p64, 0, UINT64_MAX));
      CHECK_EQ(mask[i], x[i] != 0 ? -1 : 0);
      CHECK_CLOSE(f32[i], static_cast<float>(x[i]), 0);
      CHECK_CLOSE(f64[i], x[i], 0);
    }
  }
}
template <class From>
void check_from_integer(Lane from) {
  std::mt19937_64 random(4);
  std::vector<From> x(500);
  for (From& v : x)
    v = from == Lane::mask ? static_cast<From>(-(random() & 1)) : static_cast<From>(random() >> (random() % 64));
  for (const Kernels* k : available_kernels()) {
    const auto to = [&](Lane l) { return k->pointwise.convert[static_cast<int>(l)][static_cast<int>(from)]; };
    const auto i32 = run<int32_t>(to(Lane::i32), x);
    const auto i64 = run<int64_t>(to(Lane::i64), x);
    const auto u64 = run<uint64_t>(to(Lane::u64), x);
    const auto mask = run<int32_t>(to(Lane::mask), x);
    const auto f32 = run<float>(to(Lane::f32), x);
    const auto f64 = run<double>(to(Lane::f64), x);
    for (size_t i = 0; i < x.size(); ++i) {
      const From v = from == Lane::mask ? x[i] & 1 : x[i];
      CHECK_EQ(i32[i], static_cast<int32_t>(v));
      CHECK_EQ(i64[i], static_cast<int64_t>(v));
      CHECK_EQ(u64[i], static_cast<uint64_t>(v));
      CHECK_EQ(mask[i], v != 0 ? -1 : 0);
      CHECK_EQ(f32[i], static_cast<float>(v));
      CHECK_EQ(f64[i], static_cast<double>(v));
    }
  }
}

TEST(conversions) {
  check_from_float<float>(Lane::f32);
  check_from_float<double>(Lane::f64);
  check_from_integer<int32_t>(Lane::i32);
  check_from_integer<int64_t>(Lane::i64);
  check_from_integer<uint64_t>(Lane::u64);
  check_from_integer<int32_t>(Lane::mask);
}

TEST(fills) {
  for (const Kernels* k : available_kernels()) {
    for (int64_t n : {0, 1, 5, 16, 67}) {
      const float x = 2.5f;
      const double z = -3.25;
      std::vector<float> y(n + 4, 9.0f);
      std::vector<double> w(n + 4, 9.0);
      k->pointwise.fill32(y.data(), &x, nullptr, nullptr, n, 0);
      k->pointwise.fill64(w.data(), &z, nullptr, nullptr, n, 0);
      for (int64_t i = 0; i < n + 4; ++i) {
        CHECK_EQ(y[i], i < n ? x : 9.0f);
        CHECK_EQ(w[i], i < n ? z : 9.0);
      }
    }
  }
}

// Every generator is the function of key and index that pointwise.inc states, wherever a part begins.
TEST(random_words_are_those_of_the_stream) {
  const uint64_t key = 0x123456789ABCDEF0;
  for (const Kernels* k : available_kernels()) {
    for (int64_t index : {int64_t{0}, int64_t{1}, int64_t{2}, int64_t{3}, int64_t{1001}, int64_t{1} << 36}) {
      for (int64_t n : {1, 3, 8, 31, 64, 100}) {
        std::vector<int32_t> w32(n);
        std::vector<int64_t> w64(n);
        std::vector<float> u32(n);
        std::vector<double> u64(n);
        micro_of(k, Micro::random_bits, Lane::i32)(w32.data(), &key, nullptr, nullptr, n, index);
        micro_of(k, Micro::random_bits, Lane::u64)(w64.data(), &key, nullptr, nullptr, n, index);
        micro_of(k, Micro::random_uniform, Lane::f32)(u32.data(), &key, nullptr, nullptr, n, index);
        micro_of(k, Micro::random_uniform, Lane::f64)(u64.data(), &key, nullptr, nullptr, n, index);
        for (int64_t i = 0; i < n; ++i) {
          const uint32_t word = reference::random_word(key, index + i);
          const uint64_t word64 = reference::random_word64(key, index + i);
          CHECK_EQ(static_cast<uint32_t>(w32[i]), word);
          CHECK_EQ(static_cast<uint64_t>(w64[i]), word64);
          CHECK_EQ(u32[i], static_cast<float>(word >> 8) * 0x1p-24f);
          CHECK_EQ(u64[i], static_cast<double>(word64 >> 11) * 0x1p-53);
        }
      }
    }
  }
}

template <class T>
void check_normal(Lane lane, double tolerance) {
  constexpr int64_t n = 1 << 20;
  const uint64_t key = 99;
  for (const Kernels* k : available_kernels()) {
    std::vector<T> z(n);
    micro_of(k, Micro::random_normal, lane)(z.data(), &key, nullptr, nullptr, n, 5);
    double sum[5] = {};
    for (int64_t i = 0; i < n; ++i) {
      for (int p = 1; p <= 4; ++p) sum[p] += std::pow(static_cast<double>(z[i]), p) / n;
    }
    // Within 5 standard errors of the moments 0, 1, 0, 3.
    const double root = std::sqrt(static_cast<double>(n));
    CHECK_CLOSE(sum[1], 0, 5 / root);
    CHECK_CLOSE(sum[2], 1, 5 * std::sqrt(2.0) / root);
    CHECK_CLOSE(sum[3], 0, 5 * std::sqrt(15.0) / root);
    CHECK_CLOSE(sum[4], 3, 5 * std::sqrt(96.0) / root);
    // The inverse of the distribution function at the element's own bits.
    for (int64_t i = 0; i < 2000; ++i) {
      const int bits = 8 * sizeof(T);
      const uint64_t word = sizeof(T) == 4 ? reference::random_word(key, i + 5) : reference::random_word64(key, i + 5);
      const uint64_t most = (uint64_t{1} << (bits - 1)) - 1;
      const long double x = 1 - (static_cast<long double>(word & most) + 0.5L) / (static_cast<long double>(most) + 1);
      const double want = static_cast<double>(reference::erfinv<long double>(x) * 1.41421356237309504880L);
      CHECK_CLOSE(z[i], word >> (bits - 1) ? -want : want, tolerance * (std::fabs(want) + 1e-3));
    }
  }
}
TEST(normal_numbers_are_normal) {
  check_normal<float>(Lane::f32, 3e-6);
  check_normal<double>(Lane::f64, 3e-9);
}

TEST(iota_counts_from_the_index) {
  for (const Kernels* k : available_kernels()) {
    for (int64_t index : {int64_t{0}, int64_t{16777215}, (int64_t{1} << 53) - 3}) {
      std::vector<float> f(50);
      std::vector<double> d(50);
      std::vector<int32_t> i32(50);
      std::vector<int64_t> i64(50);
      micro_of(k, Micro::iota, Lane::f32)(f.data(), nullptr, nullptr, nullptr, 50, index);
      micro_of(k, Micro::iota, Lane::f64)(d.data(), nullptr, nullptr, nullptr, 50, index);
      micro_of(k, Micro::iota, Lane::i32)(i32.data(), nullptr, nullptr, nullptr, 50, index);
      micro_of(k, Micro::iota, Lane::i64)(i64.data(), nullptr, nullptr, nullptr, 50, index);
      for (int i = 0; i < 50; ++i) {
        CHECK_EQ(f[i], static_cast<float>(index + i));
        CHECK_EQ(d[i], static_cast<double>(index + i));
        CHECK_EQ(i32[i], static_cast<int32_t>(index + i));
        CHECK_EQ(i64[i], index + i);
      }
    }
  }
}

}  // namespace
