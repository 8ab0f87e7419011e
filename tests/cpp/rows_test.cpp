// Row kernels: every ISA against float64 formulas; bits must not depend on the rows around or on how units are shared.
#include "kernels/rows.h"

#include <cfloat>
#include <limits>

#include "check.h"
#include "kernel_fixtures.h"
#include "kernels/kernels.h"

using namespace falconet;
using namespace fixtures;

namespace {

constexpr double kInf = std::numeric_limits<double>::infinity();
constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
const int64_t kWidths[] = {1, 2, 5, 10, 15, 16, 17, 31, 32, 33, 64, 100, 511, 513, 1000, 4097, 9001};

template <class T>
inline constexpr int kLane = static_cast<int>(std::is_same_v<T, float> ? Lane::f32 : Lane::f64);
template <class T>
constexpr double unit_roundoff() {
  return sizeof(T) == 4 ? 0x1p-24 : 0x1p-53;
}

using Row = std::vector<double>;

double max_of(const Row& x) {
  double m = -kInf;
  for (double v : x) m = v > m || v != v ? v : m;
  return m;
}
double exp_sum(const Row& x) {
  const double m = max_of(x);
  double s = 0;
  for (double v : x) s += std::exp(v - m);
  return s;
}
Row softmax_of(const Row& x) {
  const double m = max_of(x), sum = exp_sum(x);
  Row y;
  for (double v : x) y.push_back(std::exp(v - m) / sum);
  return y;
}
Row log_softmax_of(const Row& x) {
  const double m = max_of(x), log_sum = std::log(exp_sum(x));
  Row y;
  for (double v : x) y.push_back(v - m - log_sum);
  return y;
}
template <class T>
Row row_of(const std::vector<T>& x, int64_t r, int64_t width) {
  return Row(x.begin() + r * width, x.begin() + (r + 1) * width);
}

// A sum of `width` rounded terms: 128 + log2(blocks) + log2(lanes) additions at most, and a handful of roundings
// before.
template <class T>
double sum_error() {
  return 150 * unit_roundoff<T>();
}
// exp(x - m) with x - m rounded: |x - m| half-ulps, 4 for exp itself.
template <class T>
double exp_error(double spread) {
  return (spread + 4) * unit_roundoff<T>();
}

template <class F>
void for_types_and_isas(const F& f) {
  for (const Kernels* k : available_kernels()) {
    f(*k, float{});
    f(*k, double{});
  }
}

}  // namespace

TEST(softmax_family) {
  for_types_and_isas([](const Kernels& k, auto type) {
    using T = decltype(type);
    Random random(1);
    for (const int64_t width : kWidths) {
      const int64_t rows = 3;
      const double spread = 20;
      const std::vector<T> x = random.values<T>(rows * width, -spread / 2, spread / 2);
      Guarded<T> y(x), ly(rows * width), lse(rows), again(rows * width);
      SoftmaxArgs a;
      a.width = width;
      a.x = y.data();  // in place
      a.y = y.data();
      run_units(k.rows.softmax[kLane<T>], &a, rows, Split::units_backwards);
      a.x = x.data();
      a.y = again.data();
      run_units(k.rows.softmax[kLane<T>], &a, rows, Split::all);
      a.y = ly.data();
      run_units(k.rows.log_softmax[kLane<T>], &a, rows, Split::all);
      a.y = lse.data();
      run_units(k.rows.logsumexp[kLane<T>], &a, rows, Split::all);
      CHECK(y.intact() && ly.intact() && lse.intact() && again.intact());
      CHECK(y.values() == again.values());
      const double tolerance = exp_error<T>(spread) + sum_error<T>();
      for (int64_t r = 0; r < rows; ++r) {
        const Row row = row_of(x, r, width), want = softmax_of(row), log_want = log_softmax_of(row);
        for (int64_t i = 0; i < width; ++i) {
          const auto at = static_cast<size_t>(r * width + i), j = static_cast<size_t>(i);
          CHECK_CLOSE(y[at], want[j], 2 * tolerance * want[j]);
          CHECK_CLOSE(ly[at], log_want[j], 2 * tolerance * (1 + std::fabs(log_want[j])));
        }
        const double value = max_of(row) + std::log(exp_sum(row));
        CHECK_CLOSE(lse[static_cast<size_t>(r)], value, 2 * tolerance * (1 + std::fabs(value)));
      }
    }
  });
}

