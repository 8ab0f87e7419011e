// The matrix product against its canonical sum (gemm.h), bit for bit: every path, ISA, transposition and option.
#include "kernels/gemm.h"

#include <algorithm>
#include <limits>
#include <memory>
#include <random>

#include "base/cpu.h"
#include "check.h"

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

struct Isa {
  const char* name;
  const GemmKernels* kernels;
  bool fused;
};

std::vector<Isa> isas() {
  std::vector<Isa> all = {{"portable", &portable::gemm_kernels, false}};
#ifdef FALCONET_HAS_avx512
  if (cpu::features().avx512) all.push_back({"avx512", &avx512::gemm_kernels, true});
#endif
#ifdef FALCONET_HAS_avx2
  if (cpu::features().avx2) all.push_back({"avx2", &avx2::gemm_kernels, true});
#endif
#ifdef FALCONET_HAS_neon
  if (cpu::features().neon) all.push_back({"neon", &neon::gemm_kernels, true});
#endif
  return all;
}

struct Sizes {
  int64_t m, n, k;
};

struct Case {
  int64_t m, n, k;
  bool trans_a = false, trans_b = false;
  bool accumulate = false, use_bias = false, relu = false, gated = false, prepacked = false;
  int64_t pad = 0;    // elements between stored rows, and before the first
  int64_t batch = 1;  // of products whose C lie in descending order
  int threads = 1;
  bool special = false;  // infinities, NaN, -0 and denormals among the inputs

  std::string text() const {
    std::ostringstream out;
    out << m << "x" << k << "x" << n << (trans_a ? " trans_a" : "") << (trans_b ? " trans_b" : "")
        << (accumulate ? " accumulate" : "") << (use_bias ? " bias" : "") << (relu ? " relu" : "") << (gated ? " gated" : "")
        << (prepacked ? " prepacked" : "") << " pad " << pad << " batch " << batch << " threads " << threads;
    return out.str();
  }
};

template <class T>
T multiply_add(bool fused, T a, T b, T c) {
  return fused ? std::fma(a, b, c) : static_cast<T>(a * b) + c;
}

// The definition in gemm.h, word by word.
template <class T>
T canonical(const Case& s, bool fused, const T* a, int64_t lda, const T* b, int64_t ldb, T old, T bias, int64_t i,
            int64_t j) {
  auto at_a = [&](int64_t p) { return s.trans_a ? a[p * lda + i] : a[i * lda + p]; };
  auto at_b = [&](int64_t p) { return s.trans_b ? b[j * ldb + p] : b[p * ldb + j]; };
  T sum = s.accumulate ? old : T(0);
  if (s.n == 1 && !s.trans_a) {
    T chain[kDotLanes] = {};
    for (int64_t p = 0; p < s.k; ++p) {
      T& c = chain[p % kDotLanes];
      c = multiply_add(fused, at_a(p), at_b(p), c);
    }
    for (int half = kDotLanes / 2; half > 0; half /= 2) {
      for (int v = 0; v < half; ++v) chain[v] += chain[v + half];
    }
    sum = s.accumulate ? old + chain[0] : chain[0];
  } else {
    GemmProblem problem;
    problem.m = s.m, problem.n = s.n, problem.k = s.k, problem.batch = s.batch;
    problem.trans_a = s.trans_a, problem.trans_b = s.trans_b;
    const int64_t splits = gemm_splits(problem);
    std::vector<T> part(splits, splits == 1 ? sum : T(0));
    for (int64_t p = 0; p < s.k; ++p) {
      T& c = part[p / (s.k / splits)];
      c = multiply_add(fused, at_a(p), at_b(p), c);
    }
    for (int64_t half = splits / 2; half > 0; half /= 2) {
      for (int64_t v = 0; v < half; ++v) part[v] += part[v + half];
    }
    sum = splits > 1 && s.accumulate ? old + part[0] : part[0];
  }
  if (s.use_bias) sum += bias;
  if (s.relu) sum = std::isnan(sum) ? sum : sum > 0 ? sum : T(0);
  return sum;
}

template <class T>
bool same_value(T a, T b) {
  return check::same_bits(a, b) || (std::isnan(a) && std::isnan(b));
}

