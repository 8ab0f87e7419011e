// Checks for the C++ tests. Each tests/cpp/*_test.cpp includes this once and is an executable of its own:
//
//   TEST(sum_of_nothing_is_zero) { CHECK_EQ(sum(nullptr, 0), 0.0f); }
//
// A failed check prints where, what was compared and both values; the test goes on, so that one run shows all failures.
// An argument selects the tests whose names contain it. The exit status is 1 where anything failed or nothing ran.
#pragma once

#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <exception>
#include <iostream>
#include <sstream>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

namespace check {

struct Test {
  const char* name;
  void (*body)();
};
inline std::vector<Test>& tests() {
  static std::vector<Test> all;
  return all;
}
inline int failures_here = 0;  // in the running test

struct Registration {
  Registration(const char* name, void (*body)()) { tests().push_back({name, body}); }
};

template <class T>
std::string text_of(const T& value) {
  std::ostringstream out;
  if constexpr (std::is_floating_point_v<T>) {
    out.precision(sizeof(T) == 4 ? 9 : 17);
    out << value;
  } else if constexpr (std::is_same_v<T, int8_t> || std::is_same_v<T, uint8_t>) {
    out << static_cast<int>(value);
  } else if constexpr (std::is_enum_v<T>) {
    out << static_cast<int64_t>(value);
  } else {
    out << value;
  }
  return out.str();
}

inline void fail(const char* file, int line, const std::string& what) {
  constexpr int kShown = 20;  // a wrong kernel fails at every element; the first ones say enough
  if (++failures_here <= kShown) std::cout << "  " << file << ":" << line << ": " << what << "\n";
  if (failures_here == kShown) std::cout << "  further failures of this test are counted, not shown\n";
}

template <class T>
inline constexpr bool is_number = std::is_integral_v<T> && !std::is_same_v<T, bool> && !std::is_same_v<T, char>;

template <class A, class B>
bool equal(const A& a, const B& b) {
  if constexpr (is_number<A> && is_number<B>) {
    return std::cmp_equal(a, b);
  } else {
    return a == b;
  }
}

// True for equal values and for two NaNs; otherwise within `tolerance`, which an infinity never is.
inline bool close(double a, double b, double tolerance) {
  if (std::isnan(a) || std::isnan(b)) return std::isnan(a) && std::isnan(b);
  return a == b || std::fabs(a - b) <= tolerance;
}

// Equal bit for bit: tells -0 from 0 and finds equal NaNs equal.
template <class T>
bool same_bits(const T& a, const T& b) {
  static_assert(std::is_trivially_copyable_v<T>);
  return std::memcmp(&a, &b, sizeof(T)) == 0;
}

inline int run(const char* filter) {
  int passed = 0, failed = 0;
  for (const Test& test : tests()) {
    if (!std::strstr(test.name, filter)) continue;
    failures_here = 0;
    std::cout << test.name << std::endl;
    try {
      test.body();
    } catch (const std::exception& error) {
      fail(test.name, 0, std::string("threw: ") + error.what());
    }
    ++(failures_here ? failed : passed);
    if (failures_here) std::cout << "  FAILED: " << failures_here << " checks" << std::endl;
  }
  std::cout << passed << " passed, " << failed << " failed" << std::endl;
  return failed || !passed;
}

}  // namespace check

#define TEST(name)                                                      \
  static void test_##name();                                            \
  static const check::Registration register_##name{#name, test_##name}; \
  static void test_##name()

#define CHECK(condition)                                                        \
  do {                                                                          \
    if (!(condition)) check::fail(__FILE__, __LINE__, "not true: " #condition); \
  } while (false)

#define CHECK_EQ(got, want)                                                                                     \
  do {                                                                                                          \
    const auto& check_got = (got);                                                                              \
    const auto& check_want = (want);                                                                            \
    if (!check::equal(check_got, check_want))                                                                   \
      check::fail(__FILE__, __LINE__,                                                                           \
                  #got " is " + check::text_of(check_got) + ", not " #want " = " + check::text_of(check_want)); \
  } while (false)

#define CHECK_CLOSE(got, want, tolerance)                                                                       \
  do {                                                                                                          \
    const double check_got = (got), check_want = (want), check_tolerance = (tolerance);                         \
    if (!check::close(check_got, check_want, check_tolerance))                                                  \
      check::fail(__FILE__, __LINE__,                                                                           \
                  #got " is " + check::text_of(check_got) + ", not within " + check::text_of(check_tolerance) + \
                      " of " #want " = " + check::text_of(check_want));                                         \
  } while (false)

// The expression throws `Kind` and its text contains `part`.
#define CHECK_THROWS(Kind, part, ...)                                                                         \
  do {                                                                                                        \
    try {                                                                                                     \
      static_cast<void>(__VA_ARGS__);                                                                         \
      check::fail(__FILE__, __LINE__, #__VA_ARGS__ " did not throw " #Kind);                                  \
    } catch (const Kind& check_error) {                                                                       \
      if (std::string(check_error.what()).find(part) == std::string::npos)                                    \
        check::fail(__FILE__, __LINE__, std::string("text without \"") + part + "\": " + check_error.what()); \
    }                                                                                                         \
  } while (false)

int main(int argc, char** argv) { return check::run(argc > 1 ? argv[1] : ""); }