TEST(softmax_of_special_rows) {
  for_types_and_isas([](const Kernels& k, auto type) {
    using T = decltype(type);
    const T big = std::numeric_limits<T>::max();
    for (const int64_t width : {3, 40, 600}) {
      const auto run = [&](TaskFn f, T second, T others, size_t at) {  // element `at` of the result
        std::vector<T> x(static_cast<size_t>(width), others), y(x.size());
        x[1] = second;
        SoftmaxArgs a;
        a.width = width;
        a.x = x.data();
        a.y = y.data();
        f(&a, 0, 1);
        return y[at];
      };
      const TaskFn softmax = k.rows.softmax[kLane<T>], lse = k.rows.logsumexp[kLane<T>];
      const T inf = static_cast<T>(kInf), nan = static_cast<T>(kNan);
      CHECK_EQ(run(softmax, 0, -inf, 1), 1);
      CHECK_EQ(run(softmax, 0, -inf, 0), 0);
      CHECK_EQ(run(softmax, big, -big, 1), 1);
      CHECK_CLOSE(run(softmax, -big, -big, 2), 1.0 / static_cast<double>(width), 4 * unit_roundoff<T>());
      CHECK(std::isnan(run(softmax, nan, 0, 0)));
      CHECK(std::isnan(run(softmax, 0, nan, 1)));
      CHECK(std::isnan(run(softmax, -inf, -inf, 0)));
      CHECK_EQ(run(lse, -inf, -inf, 0), -kInf);
      CHECK_EQ(run(lse, inf, 0, 0), kInf);
      CHECK_EQ(run(lse, inf, -inf, 0), kInf);
      CHECK(std::isnan(run(lse, nan, 0, 0)));
      CHECK_EQ(run(lse, 7, -inf, 0), 7);
    }
  });
}

TEST(softmax_gradients) {
  for_types_and_isas([](const Kernels& k, auto type) {
    using T = decltype(type);
    Random random(2);
    for (const int64_t width : kWidths) {
      const int64_t rows = 2;
      const std::vector<T> x = random.values<T>(rows * width, -3, 3), dy = random.values<T>(rows * width, -1, 1);
      for (const bool logs : {false, true}) {
        std::vector<T> y(x.size());
        for (int64_t r = 0; r < rows; ++r) {
          const Row row = row_of(x, r, width), f = logs ? log_softmax_of(row) : softmax_of(row);
          for (int64_t i = 0; i < width; ++i)
            y[static_cast<size_t>(r * width + i)] = static_cast<T>(f[static_cast<size_t>(i)]);
        }
        Guarded<T> dx(dy);
        SoftmaxGradArgs a;
        a.width = width;
        a.y = y.data();
        a.dy = a.dx = dx.data();
        run_units((logs ? k.rows.log_softmax_grad : k.rows.softmax_grad)[kLane<T>], &a, rows, Split::units_backwards);
        CHECK(dx.intact());
        for (int64_t r = 0; r < rows; ++r) {
          double sum = 0, size = 0;
          for (int64_t i = 0; i < width; ++i) {
            const auto at = static_cast<size_t>(r * width + i);
            sum += logs ? dy[at] : double{dy[at]} * y[at];
            size += std::fabs(logs ? dy[at] : double{dy[at]} * y[at]);
          }
          for (int64_t i = 0; i < width; ++i) {
            const auto at = static_cast<size_t>(r * width + i);
            const double p = logs ? std::exp(double{y[at]}) : double{y[at]};
            const double want = logs ? dy[at] - p * sum : p * (dy[at] - sum);
            CHECK_CLOSE(dx[at], want, (sum_error<T>() * size + 16 * unit_roundoff<T>()) * (1 + p));
          }
        }
      }
    }
  });
}