// Blocks reported by the epilogue: each element once, and final by then.
template <class T>
struct Watch {
  const Case* s;
  const T* c;
  const int64_t* c_offset;
  int64_t ldc;
  const T* want;
  std::vector<int> seen;
  bool final_values = true;

  static void call(const void* context, int64_t batch, int64_t row, int64_t rows, int64_t col, int64_t cols) {
    Watch& w = *const_cast<Watch*>(static_cast<const Watch*>(context));
    for (int64_t i = row; i < row + rows; ++i) {
      for (int64_t j = col; j < col + cols; ++j) {
        const int64_t flat = (batch * w.s->m + i) * w.s->n + j;
        ++w.seen[flat];
        w.final_values &= same_value(w.c[w.c_offset[batch] + i * w.ldc + j], w.want[flat]);
      }
    }
  }
};

template <class T>
std::vector<T> random_values(std::mt19937& random, int64_t size, bool special) {
  static constexpr T kSpecial[] = {std::numeric_limits<T>::infinity(),   -std::numeric_limits<T>::infinity(),
                                   std::numeric_limits<T>::quiet_NaN(),  T(-0.0),
                                   std::numeric_limits<T>::denorm_min(), -std::numeric_limits<T>::denorm_min(),
                                   std::numeric_limits<T>::min(),        std::numeric_limits<T>::max()};
  std::vector<T> x(size);
  for (T& v : x) {
    v = static_cast<T>(static_cast<int32_t>(random())) / static_cast<T>(1u << 31);
    if (special && random() % 16 == 0) v = kSpecial[random() % 8];
  }
  return x;
}

