// The predictor: same bits whatever runs beside, weights swapped whole, nothing allocated, no lock, no system call.
#include "serve/predictor.h"

#include <atomic>
#include <chrono>
#include <cstdlib>
#include <new>
#include <thread>

#include "base/thread_pool.h"
#include "check.h"
#include "serve_models.h"

#if !defined(_WIN32)
#include <sys/wait.h>
#include <unistd.h>
#endif

using namespace falconet;
using namespace serve_models;

#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
constexpr bool kSanitized = true;
#else
constexpr bool kSanitized = false;
#endif

static std::vector<float> predict(Predictor& p, int64_t rows, const float* x) {
  std::vector<float> y(static_cast<size_t>(p.outputs()[0].spec.at(rows).size()));
  const void* in = x;
  void* out = y.data();
  p.run(rows, &in, &out);
  return y;
}

// The rules of a dense layer by hand, in the canonical order of docs/numerics.md.
static std::vector<float> by_hand(const Model& m, const float* x, int64_t width) {
  std::vector<float> row(x, x + width);
  for (size_t v = 0; v < m.variables.size(); v += 2) {
    const int64_t k = m.variables[v].spec.shape[0], n = m.variables[v].spec.shape[1];
    const float* w = reinterpret_cast<const float*>(m.variables[v].value.data());
    const float* b = reinterpret_cast<const float*>(m.variables[v + 1].value.data());
    std::vector<float> next(n);
    for (int64_t j = 0; j < n; ++j) {
      double sum = b[j];
      for (int64_t i = 0; i < k; ++i) sum += static_cast<double>(row[i]) * w[i * n + j];
      next[j] = static_cast<float>(v + 2 < m.variables.size() ? std::max(sum, 0.0) : sum);
    }
    row = next;
  }
  return row;
}

TEST(a_row_has_the_same_bits_in_every_batch) {
  for (const std::vector<int64_t>& widths : {std::vector<int64_t>{32, 64, 64, 1}, {50, 130, 70, 10}}) {
    Predictor p(mlp(widths, 1));
    const int64_t width = widths[0], most = kSanitized ? 40 : 257;
    const std::vector<float> x = inputs(most * width, 2);
    std::vector<float> alone;
    for (int64_t i = 0; i < most; ++i) {
      for (const float v : predict(p, 1, &x[i * width])) alone.push_back(v);
    }
    const std::vector<float> reference = by_hand(mlp(widths, 1), x.data(), width);
    for (size_t j = 0; j < reference.size(); ++j) CHECK_CLOSE(alone[j], reference[j], 1e-4);
    const size_t out = reference.size();
    int64_t wrong = 0;
    for (int64_t rows = 1; rows <= most; ++rows) {
      const std::vector<float> y = predict(p, rows, &x[(most - rows) * width]);
      wrong += std::memcmp(y.data(), &alone[(most - rows) * out], y.size() * sizeof(float)) != 0;
    }
    CHECK_EQ(wrong, 0);
  }
}

TEST(threads_and_packing_change_no_bit) {
  const std::vector<int64_t> widths = {200, 700, 650, 40};
  const std::vector<float> x = inputs(64 * 200, 3);
  const int before = pool::num_threads();
  std::vector<float> first;
  for (const int threads : {1, 2, 7}) {
    pool::set_num_threads(threads);
    for (const int most : {0, 1, 2}) {
      Predictor p(mlp(widths, 4), {most, {1, 64}, true});
      CHECK(p.memory().packed > 0);
      const std::vector<float> y = predict(p, 64, x.data());
      if (first.empty()) {
        for (int64_t i = 0; i < 64; ++i) {  // one row: the raw matrix
          for (const float v : predict(p, 1, &x[i * 200])) first.push_back(v);
        }
      }
      CHECK_EQ(std::memcmp(y.data(), first.data(), y.size() * sizeof(float)), 0);
    }
  }
  pool::set_num_threads(before);
}

TEST(weights_are_swapped_whole_while_others_predict) {
  const std::vector<int64_t> widths = {16, 48, 48, 4};
  const Model a = mlp(widths, 5), b = mlp(widths, 6);
  Predictor p(mlp(widths, 5), {1, {1, 40}, true}), other(mlp(widths, 6), {1, {1, 40}, true});
  const std::vector<float> x = inputs(40 * 16, 7);
  const std::vector<float> one_a = predict(p, 1, x.data()), many_a = predict(p, 40, x.data());
  const std::vector<float> one_b = predict(other, 1, x.data()), many_b = predict(other, 40, x.data());
  CHECK(one_a != one_b);
  std::atomic<int64_t> wrong{0}, seen_a{0}, seen_b{0};
  std::atomic<bool> done{false};
  std::vector<std::thread> threads;
  for (int t = 0; t < 8; ++t) {
    threads.emplace_back([&, t] {
      while (!done.load()) {
        const bool many = t % 2 == 1;
        const std::vector<float> y = predict(p, many ? 40 : 1, x.data());
        if (y == (many ? many_a : one_a)) {
          ++seen_a;
        } else if (y == (many ? many_b : one_b)) {
          ++seen_b;
        } else {
          ++wrong;
        }
      }
    });
  }
  // At least 10 000 swaps, and on a busy machine until the predicting threads have had their turn at both models.
  for (int i = 0; i < 10'000 || (i < 1'000'000 && (i % 2 == 1 || seen_a == 0 || seen_b == 0)); ++i) {
    std::vector<Array> weights;
    for (const ModelVariable& v : (i % 2 ? a : b).variables) weights.push_back(serve::copy_of(v.spec, v.value.data()));
    p.update(std::move(weights));
  }
  done = true;
  for (std::thread& t : threads) t.join();
  CHECK_EQ(wrong.load(), 0);
  CHECK(seen_a > 0);
  CHECK(seen_b > 0);
  CHECK(predict(p, 1, x.data()) == one_a);
  CHECK(p.memory().contexts <= 12);  // nine at work at once, and a few for those who looked while others came and went
}