TEST(cross_entropy_with_labels) {
  for_types_and_isas([](const Kernels& k, auto type) {
    using T = decltype(type);
    Random random(3);
    for (const int64_t width : kWidths) {
      const int64_t rows = 6;
      const std::vector<T> x = random.values<T>(rows * width, -8, 8), scale = random.values<T>(rows, 0, 2);
      std::vector<int64_t> labels;
      for (int64_t r = 0; r < rows; ++r) labels.push_back(random.below(width));
      labels[2] = width;  // out of range
      labels[3] = -100;   // the ignored class
      labels[4] = -1;
      const std::vector<int32_t> narrow(labels.begin(), labels.end());
      Guarded<T> loss(rows), stats(2 * rows), dx(x), fresh(rows * width);
      CrossEntropyArgs a;
      a.width = width;
      a.x = x.data();
      a.labels = labels.data();
      a.labels64 = true;
      a.has_ignore = true;
      a.ignore_class = -100;
      a.loss = loss.data();
      a.stats = stats.data();
      a.scale = scale.data();
      run_units(k.rows.label_loss[kLane<T>], &a, rows, Split::units_backwards);
      a.x = a.dx = dx.data();
      run_units(k.rows.label_loss_grad[kLane<T>], &a, rows, Split::units_backwards);
      a.x = x.data();
      a.dx = fresh.data();
      a.stats = nullptr;
      a.labels = narrow.data();
      a.labels64 = false;
      run_units(k.rows.label_loss_grad[kLane<T>], &a, rows, Split::all);
      CHECK(loss.intact() && stats.intact() && dx.intact() && fresh.intact());
      const double tolerance = 4 * (exp_error<T>(16) + sum_error<T>());
      for (int64_t r = 0; r < rows; ++r) {
        const Row p = softmax_of(row_of(x, r, width)), logs = log_softmax_of(row_of(x, r, width));
        const int64_t label = labels[static_cast<size_t>(r)];
        const bool bad = label < 0 || label >= width;
        const double want = label == -100 ? 0 : bad ? kNan : -logs[static_cast<size_t>(label)];
        CHECK_CLOSE(loss[static_cast<size_t>(r)], want, tolerance * (1 + std::fabs(want)));
        for (int64_t i = 0; i < width; ++i) {
          const auto at = static_cast<size_t>(r * width + i);
          const double d = (p[static_cast<size_t>(i)] - (i == label)) * scale[static_cast<size_t>(r)];
          CHECK_CLOSE(dx[at], label == -100 ? 0 : bad ? kNan : d, tolerance);
          CHECK(check::close(dx[at], fresh[at], 0));
        }
      }
    }
  });
}

TEST(cross_entropy_with_dense_targets) {
  for_types_and_isas([](const Kernels& k, auto type) {
    using T = decltype(type);
    Random random(4);
    for (const int64_t width : kWidths) {
      const int64_t rows = 3;
      std::vector<T> x = random.values<T>(rows * width, -8, 8), t = random.values<T>(rows * width, 0, 1);
      x[0] = -std::numeric_limits<T>::infinity();  // a class ruled out, with no weight on it
      t[0] = 0;
      if (width == 1) x[0] = 0;
      const T scale = T{0.5};
      Guarded<T> loss(rows), stats(2 * rows), dx(t);
      CrossEntropyArgs a;
      a.width = width;
      a.x = x.data();
      a.targets = t.data();
      a.loss = loss.data();
      a.stats = stats.data();
      a.scale = &scale;
      a.scale_step = 0;
      run_units(k.rows.dense_loss[kLane<T>], &a, rows, Split::units_backwards);
      a.targets = a.dx = dx.data();
      run_units(k.rows.dense_loss_grad[kLane<T>], &a, rows, Split::units_backwards);
      CHECK(loss.intact() && stats.intact() && dx.intact());
      const double tolerance = 4 * (exp_error<T>(16) + sum_error<T>());
      for (int64_t r = 0; r < rows; ++r) {
        const Row p = softmax_of(row_of(x, r, width)), logs = log_softmax_of(row_of(x, r, width));
        double want = 0, total = 0;
        for (int64_t i = 0; i < width; ++i) {
          const auto at = static_cast<size_t>(r * width + i);
          if (t[at] != 0) want -= double{t[at]} * logs[static_cast<size_t>(i)];
          total += t[at];
        }
        CHECK_CLOSE(loss[static_cast<size_t>(r)], want, tolerance * (1 + want));
        for (int64_t i = 0; i < width; ++i) {
          const auto at = static_cast<size_t>(r * width + i);
          CHECK_CLOSE(dx[at], (p[static_cast<size_t>(i)] * total - t[at]) * scale, tolerance);
        }
      }
    }
  });
}

