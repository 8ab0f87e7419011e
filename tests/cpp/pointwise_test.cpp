// Every micro-operation of every class of lanes on every ISA of this machine: values, tails, aliasing, bounds.
// The accuracy of the functions of real variables over all float32 is in pointwise_math_test.cpp.
#include <algorithm>
#include <limits>
#include <random>

#include "check.h"
#include "kernels/kernels.h"
#include "pointwise_reference.h"

using namespace falconet;

namespace {

constexpr int64_t kMany = 67;  // 4 registers of the widest ISA and a tail of 3
constexpr int64_t kIndex = 1000000007;

// Memory of n elements whose end touches bytes that must not change, as the start does.
template <class T>
class Guarded {
 public:
  explicit Guarded(int64_t n, int64_t offset = 0) : bytes_(2 * kGuard + (n + offset) * sizeof(T), kFill), n_(n) {
    start_ = kGuard + offset * sizeof(T);
  }
  T* data() { return reinterpret_cast<T*>(bytes_.data() + start_); }
  bool intact() const {
    const auto is_fill = [](unsigned char c) { return c == kFill; };
    return std::all_of(bytes_.begin(), bytes_.begin() + start_, is_fill) &&
           std::all_of(bytes_.begin() + start_ + n_ * sizeof(T), bytes_.end(), is_fill);
  }

