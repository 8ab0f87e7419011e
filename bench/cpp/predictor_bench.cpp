// Times of Predictor::run in C++: the first call after loading, the distribution of later ones, what a pause and what
// the data do to them.
//
//   predictor_bench [calls]
//
// Built against the library and the tests' models:
//   c++ -std=c++20 -O2 -Icpp -Itests/cpp bench/cpp/predictor_bench.cpp libfalconet_core.a -lpthread
// The distribution is only as quiet as the core it runs on.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <limits>
#include <thread>

#include "serve/predictor.h"
#include "serve_models.h"

using namespace falconet;
using Clock = std::chrono::steady_clock;

namespace {

double nanoseconds(Clock::time_point from, Clock::time_point to) {
  return std::chrono::duration<double, std::nano>(to - from).count();
}

struct Runner {
  Predictor p;
  std::vector<float> x, y;
  int64_t rows;
  Runner(Model model, int64_t rows_) : p(std::move(model), {1, {rows_}, true}), rows(rows_) {
    x = serve_models::inputs(p.inputs()[0].spec.at(rows).size(), 1);
    y.resize(p.outputs()[0].spec.at(rows).size());
  }
  double run() {
    const void* in = x.data();
    void* out = y.data();
    const auto from = Clock::now();
    p.run(rows, &in, &out);
    return nanoseconds(from, Clock::now());
  }
  double median(int calls) {
    std::vector<double> times(calls);
    for (double& t : times) t = run();
    std::nth_element(times.begin(), times.begin() + calls / 2, times.end());
    return times[calls / 2];
  }
};

void distribution(const std::vector<int64_t>& widths, int64_t rows, int calls) {
  Runner r(serve_models::mlp(widths, 1), rows);
  const double first = r.run();
  std::vector<double> times(calls);
  for (double& t : times) t = r.run();
  std::sort(times.begin(), times.end());
  const auto at = [&](double share) { return times[static_cast<size_t>(share * (calls - 1))]; };
  std::printf("%lld-...-%lld, %lld rows: first %.0f ns, p50 %.0f, p99 %.0f, p99.9 %.0f (%.2f x p50), max %.0f\n",
              static_cast<long long>(widths.front()), static_cast<long long>(widths.back()),
              static_cast<long long>(rows), first, at(0.5), at(0.99), at(0.999), at(0.999) / at(0.5), times.back());
}

// What a pause costs, in which caches may become somebody else's: calls a second apart beside those without a pause.
void spaced(const std::vector<int64_t>& widths, int calls) {
  Runner r(serve_models::mlp(widths, 1), 1);
  const double usual = r.median(2000);
  std::vector<double> times(static_cast<size_t>(calls));
  for (double& t : times) {
    std::this_thread::sleep_for(std::chrono::seconds(1));
    t = r.run();
  }
  std::sort(times.begin(), times.end());
  std::printf("%lld-...-%lld, a second apart: median %.1f us over the usual %.1f us; least %.1f, most %.1f\n",
              static_cast<long long>(widths.front()), static_cast<long long>(widths.back()),
              (times[times.size() / 2] - usual) / 1000, usual / 1000, (times.front() - usual) / 1000,
              (times.back() - usual) / 1000);
}

// Medians in turns, as ratios to ordinary data.
void data_kinds(const std::vector<int64_t>& widths, int64_t rows) {
  constexpr float kDenormal = 1e-41f, kOrdinary = -1;
  struct Kind {
    const char* name;
    float input, weight;  // every number; kOrdinary: as they are
  };
  const Kind kinds[] = {{"ordinary", kOrdinary, kOrdinary},
                        {"zeros", 0, kOrdinary},
                        {"infinities", std::numeric_limits<float>::infinity(), kOrdinary},
                        {"NaN", std::numeric_limits<float>::quiet_NaN(), kOrdinary},
                        {"denormal inputs", kDenormal, kOrdinary},
                        {"denormal inputs and weights", kDenormal, kDenormal}};
  std::vector<std::unique_ptr<Runner>> runners;
  for (const Kind& k : kinds) {
    Model m = serve_models::mlp(widths, 1);
    for (ModelVariable& v : m.variables) {
      float* w = reinterpret_cast<float*>(v.value.data());
      if (k.weight != kOrdinary) std::fill(w, w + v.spec.size(), k.weight);
    }
    runners.push_back(std::make_unique<Runner>(std::move(m), rows));
    if (k.input != kOrdinary) std::fill(runners.back()->x.begin(), runners.back()->x.end(), k.input);
  }
  std::vector<std::vector<double>> medians(runners.size());
  for (int turn = 0; turn < 9; ++turn) {
    for (size_t i = 0; i < runners.size(); ++i) medians[i].push_back(runners[i]->median(2000));
  }
  for (auto& m : medians) std::sort(m.begin(), m.end());
  for (size_t i = 0; i < runners.size(); ++i) {
    std::printf("  %-28s %8.0f ns  %.2f x\n", kinds[i].name, medians[i][4], medians[i][4] / medians[0][4]);
  }
}

}  // namespace

int main(int argc, char** argv) {
  const int calls = argc > 1 ? std::max(10, std::atoi(argv[1])) : 200'000;
  distribution({4, 64, 64, 1}, 1, calls);
  distribution({32, 64, 64, 1}, 1, calls);
  distribution({784, 512, 512, 10}, 1, calls / 20);
  spaced({32, 64, 64, 1}, 9);
  spaced({128, 256, 64}, 9);
  data_kinds({32, 64, 64, 1}, 1);
  data_kinds({128, 256, 64}, 64);
}