TEST(layer_norm_forward_and_backward) {
  for_types_and_isas([](const Kernels& k, auto type) {
    using T = decltype(type);
    Random random(5);
    for (const int64_t width : {1, 3, 16, 33, 64, 600}) {
      for (const int64_t rows : {1, 5, 300}) {
        for (const int kind : {0, 1, 2}) {  // layer norm, layer norm without gamma and beta, RMS norm
          const bool rms = kind == 2, affine = kind != 1;
          const std::vector<T> x = random.values<T>(rows * width, 1, 3), dy = random.values<T>(rows * width, -1, 1);
          const std::vector<T> gamma = random.values<T>(width, 0.5, 2), beta = random.values<T>(width, -1, 1);
          Guarded<T> y(x), mean(rows), rstd(rows), dx(dy), dgamma(width), dbeta(width);
          LayerNormArgs a;
          a.width = width;
          a.epsilon = 1e-3;
          a.rms = rms;
          a.x = a.y = y.data();
          a.gamma = affine ? gamma.data() : nullptr;
          a.beta = affine && !rms ? beta.data() : nullptr;
          a.mean = mean.data();
          a.rstd = rstd.data();
          run_units(k.rows.layer_norm[kLane<T>], &a, rows, Split::units_backwards);
          const Lane lane = static_cast<Lane>(kLane<T>);
          Guarded<char> scratch(norm_scratch_bytes(lane, rows, width));
          LayerNormGradArgs g;
          g.rows = rows;
          g.width = width;
          g.rms = rms;
          g.x = x.data();
          g.dy = g.dx = dx.data();
          g.gamma = a.gamma;
          g.mean = mean.data();
          g.rstd = rstd.data();
          g.dgamma = dgamma.data();
          g.dbeta = dbeta.data();
          g.scratch = scratch.data();
          run_units(k.rows.layer_norm_grad[kLane<T>], &g, norm_blocks(rows), Split::units_backwards);
          run_units(k.rows.layer_norm_grad_combine[kLane<T>], &g, norm_strips(width), Split::units_backwards);
          CHECK(y.intact() && mean.intact() && rstd.intact() && dx.intact() && scratch.intact());
          CHECK(dgamma.intact() && dbeta.intact());
          Row want_dgamma(static_cast<size_t>(width)), want_dbeta(static_cast<size_t>(width));
          const double tolerance = 64 * sum_error<T>();  // x - mean and 1 / deviation up to 1 / sqrt(epsilon) magnify
          const std::vector<T> got_y = y.values(), got_dx = dx.values();
          for (int64_t r = 0; r < rows; ++r) {
            const double n = static_cast<double>(width);
            double m = 0, v = 0, g_mean = 0, gn_mean = 0;
            const auto at = [&](int64_t i) { return static_cast<size_t>(r * width + i); };
            for (int64_t i = 0; i < width && !rms; ++i) m += x[at(i)] / n;
            for (int64_t i = 0; i < width; ++i) v += (x[at(i)] - m) * (x[at(i)] - m) / n;
            const double s = 1 / std::sqrt(v + 1e-3);
            for (int64_t i = 0; i < width; ++i) {
              const auto j = static_cast<size_t>(i);
              const double norm = (x[at(i)] - m) * s, d = dy[at(i)] * (affine ? gamma[j] : T{1});
              g_mean += rms ? 0 : d / n;
              gn_mean += d * norm / n;
              want_dgamma[j] += dy[at(i)] * norm;
              want_dbeta[j] += dy[at(i)];
              CHECK_CLOSE(got_y[at(i)], norm * (affine ? gamma[j] : T{1}) + (affine && !rms ? beta[j] : T{0}),
                          tolerance);
            }
            for (int64_t i = 0; i < width; ++i) {
              const double norm = (x[at(i)] - m) * s, d = dy[at(i)] * (affine ? gamma[static_cast<size_t>(i)] : T{1});
              CHECK_CLOSE(got_dx[at(i)], s * (d - g_mean - norm * gn_mean), tolerance * s);
            }
          }
          for (size_t j = 0; j < want_dgamma.size(); ++j) {
            CHECK_CLOSE(dgamma[j], want_dgamma[j], tolerance * static_cast<double>(rows));
            CHECK_CLOSE(dbeta[j], want_dbeta[j], tolerance * static_cast<double>(rows));
          }
        }
      }
    }
  });
}

