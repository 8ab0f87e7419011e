// Nanoseconds of one call through the C API: the first, and the distribution of many.
//
//   c_api_bench MODEL.falconet [rows] [calls]
//
// For a model of float32 inputs and outputs. Compile it against the installed library:
//
//   c++ -O2 -std=c++17 bench/cpp/c_api_bench.cpp $(pkg-config --cflags --libs falconet)
#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <vector>

#include "falconet/falconet.hpp"

namespace {

using Clock = std::chrono::steady_clock;

double nanoseconds(Clock::time_point from, Clock::time_point to) {
  return std::chrono::duration<double, std::nano>(to - from).count();
}

double share(const std::vector<double>& sorted, double q) {
  return sorted[static_cast<size_t>(q * static_cast<double>(sorted.size() - 1))];
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2) return std::printf("c_api_bench MODEL.falconet [rows] [calls]\n"), 2;
  const int64_t rows = argc > 2 ? std::atoll(argv[2]) : 1;
  const size_t calls = argc > 3 ? static_cast<size_t>(std::atoll(argv[3])) : 1'000'000;
  falconet::PredictorOptions options;
  options.threads = 1;
  options.batch_sizes = {&rows, 1};
  falconet::Predictor model(argv[1], options);
  std::vector<float> x(model.input(0).elements(rows)), y(model.output(0).elements(rows));
  for (size_t i = 0; i < x.size(); ++i) x[i] = std::sin(static_cast<float>(i));
  const auto timed = [&] {
    const Clock::time_point from = Clock::now();
    model.run(rows, x, y);
    return nanoseconds(from, Clock::now());
  };
  const double first = timed();
  std::vector<double> times(calls), clock(calls);
  for (double& t : times) t = timed();
  for (double& t : clock) {
    const Clock::time_point from = Clock::now();
    t = nanoseconds(from, Clock::now());
  }
  std::sort(times.begin(), times.end());
  std::sort(clock.begin(), clock.end());
  // Without the clock: many calls between two readings.
  const Clock::time_point from = Clock::now();
  for (size_t i = 0; i < calls; ++i) model.run(rows, x, y);
  const double mean = nanoseconds(from, Clock::now()) / static_cast<double>(calls);
  std::printf("%s, %lld rows, %zu calls, %s; nanoseconds, of which reading the clock %.0f\n", argv[1],
              static_cast<long long>(rows), calls, falconet_isa(), share(clock, 0.5));
  std::printf("mean %.0f   first %.0f   p50 %.0f   p99 %.0f   p99.9 %.0f   largest %.0f\n", mean, first, share(times, 0.5),
              share(times, 0.99), share(times, 0.999), times.back());
}
