// Sorting: every ISA against the standard library's stable sort with the order of kernels/sort.h.
#include "kernels/sort.h"

#include <algorithm>
#include <limits>
#include <numeric>

#include "check.h"
#include "kernel_fixtures.h"
#include "kernels/kernels.h"

using namespace falconet;
using namespace fixtures;

namespace {

const int64_t kSizes[] = {1, 2, 3, 15, 16, 17, 33, 100, 255, 257, 511, 513, 1000, 5000};

template <class T>
bool ascending(T a, T b) {
  return a < b || (b != b && a == a);
}
template <class T>
bool descending(T a, T b) {
  return a > b || (b != b && a == a);
}
template <class T>
std::vector<int64_t> order(const T* x, int64_t n, bool down) {
  std::vector<int64_t> index(static_cast<size_t>(n));
  std::iota(index.begin(), index.end(), int64_t{0});
  std::stable_sort(index.begin(), index.end(),
                   [&](int64_t a, int64_t b) { return down ? descending(x[a], x[b]) : ascending(x[a], x[b]); });
  return index;
}

// kind 0: spread over the whole range; 1: many ties; 2: ties, zeros of both signs, infinities and NaN.
template <class T>
std::vector<T> sample(Random& random, int64_t n, int kind) {
  const double whole = std::is_same_v<T, int32_t> ? 2e9 : std::is_same_v<T, float> ? 1e38 : 9e18;
  std::vector<T> x = random.values<T>(n, kind ? -5 : -whole, kind ? 5 : whole);
  if constexpr (std::is_floating_point_v<T>) {
    constexpr T inf = std::numeric_limits<T>::infinity(), nan = std::numeric_limits<T>::quiet_NaN();
    const T special[] = {T{0}, -T{0}, inf, -inf, nan, -nan, std::numeric_limits<T>::denorm_min()};
    for (T& v : x) v = kind == 0 ? v : std::floor(v);
    for (size_t i = 0; kind == 2 && i < x.size(); i += 3) x[i] = special[random.below(7)];
  }
  return x;
}

template <class T>
bool same(T a, T b) {
  return a == b || (a != a && b != b);
}

template <class F>
void for_types(const F& f) {
  for (const Kernels* k : available_kernels()) {
    f(*k, float{}, Lane::f32);
    f(*k, double{}, Lane::f64);
    f(*k, int32_t{}, Lane::i32);
    f(*k, int64_t{}, Lane::i64);
  }
}

}  // namespace

TEST(sort_and_argsort) {
  for_types([](const Kernels& k, auto type, Lane lane) {
    using T = decltype(type);
    Random random(1);
    const int64_t rows = 3;
    for (const int64_t n : kSizes) {
      for (const int kind : {0, 1, 2}) {
        for (const bool down : {false, true}) {
          const std::vector<T> x = sample<T>(random, rows * n, kind);
          Guarded<T> y(x), both(rows * n);
          Guarded<int64_t> index(rows * n);
          Guarded<int32_t> narrow(rows * n);
          Guarded<char> scratch(rows * sort_scratch_bytes(lane, n, false));
          Guarded<char> more(rows * sort_scratch_bytes(lane, n, true));
          const TaskFn sort = k.sort.sort[static_cast<int>(lane)];
          SortArgs a{n, down, false, y.data(), y.data(), nullptr, scratch.data()};  // values in place
          run_units(sort, &a, rows, Split::units_backwards);
          a = {n, down, true, x.data(), both.data(), index.data(), more.data()};
          run_units(sort, &a, rows, Split::all);
          a = {n, down, false, x.data(), nullptr, narrow.data(), more.data()};
          run_units(sort, &a, rows, Split::units_backwards);
          CHECK(y.intact() && both.intact() && index.intact() && narrow.intact() && scratch.intact() && more.intact());
          for (int64_t r = 0; r < rows; ++r) {
            const std::vector<int64_t> want = order(x.data() + r * n, n, down);
            for (int64_t i = 0; i < n; ++i) {
              const auto at = static_cast<size_t>(r * n + i);
              const int64_t from = want[static_cast<size_t>(i)];
              CHECK_EQ(index[at], from);
              CHECK_EQ(narrow[at], from);
              CHECK(same(y[at], x[static_cast<size_t>(r * n + from)]));
              CHECK(check::same_bits(both[at], x[static_cast<size_t>(r * n + from)]));
            }
          }
        }
      }
    }
  });
}

// Rows that are sorted side by side come out as rows sorted alone, bit by bit.
TEST(rows_side_by_side) {
  for_types([](const Kernels& k, auto type, Lane lane) {
    using T = decltype(type);
    Random random(2);
    const int64_t rows = 37;
    for (const int64_t n : {1, 2, 3, 7, 8, 9, 15, 16, 17, 33, 100, 255, 256, 257}) {
      for (const int kind : {0, 1, 2}) {
        for (const bool down : {false, true}) {
          const std::vector<T> x = sample<T>(random, rows * n, kind);
          Guarded<T> alone(rows * n), together(x);
          Guarded<char> scratch(rows * sort_scratch_bytes(lane, n, false));
          const TaskFn sort = k.sort.sort[static_cast<int>(lane)];
          SortArgs a{n, down, false, x.data(), alone.data(), nullptr, scratch.data()};
          run_units(sort, &a, rows, Split::units_backwards);
          a = {n, down, false, together.data(), together.data(), nullptr, scratch.data()};  // in place
          run_units(sort, &a, rows, Split::all);
          CHECK(alone.intact() && together.intact() && scratch.intact());
          CHECK_EQ(std::memcmp(alone.data(), together.data(), static_cast<size_t>(rows * n) * sizeof(T)), 0);
          for (int64_t r = 0; r < rows; ++r) {
            const std::vector<int64_t> want = order(x.data() + r * n, n, down);
            for (int64_t i = 0; i < n; ++i) {
              CHECK(same(together[static_cast<size_t>(r * n + i)], x[static_cast<size_t>(r * n + want[static_cast<size_t>(i)])]));
            }
          }
        }
      }
    }
  });
}