template <class T>
void run_case(Case s, uint32_t seed) {
  // A packed B and parts of k do not go together (gemm.h).
  if (gemm_splits({s.m, s.n, s.k, s.trans_a, s.trans_b, 0, 0, 0, false, s.batch}) > 1) s.prepacked = false;
  constexpr DType dtype = sizeof(T) == 8 ? DType::float64 : DType::float32;
  const T nan = std::numeric_limits<T>::quiet_NaN();
  std::mt19937 random(seed);
  const int64_t a_rows = s.trans_a ? s.k : s.m, a_cols = s.trans_a ? s.m : s.k;
  const int64_t b_rows = s.trans_b ? s.n : s.k, b_cols = s.trans_b ? s.k : s.n;
  const int64_t lda = a_cols + s.pad, ldb = b_cols + s.pad, ldc = s.n + s.pad;
  const int64_t a_size = (a_rows - 1) * lda + a_cols, b_size = (b_rows - 1) * ldb + b_cols;
  const int64_t c_size = (s.m - 1) * ldc + s.n;
  std::vector<T> a = random_values<T>(random, s.pad + s.batch * a_size, s.special);
  std::vector<T> b = random_values<T>(random, s.pad + (s.prepacked ? 1 : s.batch) * b_size, s.special);
  const std::vector<T> bias = random_values<T>(random, s.n, s.special);
  const std::vector<T> gate = random_values<T>(random, s.pad + s.batch * c_size + s.pad, s.special);
  std::vector<T> c_before(s.pad + s.batch * c_size + s.pad);
  for (T& v : c_before) v = nan;
  std::vector<int64_t> a_offset, b_offset, c_offset;
  for (int64_t e = 0; e < s.batch; ++e) {
    a_offset.push_back(s.pad + e * a_size);
    b_offset.push_back(s.prepacked ? 0 : s.pad + e * b_size);
    c_offset.push_back(s.pad + (s.batch - 1 - e) * c_size);
    // What lies between the rows must never be used.
    for (int64_t i = 0; i + 1 < a_rows; ++i) std::fill_n(&a[a_offset[e] + i * lda + a_cols], s.pad, nan);
    if (e == 0 || !s.prepacked) {
      for (int64_t i = 0; i + 1 < b_rows; ++i) {
        std::fill_n(&b[s.pad + (s.prepacked ? 0 : e) * b_size + i * ldb + b_cols], s.pad, nan);
      }
    }
    if (s.accumulate) {
      for (int64_t i = 0; i < s.m; ++i) {
        for (int64_t j = 0; j < s.n; ++j)
          c_before[c_offset[e] + i * ldc + j] = random_values<T>(random, 1, s.special)[0];
      }
    }
  }
  std::vector<T> want[2];  // rounded twice, fused
  for (int fused = 0; fused < 2; ++fused) {
    for (int64_t e = 0; e < s.batch; ++e) {
      const T* be = &b[s.prepacked ? s.pad : b_offset[e]];
      for (int64_t i = 0; i < s.m; ++i) {
        for (int64_t j = 0; j < s.n; ++j) {
          const int64_t at = c_offset[e] + i * ldc + j;
          const T sum = canonical(s, fused == 1, &a[a_offset[e]], lda, be, ldb, c_before[at], bias[j], i, j);
          want[fused].push_back(!s.gated || gate[at] > 0 ? sum : T(0));
        }
      }
    }
  }
  for (const Isa& isa : isas()) {
    const std::string label = std::string(isa.name) + (sizeof(T) == 8 ? " float64 " : " float32 ") + s.text();
    GemmProblem problem = {s.m, s.n, s.k, s.trans_a, s.trans_b, lda, ldb, ldc, s.prepacked, s.batch};
    GemmArgs args;
    args.plan = isa.kernels->plan(dtype, problem, s.threads);
    std::unique_ptr<T[]> packed;
    if (s.prepacked) {
      const int64_t bytes = isa.kernels->pack_b_bytes(dtype, s.k, s.n);
      packed.reset(new T[bytes / sizeof(T)]);
      PackBArgs pack = {dtype, s.k, s.n, ldb, s.trans_b, &b[s.pad], packed.get()};
      for (int64_t u = isa.kernels->pack_b_units(dtype, s.k, s.n); u > 0; --u) isa.kernels->pack_b(&pack, u - 1, u);
    }
    // First each unit by itself, the last one first; then all in one call. Both must agree with the definition.
    for (int whole = 0; whole < 2; ++whole) {
      std::vector<T> c = c_before;
      std::vector<char> scratch(args.plan.scratch_bytes + 128, static_cast<char>(0xFF));
      char* aligned = scratch.data() + (64 - reinterpret_cast<uintptr_t>(scratch.data()) % 64) % 64;
      Watch<T> watch = {&s, c.data(), c_offset.data(), ldc, want[isa.fused].data(), {}};
      watch.seen.resize(s.batch * s.m * s.n);
      args.a = a.data();
      args.b = s.prepacked ? packed.get() : b.data();
      args.c = c.data();
      args.scratch = aligned;
      args.bias = s.use_bias ? bias.data() : nullptr;
      args.relu = s.relu;
      args.gate = s.gated ? gate.data() : nullptr;
      args.accumulate = s.accumulate;
      args.a_offset = a_offset.data();
      args.b_offset = b_offset.data();
      args.c_offset = c_offset.data();
      args.epilogue = Watch<T>::call;
      args.epilogue_context = &watch;
      if (whole) {
        if (args.plan.pack_units) isa.kernels->pack(&args, 0, args.plan.pack_units);
        isa.kernels->run(&args, 0, args.plan.units);
      } else {
        for (int64_t u = args.plan.pack_units; u > 0; --u) isa.kernels->pack(&args, u - 1, u);
        for (int64_t u = args.plan.units; u > 0; --u) isa.kernels->run(&args, u - 1, u);
      }
      int64_t wrong = 0, first_wrong = -1;
      std::vector<bool> inside(c.size());
      for (int64_t e = 0; e < s.batch; ++e) {
        for (int64_t flat = 0; flat < s.m * s.n; ++flat) {
          const int64_t at = c_offset[e] + flat / s.n * ldc + flat % s.n;
          inside[at] = true;
          if (same_value(c[at], want[isa.fused][e * s.m * s.n + flat])) continue;
          if (!wrong++) first_wrong = flat;
        }
      }
      bool outside = true;
      for (size_t at = 0; at < c.size(); ++at) outside &= inside[at] || check::same_bits(c[at], c_before[at]);
      const bool once = std::all_of(watch.seen.begin(), watch.seen.end(), [](int x) { return x == 1; });
      const bool scratch_kept = std::all_of(aligned + args.plan.scratch_bytes, scratch.data() + scratch.size(),
                                            [](char x) { return x == -1; });
      std::ostringstream fault;
      if (wrong) fault << wrong << " wrong elements, the first at " << first_wrong << "; ";
      if (!outside) fault << "wrote outside C; ";
      if (!once) fault << "epilogue not called once for each element; ";
      if (!watch.final_values) fault << "epilogue called before the value was final; ";
      if (!scratch_kept) fault << "wrote beyond scratch; ";
      CHECK_EQ(fault.str() + label, label);
    }
  }
}

