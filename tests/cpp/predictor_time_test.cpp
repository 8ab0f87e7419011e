// What the time of a run may not depend on: whether it is the first one, and what was predicted. Each is judged by the
// best of several tries, so that what else the machine does makes a test longer, not wrong.
#include <algorithm>
#include <chrono>
#include <limits>
#include <memory>

#include "check.h"
#include "serve/predictor.h"
#include "serve_models.h"

using namespace falconet;

#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)

TEST(no_times_under_sanitizers) { std::cout << "  skipped\n"; }

#else

namespace {

using Clock = std::chrono::steady_clock;

struct Timed {
  Predictor p;
  std::vector<float> x, y;
  int64_t rows;
  Timed(Model model, int64_t rows_) : p(std::move(model), {1, {rows_}, true}), rows(rows_) {
    x = serve_models::inputs(p.inputs()[0].spec.at(rows).size(), 1);
    y.resize(p.outputs()[0].spec.at(rows).size());
  }
  double run(int times = 1) {
    const void* in = x.data();
    void* out = y.data();
    const auto from = Clock::now();
    for (int i = 0; i < times; ++i) p.run(rows, &in, &out);
    return std::chrono::duration<double, std::nano>(Clock::now() - from).count() / times;
  }
  double median(int calls = 201) {
    std::vector<double> times(static_cast<size_t>(calls));
    for (double& t : times) t = run();
    std::nth_element(times.begin(), times.begin() + calls / 2, times.end());
    return times[static_cast<size_t>(calls / 2)];
  }
};

// Weights and inputs all of one number; NaN leaves them as they are.
Model filled(const std::vector<int64_t>& widths, float value) {
  Model m = serve_models::mlp(widths, 1);
  for (ModelVariable& v : m.variables) {
    float* w = reinterpret_cast<float*>(v.value.data());
    if (value == value) std::fill(w, w + v.spec.size(), value);
  }
  return m;
}

}  // namespace

TEST(the_first_run_takes_no_longer_than_three_later_ones) {
  for (const std::vector<int64_t>& widths : {std::vector<int64_t>{32, 64, 64, 1}, {784, 512, 512, 10}}) {
    double best = 1e9;
    for (int i = 0; i < 9; ++i) {
      Timed model(serve_models::mlp(widths, 1), 1);
      const double first = model.run();
      best = std::min(best, first / model.median());
    }
    std::cout << "  " << widths[0] << " inputs: the first run took " << best << " times the median\n";
    CHECK(best <= 3);
  }
}

TEST(time_does_not_depend_on_the_data) {
  constexpr float kNan = std::numeric_limits<float>::quiet_NaN(), kInfinity = std::numeric_limits<float>::infinity();
  struct Kind {
    const char* name;
    float input, weight;  // of every element; a weight of NaN: as they are
  };
  const Kind kinds[] = {{"zeros", 0, kNan},
                        {"infinities", kInfinity, kNan},
                        {"not numbers", kNan, kNan},
                        {"denormal inputs", 1e-41f, kNan},
                        {"denormal inputs and weights", 1e-41f, 1e-41f}};
  for (const auto& [widths, rows] :
       {std::pair<std::vector<int64_t>, int64_t>{{32, 64, 64, 1}, 1}, {{128, 256, 64}, 64}}) {
    Timed ordinary(serve_models::mlp(widths, 1), rows);
    for (const Kind& kind : kinds) {
      Timed other(filled(widths, kind.weight), rows);
      std::fill(other.x.begin(), other.x.end(), kind.input);
      double fast = 1e18, slow = 1e18;
      for (int turn = 0; turn < 40; ++turn) {
        fast = std::min(fast, ordinary.run(20));
        slow = std::min(slow, other.run(20));
      }
      std::cout << "  " << kind.name << ", " << rows << " rows: " << slow / fast << " times as long\n";
      CHECK(slow <= 1.2 * fast);
    }
  }
}

#endif