TEST(top_k_gives_the_lower_index_first) {
  for_types([](const Kernels& k, auto type, Lane lane) {
    using T = decltype(type);
    Random random(2);
    const int64_t rows = 2;
    for (const int64_t n : kSizes) {
      for (const int kind : {0, 1, 2}) {
        const std::vector<T> x = sample<T>(random, rows * n, kind);
        for (const int64_t count : {int64_t{1}, int64_t{5}, int64_t{64}, int64_t{65}, n}) {
          if (count > n) continue;
          Guarded<T> y(rows * count);
          Guarded<int32_t> index(rows * count);
          Guarded<char> scratch(rows * sort_scratch_bytes(lane, n, true));
          const TopKArgs a{n, count, x.data(), y.data(), index.data(), scratch.data()};
          run_units(k.sort.top_k[static_cast<int>(lane)], &a, rows, Split::units_backwards);
          CHECK(y.intact() && index.intact() && scratch.intact());
          for (int64_t r = 0; r < rows; ++r) {
            const std::vector<int64_t> want = order(x.data() + r * n, n, true);
            for (int64_t j = 0; j < count; ++j) {
              const auto at = static_cast<size_t>(r * count + j);
              CHECK_EQ(index[at], want[static_cast<size_t>(j)]);
              CHECK(same(y[at], x[static_cast<size_t>(r * n + want[static_cast<size_t>(j)])]));
            }
          }
        }
      }
    }
  });
}

TEST(search_sorted_on_both_sides) {
  for_types([](const Kernels& k, auto type, Lane lane) {
    using T = decltype(type);
    Random random(3);
    for (const int64_t n : {1, 2, 7, 64, 1000}) {
      for (const int kind : {0, 1, 2}) {
        std::vector<T> sorted = sample<T>(random, n, kind);
        std::sort(sorted.begin(), sorted.end(), ascending<T>);
        std::vector<T> v = sample<T>(random, 50, kind);
        v.insert(v.end(), sorted.begin(), sorted.end());
        const int64_t m = static_cast<int64_t>(v.size());
        for (const bool right : {false, true}) {
          Guarded<int32_t> y(m);
          const SearchSortedArgs a{n, right, false, sorted.data(), v.data(), y.data()};
          run_units(k.sort.search_sorted[static_cast<int>(lane)], &a, m, Split::units_backwards);
          CHECK(y.intact());
          for (size_t i = 0; i < v.size(); ++i) {
            const auto at = right ? std::upper_bound(sorted.begin(), sorted.end(), v[i], ascending<T>)
                                  : std::lower_bound(sorted.begin(), sorted.end(), v[i], ascending<T>);
            CHECK_EQ(y[i], at - sorted.begin());
          }
        }
      }
    }
  });
}

TEST(unique_of_a_given_size) {
  for_types([](const Kernels& k, auto type, Lane lane) {
    using T = decltype(type);
    Random random(4);
    for (const int64_t n : {1, 10, 300, 3000}) {
      for (const int kind : {1, 2}) {
        const std::vector<T> x = sample<T>(random, n, kind);
        const std::vector<int64_t> sorted = order(x.data(), n, false);
        std::vector<int64_t> first, counts, inverse(x.size());
        for (const int64_t i : sorted) {
          const T v = x[static_cast<size_t>(i)];
          if (first.empty() || !same(x[static_cast<size_t>(first.back())], v)) {
            first.push_back(i);
            counts.push_back(0);
          }
          ++counts.back();
          inverse[static_cast<size_t>(i)] = static_cast<int64_t>(first.size()) - 1;
        }
        const T fill = T{42};
        for (const int64_t size : {int64_t{1}, static_cast<int64_t>(first.size()), n + 3}) {
          for (const bool filled : {false, true}) {
            Guarded<T> values(size);
            Guarded<int64_t> got_first(size), got_counts(size), got_inverse(n);
            Guarded<char> scratch(sort_scratch_bytes(lane, n, true));
            int64_t found = -1;
            UniqueArgs a;
            a.n = n;
            a.size = size;
            a.index64 = true;
            a.x = x.data();
            a.fill = filled ? &fill : nullptr;
            a.values = values.data();
            a.first = got_first.data();
            a.inverse = got_inverse.data();
            a.counts = got_counts.data();
            a.found = &found;
            a.scratch = scratch.data();
            k.sort.unique[static_cast<int>(lane)](&a, 0, 1);
            CHECK(values.intact() && got_first.intact() && got_counts.intact() && got_inverse.intact());
            CHECK(scratch.intact());
            CHECK_EQ(found, first.size());
            CHECK(got_inverse.values() == inverse);
            for (size_t j = 0; j < static_cast<size_t>(size); ++j) {
              const bool there = j < first.size();
              CHECK(same(values[j], there    ? x[static_cast<size_t>(first[j])]
                                    : filled ? fill
                                             : x[static_cast<size_t>(first[0])]));
              CHECK_EQ(got_first[j], there ? first[j] : 0);
              CHECK_EQ(got_counts[j], there ? counts[j] : 0);
            }
          }
        }
      }
    }
  });
}