TEST(weights_that_do_not_fit_are_refused) {
  Predictor p(mlp({4, 8, 2}, 1));
  std::vector<Array> weights = p.weights();
  weights.pop_back();
  CHECK_THROWS(ValueError, "[update] got 3 weights; the model has 4", p.update(weights));
  weights.push_back(Array::allocate({DType::float32, {3}}));
  CHECK_THROWS(ValueError, "weight \"dense_1/bias\" came as float32(3,); it must be float32(2,)", p.update(weights));
}

TEST(a_state_is_carried_reset_and_copied) {
  Predictor p(running_total(2));
  const std::vector<float> x = {1, 2, 3, 4};
  CHECK(predict(p, 1, x.data()) == std::vector<float>({1, 2}));  // preparing left no trace
  CHECK(predict(p, 2, x.data()) == std::vector<float>({5, 8, 5, 8}));
  const std::unique_ptr<Predictor> copy = p.copy();
  p.reset();
  CHECK(predict(p, 1, x.data()) == std::vector<float>({1, 2}));
  CHECK(predict(*copy, 1, x.data()) == std::vector<float>({6, 10}));
  const std::vector<Array> kept = copy->state();
  predict(*copy, 1, x.data());
  copy->set_state(kept);
  CHECK(predict(*copy, 1, x.data()) == std::vector<float>({7, 12}));
  CHECK_EQ(p.state_names()[0], "total");
  CHECK_THROWS(ValueError, "[state] got 0 arrays; the state has 1", p.set_state({}));
  CHECK_THROWS(ValueError, "variable \"total\" came as", p.set_state({Array::allocate({DType::float32, {3}})}));
}

TEST(runs_with_a_state_take_turns) {
  Predictor p(running_total(1));
  std::vector<std::thread> threads;
  const float one = 1;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < 2000; ++i) predict(p, 1, &one);
    });
  }
  for (std::thread& t : threads) t.join();
  CHECK(predict(p, 1, &one) == std::vector<float>{8001});
  CHECK_EQ(p.memory().contexts, 1);
}

TEST(a_test_vector_that_does_not_hold_is_refused) {
  Model m = mlp({4, 8, 2}, 1);
  TestVector& test = m.signatures["predict"].test;
  test.rows = 1;
  std::mt19937 random(3);
  test.inputs = {random_array({DType::float32, {1, 4}}, random, 1)};
  test.outputs = {random_array({DType::float32, {1, 2}}, random, 1)};
  CHECK_THROWS(ValueError, "stored test vector", Predictor(std::move(m)));
}

TEST(options_that_make_no_sense_are_refused) {
  CHECK_THROWS(ValueError, "`threads` is -1", Predictor(mlp({4, 2}, 1), {-1, {1}, true}));
  CHECK_THROWS(ValueError, "`batch_sizes` has 0", Predictor(mlp({4, 2}, 1), {0, {1, 0}, true}));
}

TEST(memory_is_counted_and_given_back) {
  Predictor p(mlp({32, 64, 64, 1}, 1), {1, {1, 100}, true});
  const Predictor::Memory m = p.memory();
  CHECK_EQ(m.weights, 4 * (32 * 64 + 64 + 64 * 64 + 64 + 64 + 1));
  CHECK_EQ(m.contexts, 1);
  CHECK_EQ(m.plans, 2);
  CHECK(m.arenas > 0);
  p.release();
  CHECK_EQ(p.memory().plans, 0);
  CHECK_EQ(p.memory().arenas, 0);
  const std::vector<float> x = inputs(32, 1);
  CHECK_EQ(predict(p, 1, x.data()).size(), 1u);
}

#if !defined(_WIN32)
TEST(children_predict_the_same_while_the_parent_is_at_work) {
  if (kSanitized) return;  // sanitizers run threads of their own
  Predictor p(mlp({32, 300, 300, 1}, 1)), total(running_total(1));
  const std::vector<float> x = inputs(32 * 64, 8);
  const std::vector<float> expected = predict(p, 64, x.data());
  std::atomic<bool> done{false};
  std::vector<std::thread> threads;
  const float one = 1;
  for (int t = 0; t < 2; ++t) {
    threads.emplace_back([&] {
      while (!done.load()) {
        predict(p, 64, x.data());
        predict(total, 1, &one);
      }
    });
  }
  int failed = 0;
  for (int i = 0; i < 200; ++i) {
    const pid_t child = fork();
    if (child == 0) {
      alarm(20);
      bool same = predict(p, 64, x.data()) == expected;
      total.reset();
      same &= predict(total, 1, &one) == std::vector<float>{1};
      p.update(p.weights());
      same &= predict(p, 64, x.data()) == expected;
      _exit(same ? 0 : 1);
    }
    int status = 0;
    waitpid(child, &status, 0);
    failed += !WIFEXITED(status) || WEXITSTATUS(status) != 0;
  }
  done = true;
  for (std::thread& t : threads) t.join();
  CHECK_EQ(failed, 0);
}
#endif