void run_both(const Case& s, uint32_t seed) {
  run_case<float>(s, seed);
  run_case<double>(s, seed);
}

Case random_options(std::mt19937& random, int64_t m, int64_t n, int64_t k) {
  Case s = {m, n, k};
  s.trans_a = random() % 2;
  s.trans_b = random() % 2;
  s.accumulate = random() % 2;
  s.use_bias = random() % 2;
  s.relu = random() % 4 == 0;
  s.gated = random() % 4 == 0;
  s.prepacked = random() % 4 == 0;
  s.pad = random() % 2 ? random() % 5 : 0;
  s.threads = random() % 2 ? 1 : 2 + random() % 6;
  return s;
}

TEST(small_products_of_every_shape_and_option) {
  std::mt19937 random(1);
  for (int64_t m : {1, 2, 3, 5, 6, 7, 8, 13, 14, 15, 16, 17, 29}) {
    for (int64_t n : {1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 31, 32, 33, 63, 64, 65, 100}) {
      for (int64_t k : {1, 2, 3, 5, 8, 15, 16, 17, 33, 70}) {
        Case s = random_options(random, m, n, k);
        run_both(s, random());
      }
    }
  }
}

TEST(every_combination_of_options) {
  std::mt19937 random(2);
  for (int bits = 0; bits < 512; ++bits) {
    for (auto [m, n, k] :
         {Sizes{1, 70, 40}, {9, 37, 21}, {45, 1, 37}, {90, 12, 33}, {40, 3, 9}, {1, 1, 20}, {17, 130, 150}}) {
      Case s = {m, n, k};
      s.trans_a = bits & 1, s.trans_b = bits & 2, s.accumulate = bits & 4, s.use_bias = bits & 8;
      s.relu = bits & 16, s.prepacked = bits & 32, s.pad = bits & 64 ? 3 : 0, s.threads = bits & 128 ? 3 : 1;
      s.gated = bits & 256;
      run_both(s, random());
    }
  }
}

TEST(products_beyond_every_block) {
  std::mt19937 random(3);
  for (auto [m, n, k] : {Sizes{45, 830, 420},
                         {130, 420, 810},
                         {3, 1500, 900},
                         {300, 40, 1200},
                         {1, 2100, 700},
                         {2100, 1, 700},
                         {700, 10, 450},
                         {30, 33, 2000},
                         {1, 90, 3000},
                         {256, 256, 64}}) {
    for (int trans = 0; trans < 4; ++trans) {
      Case s = random_options(random, m, n, k);
      s.trans_a = trans & 1, s.trans_b = trans & 2;
      if (trans == 0) s.prepacked = false;
      run_both(s, random());
    }
  }
}

// Rows of A a multiple of 4 KiB apart, which the kernel packs: one block of columns, several, units, a batch.
TEST(rows_a_page_apart) {
  std::mt19937 random(7);
  for (auto [m, n, k] : {Sizes{30, 300, 1024}, {17, 40, 1024}, {3, 90, 2048}, {16, 800, 1024}}) {
    for (int trans = 0; trans < 4; ++trans) {
      Case s = random_options(random, m, n, k);
      s.trans_a = trans & 1, s.trans_b = trans & 2;
      if (s.trans_a) std::swap(s.m, s.k);
      s.pad = 0;
      s.batch = s.prepacked ? 1 : 1 + trans % 2;
      run_both(s, random());
    }
  }
}