TEST(batch_norm_forward_and_backward) {
  for_types_and_isas([](const Kernels& k, auto type) {
    using T = decltype(type);
    Random random(6);
    for (const int64_t width : {1, 3, 8, 16, 33, 64, 300}) {
      for (const int64_t rows : {1, 5, 128, 300, 1000}) {
        // Far from zero compared with the deviation: one-pass sums of squares would lose all digits in float32.
        const std::vector<T> x = random.values<T>(rows * width, 1000, 1001), dy = random.values<T>(rows * width, -1, 1);
        const std::vector<T> gamma = random.values<T>(width, 0.5, 2), beta = random.values<T>(width, -1, 1);
        const Lane lane = static_cast<Lane>(kLane<T>);
        Guarded<char> scratch(norm_scratch_bytes(lane, rows, width));
        Guarded<T> mean(width), variance(width), y(rows * width), dx(dy), dgamma(width), dbeta(width);
        MomentsArgs m;
        m.rows = rows;
        m.width = width;
        m.x = x.data();
        m.mean = mean.data();
        m.variance = variance.data();
        m.scratch = scratch.data();
        run_units(k.rows.moments[kLane<T>], &m, norm_blocks(rows) * norm_strips(width), Split::units_backwards);
        run_units(k.rows.moments_combine[kLane<T>], &m, norm_strips(width), Split::units_backwards);
        BatchNormArgs a;
        a.width = width;
        a.x = x.data();
        a.mean = mean.data();
        a.variance = variance.data();
        a.gamma = gamma.data();
        a.beta = beta.data();
        a.y = y.data();
        run_units(k.rows.batch_norm[kLane<T>], &a, rows, Split::all);
        const std::vector<T> whole = y.values();
        run_units(k.rows.batch_norm[kLane<T>], &a, rows, Split::units_backwards);
        CHECK(whole == y.values());
        BatchNormGradArgs g;
        g.rows = rows;
        g.width = width;
        g.x = x.data();
        g.dy = g.dx = dx.data();
        g.mean = mean.data();
        g.variance = variance.data();
        g.gamma = gamma.data();
        g.dgamma = dgamma.data();
        g.dbeta = dbeta.data();
        g.scratch = scratch.data();
        const int64_t units = norm_blocks(rows) * norm_strips(width);
        run_units(k.rows.batch_norm_grad_sums[kLane<T>], &g, units, Split::units_backwards);
        run_units(k.rows.batch_norm_grad_sums_combine[kLane<T>], &g, norm_strips(width), Split::units_backwards);
        run_units(k.rows.batch_norm_grad_dx[kLane<T>], &g, rows, Split::all);
        CHECK(scratch.intact() && mean.intact() && variance.intact() && y.intact() && dx.intact());
        CHECK(dgamma.intact() && dbeta.intact());
        // The mean is known to a few half-ulps of 1000, which the division by the deviation magnifies.
        const double e = 3e4 * unit_roundoff<T>() * 40, n = static_cast<double>(rows);
        const std::vector<T> got_dx = dx.values();
        for (int64_t j = 0; j < width; ++j) {
          const auto c = static_cast<size_t>(j);
          const auto at = [&](int64_t r) { return static_cast<size_t>(r * width + j); };
          double want_mean = 0, want_variance = 0, want_dgamma = 0, want_dbeta = 0;
          for (int64_t r = 0; r < rows; ++r) want_mean += x[at(r)] / n;
          for (int64_t r = 0; r < rows; ++r) want_variance += (x[at(r)] - want_mean) * (x[at(r)] - want_mean) / n;
          CHECK_CLOSE(mean[c], want_mean, 8e3 * unit_roundoff<T>() * 8);
          CHECK_CLOSE(variance[c], want_variance, 1e3 * unit_roundoff<T>());
          const double s = 1 / std::sqrt(want_variance + 1e-3);
          for (int64_t r = 0; r < rows; ++r) {
            const double norm = (x[at(r)] - want_mean) * s;
            CHECK_CLOSE(whole[at(r)], norm * gamma[c] + beta[c], e);
            want_dgamma += dy[at(r)] * norm;
            want_dbeta += dy[at(r)];
          }
          CHECK_CLOSE(dgamma[c], want_dgamma, e * (1 + n / 4));
          CHECK_CLOSE(dbeta[c], want_dbeta, n * sum_error<T>());
          for (int64_t r = 0; r < rows; ++r) {
            const double norm = (x[at(r)] - want_mean) * s;
            const double want = gamma[c] * s * (dy[at(r)] - want_dbeta / n - norm * want_dgamma / n);
            CHECK_CLOSE(got_dx[at(r)], want, e * (1 + gamma[c] * s));
          }
        }
      }
    }
  });
}