 private:
  static constexpr size_t kGuard = 64;
  static constexpr unsigned char kFill = 0xA7;
  std::vector<unsigned char> bytes_;
  size_t start_;
  int64_t n_;
};

template <class T>
std::vector<T> specials() {
  using L = std::numeric_limits<T>;
  if constexpr (std::is_floating_point_v<T>) {
    return {T(0),
            -T(0),
            T(1),
            T(-1),
            T(2),
            T(-2),
            T(0.5),
            T(-0.5),
            T(1.5),
            T(2.5),
            T(3),
            T(-3),
            L::min(),
            -L::min(),
            L::denorm_min(),
            -L::denorm_min(),
            L::max(),
            L::lowest(),
            L::infinity(),
            -L::infinity(),
            L::quiet_NaN(),
            T(1e10),
            T(-1e10),
            T(0.49999997),
            T(8388609),
            T(1e-20)};
  } else {
    return {T(0),
            T(1),
            static_cast<T>(-1),
            T(2),
            static_cast<T>(-2),
            T(3),
            static_cast<T>(-7),
            L::max(),
            L::min(),
            static_cast<T>(L::min() + 1),
            T(31),
            T(32),
            T(63),
            T(64),
            T(100)};
  }
}
// Random values of three kinds: any bits, moderate numbers, special ones. Masks: 0 or -1.
template <class T>
std::vector<T> values(std::mt19937_64& random, int64_t n, Lane lane) {
  std::vector<T> x(n);
  const std::vector<T> special = specials<T>();
  for (T& v : x) {
    const uint64_t bits = random();
    if (lane == Lane::mask) {
      v = bits & 1 ? static_cast<T>(-1) : T(0);
    } else if (bits % 3 == 0) {
      std::memcpy(&v, reinterpret_cast<const char*>(&bits) + (8 - sizeof(T)), sizeof(T));
    } else if (bits % 3 == 1) {
      v = static_cast<T>(static_cast<double>(static_cast<int64_t>(random())) * 0x1p-63 * 20);
    } else {
      v = special[random() % special.size()];
    }
  }
  return x;
}

template <class T>
struct Case {
  std::string name;
  Micro micro;
  Lane lane;
  MicroFn f;
  std::vector<T> b, c;
  std::vector<T> a;
  std::vector<int32_t> mask;  // select's first operand
  bool takes_mask, gives_mask;
  const void* first() const { return takes_mask ? static_cast<const void*>(mask.data()) : a.data(); }
};

bool is_generator(Micro m) {
  return m == Micro::iota || m == Micro::random_uniform || m == Micro::random_normal || m == Micro::random_bits;
}

template <class T>
bool same(T x, T y) {
  if constexpr (std::is_floating_point_v<T>) {
    if (std::isnan(x) && std::isnan(y)) return true;
  }
  return check::same_bits(x, y);
}
// Zeros of either sign are equal where C leaves the sign open.
template <class T>
bool matches(Micro m, T got, T want) {
  const bool open = m == Micro::minimum || m == Micro::maximum || m == Micro::fmin || m == Micro::fmax;
  return same(got, want) || (open && got == want);
}

// Whole results against the reference.
template <class T>
void check_values(const Case<T>& k, const std::vector<T>& y, const std::vector<int32_t>& masks) {
  for (int64_t i = 0; i < kMany; ++i) {
    bool known = true;
    const T a = k.a[i], b = k.b[i], c = k.c[i];
    if (k.gives_mask) {
      const bool want = reference::truth(k.micro, a, b, known);
      if (!known || masks[i] != -static_cast<int32_t>(want)) check::fail(__FILE__, __LINE__, k.name);
      continue;
    }
    T want{};
    if (k.takes_mask) {
      want = k.mask[i] ? b : c;
    } else if constexpr (std::is_floating_point_v<T>) {
      want = reference::exact(k.micro, a, b, c, known);
      if (!known || k.micro == Micro::rsqrt) continue;  // a function; see pointwise_math_test.cpp
    } else {
      want = reference::integer(k.micro, a, b, c, known);
      if (!known) check::fail(__FILE__, __LINE__, k.name + " has no reference");
    }
    if (!matches(k.micro, y[i], want)) {
      check::fail(__FILE__, __LINE__,
                  k.name + "(" + check::text_of(a) + ", " + check::text_of(b) + ", " + check::text_of(c) + ") is " +
                      check::text_of(y[i]) + ", not " + check::text_of(want));
    }
  }
}

// Parts of any length at any offset give the bits of the whole and touch nothing else; y may be an operand.
template <class T, class R>
void check_parts(const Case<T>& k, const std::vector<R>& whole) {
  const size_t first_size = k.takes_mask ? 4 : sizeof(T);
  for (int64_t n : {0, 1, 2, 3, 4, 5, 7, 8, 9, 14, 15, 16, 17, 26, 31, 32, 33, 50}) {
    for (int64_t at : {0, 1, 13}) {
      if (at + n > kMany) continue;
      Guarded<R> y(n, at);
      const void* a = static_cast<const char*>(k.first()) + (is_generator(k.micro) ? 0 : at * first_size);
      k.f(y.data(), a, k.b.data() + at, k.c.data() + at, n, kIndex + at);
      if (!y.intact()) check::fail(__FILE__, __LINE__, k.name + " wrote outside, n = " + check::text_of(n));
      for (int64_t i = 0; i < n; ++i) {
        if (!same(y.data()[i], whole[at + i])) {
          check::fail(__FILE__, __LINE__,
                      k.name + " depends on its part: n = " + check::text_of(n) + ", offset " + check::text_of(at) +
                          ", element " + check::text_of(i));
        }
      }
    }
  }
  for (int which = 0; which < info(k.micro).operands && !is_generator(k.micro); ++which) {
    const size_t size = which == 0 ? first_size : sizeof(T);
    if (size != sizeof(R)) continue;
    const void* operands[3] = {k.first(), k.b.data(), k.c.data()};
    std::vector<R> y(kMany);
    std::memcpy(y.data(), operands[which], kMany * sizeof(R));
    operands[which] = y.data();
    k.f(y.data(), operands[0], operands[1], operands[2], kMany, kIndex);
    for (int64_t i = 0; i < kMany; ++i) {
      if (!same(y[i], whole[i]))
        check::fail(__FILE__, __LINE__, k.name + " in place of operand " + std::to_string(which));
    }
  }
}

template <class T>
void check_micro(const Kernels& kernels, Micro m, Lane lane, std::mt19937_64& random) {
  const MicroFn f = kernels.pointwise.micro[static_cast<int>(m)][static_cast<int>(lane)];
  if (!f) return;
  for (int repeat = 0; repeat < 12; ++repeat) {
    Case<T> k{std::string(kernels.isa) + " " + info(m).name + " lane " + std::to_string(static_cast<int>(lane)),
              m,
              lane,
              f,
              values<T>(random, kMany, lane),
              values<T>(random, kMany, lane),
              values<T>(random, kMany, lane),
              values<int32_t>(random, kMany, Lane::mask),
              m == Micro::select,
              info(m).mask_result};
    std::vector<T> y(kMany);
    std::vector<int32_t> masks(kMany);
    if (k.gives_mask) {
      f(masks.data(), k.first(), k.b.data(), k.c.data(), kMany, kIndex);
    } else {
      f(y.data(), k.first(), k.b.data(), k.c.data(), kMany, kIndex);
    }
    if (!is_generator(m)) check_values(k, y, masks);
    if (repeat > 2) continue;
    if (k.gives_mask) {
      check_parts(k, masks);
    } else {
      check_parts(k, y);
    }
  }
}

void check_lanes(Lane lane) {
  std::mt19937_64 random(7 + static_cast<int>(lane));
  for (const Kernels* k : available_kernels()) {
    for (int m = 0; m < kNumMicros; ++m) {
      const Micro micro = static_cast<Micro>(m);
      switch (lane) {
        case Lane::f32:
          check_micro<float>(*k, micro, lane, random);
          break;
        case Lane::f64:
          check_micro<double>(*k, micro, lane, random);
          break;
        case Lane::i64:
          check_micro<int64_t>(*k, micro, lane, random);
          break;
        case Lane::u64:
          check_micro<uint64_t>(*k, micro, lane, random);
          break;
        default:
          check_micro<int32_t>(*k, micro, lane, random);
          break;
      }
    }
  }
}

TEST(float32_lanes) { check_lanes(Lane::f32); }
TEST(float64_lanes) { check_lanes(Lane::f64); }
TEST(int32_lanes) { check_lanes(Lane::i32); }
TEST(int64_lanes) { check_lanes(Lane::i64); }
TEST(uint64_lanes) { check_lanes(Lane::u64); }
TEST(mask_lanes) { check_lanes(Lane::mask); }

// The table has an entry exactly where pointwise.inc says so.
TEST(table_is_complete) {
  struct Row {
    const char* classes;
  };
  const Row rows[] = {
#define MICRO(name, operands, classes, result) {#classes},
#include "kernels/pointwise.inc"
#undef MICRO
  };
  for (const Kernels* k : available_kernels()) {
    for (int m = 0; m < kNumMicros; ++m) {
      const std::string classes = rows[m].classes;
      const bool floats = classes.find_first_of("FA") != std::string::npos;
      const bool integers = classes.find_first_of("IA") != std::string::npos;
      const bool masks = classes.find('M') != std::string::npos;
      for (int lane = 0; lane < kNumLanes; ++lane) {
        const Lane l = static_cast<Lane>(lane);
        const bool want = l == Lane::mask ? masks : l == Lane::f32 || l == Lane::f64 ? floats : integers;
        if ((k->pointwise.micro[m][lane] != nullptr) != want) check::fail(__FILE__, __LINE__, kMicros[m].name);
      }
    }
  }
}

// floor_div of floats: an integer q with q b + mod = a up to rounding, and C's values for zero divisors.
TEST(float_floor_div_agrees_with_mod) {
  std::mt19937_64 random(3);
  for (const Kernels* k : available_kernels()) {
    const auto at = [&](Micro m) { return k->pointwise.micro[static_cast<int>(m)][static_cast<int>(Lane::f64)]; };
    std::vector<double> a(1000), b(1000), q(1000), r(1000);
    for (int i = 0; i < 1000; ++i) {
      a[i] = static_cast<double>(static_cast<int64_t>(random() >> 40) - (1 << 23)) / 64;
      b[i] = static_cast<double>(static_cast<int64_t>(random() >> 54) - 512) / 64;
    }
    at(Micro::floor_div)(q.data(), a.data(), b.data(), nullptr, 1000, 0);
    at(Micro::mod)(r.data(), a.data(), b.data(), nullptr, 1000, 0);
    for (int i = 0; i < 1000; ++i) {
      if (b[i] == 0) {
        CHECK_CLOSE(q[i], a[i] / b[i], 0);
        continue;
      }
      CHECK_EQ(q[i] * b[i] + r[i], a[i]);
      CHECK_EQ(q[i], std::floor(q[i]));
      CHECK(r[i] == 0 || (std::signbit(r[i]) == std::signbit(b[i]) && std::fabs(r[i]) < std::fabs(b[i])));
    }
  }
}

}  // namespace