TEST(batches) {
  std::mt19937 random(4);
  for (int64_t batch : {2, 3, 7, 40}) {
    for (auto [m, n, k] : {Sizes{4, 4, 4}, {33, 70, 130}, {1, 80, 50}, {20, 1, 19}, {1, 1, 1}, {50, 200, 9}}) {
      for (int trans = 0; trans < 4; ++trans) {
        Case s = random_options(random, m, n, k);
        s.trans_a = trans & 1, s.trans_b = trans & 2;
        s.batch = batch;
        run_both(s, random());
      }
    }
  }
}

TEST(special_values) {
  std::mt19937 random(5);
  for (int64_t m : {1, 4, 19}) {
    for (int64_t n : {1, 6, 50}) {
      for (int64_t k : {1, 3, 20, 65}) {
        for (int trans = 0; trans < 4; ++trans) {
          Case s = random_options(random, m, n, k);
          s.trans_a = trans & 1, s.trans_b = trans & 2;
          s.special = true;
          run_both(s, random());
        }
      }
    }
  }
}

// A chain can round to -0 by underflow. Lanes beyond k must not turn it to 0.
TEST(dot_keeps_a_negative_zero) {
  for (const Isa& isa : isas()) {
    if (!isa.fused) continue;  // rounded twice, the product alone is -0, and 0 + -0 is 0
    const int64_t k = 17;
    std::vector<float> a(k, 1e-30f), b(k, -1e-30f), c(1, 1.0f);
    const GemmProblem problem = {1, 1, k, false, false, k, 1, 1};
    GemmArgs args;
    args.plan = isa.kernels->plan(DType::float32, problem, 1);
    args.a = a.data(), args.b = b.data(), args.c = c.data();
    isa.kernels->run(&args, 0, args.plan.units);
    CHECK(c[0] == 0 && std::signbit(c[0]));
  }
}

// A row's result does not depend on the rows beside it.
TEST(a_row_does_not_depend_on_m) {
  std::mt19937 random(6);
  for (const Isa& isa : isas()) {
    for (auto [n, k] : {std::pair<int64_t, int64_t>{1, 130}, {10, 64}, {64, 700}, {500, 500}}) {
      const std::vector<float> a = random_values<float>(random, 60 * k, false),
                               b = random_values<float>(random, k * n, false);
      std::vector<float> first;
      for (int64_t m : {1, 2, 7, 20, 60}) {
        const GemmProblem problem = {m, n, k, false, false, k, n, n};
        GemmArgs args;
        args.plan = isa.kernels->plan(DType::float32, problem, m > 10 ? 2 : 1);
        std::vector<float> c(m * n);
        std::vector<float> scratch(args.plan.scratch_bytes / 4 + 16);
        args.a = a.data(), args.b = b.data(), args.c = c.data();
        args.scratch = scratch.data() + (64 - reinterpret_cast<uintptr_t>(scratch.data()) % 64) % 64 / 4;
        isa.kernels->pack(&args, 0, args.plan.pack_units);
        isa.kernels->run(&args, 0, args.plan.units);
        if (m == 1) first = c;
        CHECK(std::equal(first.begin(), first.end(), c.begin()));
      }
    }
  }
}

// Work is cut into units that a pool can share out, and scratch does not grow with the batch.
TEST(plans_are_sane) {
  for (const Isa& isa : isas()) {
    const GemmPlan large = isa.kernels->plan(DType::float32, {1024, 1024, 1024, false, false, 1024, 1024, 1024}, 4);
    CHECK(large.units >= 4);
    CHECK(large.units * large.unit_flops >= int64_t{2} << 30);
    const GemmPlan tiny = isa.kernels->plan(DType::float32, {100, 5, 2, false, false, 2, 5, 5}, 4);
    CHECK_EQ(tiny.units, 1);
    CHECK_EQ(tiny.scratch_bytes, 0);
    GemmProblem many = {256, 256, 64, false, true, 64, 64, 256};
    many.batch = 1000;
    CHECK(isa.kernels->plan(DType::float32, many, 4).scratch_bytes <= 16 << 20);
  }
}

}  // namespace
