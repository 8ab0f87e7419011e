// The C API: every bad argument is a status with a text, what works gives the bits of the C++ below it.
#include "falconet/falconet.h"

#include <atomic>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <thread>

#include "api_models.h"
#include "check.h"
#include "serve/predictor.h"

#if !defined(_WIN32)
#include <sys/mman.h>
#include <unistd.h>
#endif

using namespace api_models;

#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
constexpr int kSwaps = 2000;
#else
constexpr int kSwaps = 10'000;
#endif

#define CHECK_OK(...)                                                                                          \
  do {                                                                                                         \
    if ((__VA_ARGS__) != FALCONET_OK) check::fail(__FILE__, __LINE__, #__VA_ARGS__ ": " + std::string(falconet_last_error())); \
  } while (false)

#define CHECK_FAILS(status, part, ...)                                                                     \
  do {                                                                                                     \
    CHECK_EQ(__VA_ARGS__, status);                                                                         \
    if (!std::strstr(falconet_last_error(), part))                                                         \
      check::fail(__FILE__, __LINE__, std::string("text without \"") + part + "\": " + falconet_last_error()); \
  } while (false)

namespace {

struct Loaded {
  explicit Loaded(const std::string& file, int64_t batch = 1) {
    falconet_predictor_options options = FALCONET_PREDICTOR_OPTIONS_INIT;
    options.threads = 1;
    options.batch_sizes = &batch;
    options.num_batch_sizes = 1;
    CHECK_OK(falconet_predictor_load_memory(file.data(), file.size(), &options, &p));
  }
  ~Loaded() { falconet_predictor_free(p); }
  Loaded(const Loaded&) = delete;
  std::vector<float> run(int64_t rows, const std::vector<float>& x, size_t count) {
    std::vector<float> y(count);
    CHECK_OK(falconet_predictor_run_f32(p, rows, x.data(), x.size(), y.data(), y.size()));
    return y;
  }
  falconet_predictor* p = nullptr;
};

falconet_input in(const std::vector<float>& x, const char* name = nullptr) {
  return {x.data(), x.size() * 4, FALCONET_FLOAT32, name};
}
falconet_output out(std::vector<float>& y, const char* name = nullptr) {
  return {y.data(), y.size() * 4, FALCONET_FLOAT32, name};
}

}  // namespace

TEST(runs_give_the_bits_of_the_predictor) {
  Predictor reference(serve_models::mlp({32, 64, 64, 3}, 1));
  Loaded model(mlp_file({32, 64, 64, 3}, 1));
  for (const int64_t rows : {int64_t{1}, int64_t{7}, int64_t{64}}) {
    const std::vector<float> x = serve_models::inputs(rows * 32, 3);
    std::vector<float> want(rows * 3), y(rows * 3);
    const void* from = x.data();
    void* to = want.data();
    reference.run(rows, &from, &to);
    CHECK(model.run(rows, x, rows * 3) == want);
    const falconet_input named = in(x, "x");
    const falconet_output result = out(y, "y");
    CHECK_OK(falconet_predictor_run(model.p, rows, &named, 1, &result, 1));
    CHECK(y == want);
  }
}

TEST(ports_say_what_is_needed) {
  Loaded model(mlp_file({4, 8, 2}, 1));
  CHECK_EQ(falconet_predictor_num_inputs(model.p), 1u);
  CHECK_EQ(falconet_predictor_num_outputs(model.p), 1u);
  CHECK_EQ(falconet_predictor_num_weights(model.p), 4u);
  CHECK_EQ(falconet_predictor_num_states(model.p), 0u);
  falconet_port port = FALCONET_PORT_INIT;
  CHECK_OK(falconet_predictor_input(model.p, 0, &port));
  CHECK_EQ(std::string(port.name), "x");
  CHECK_EQ(port.dtype, FALCONET_FLOAT32);
  CHECK_EQ(port.rank, 2);
  size_t bytes = 0;
  int64_t shape[FALCONET_MAX_RANK];
  CHECK_OK(falconet_port_bytes(&port, 5, &bytes));
  CHECK_OK(falconet_port_shape(&port, 5, shape));
  CHECK_EQ(bytes, 5u * 4 * 4);
  CHECK(shape[0] == 5 && shape[1] == 4);
  CHECK_OK(falconet_predictor_weight(model.p, 2, &port));
  CHECK_EQ(std::string(port.name), "dense_1/kernel");
  CHECK_FAILS(FALCONET_INVALID_ARGUMENT, "`index` is 1; there are 1", falconet_predictor_output(model.p, 1, &port));
  CHECK_FAILS(FALCONET_INVALID_ARGUMENT, "must not be negative", falconet_port_bytes(&port, -1, &bytes));
  CHECK_OK(falconet_predictor_input(model.p, 0, &port));
  CHECK_FAILS(FALCONET_INVALID_ARGUMENT, "", falconet_port_bytes(&port, INT64_MAX / 2, &bytes));
  CHECK_EQ(std::string(falconet_predictor_metadata(model.p, "kind")), "mlp");
  CHECK(falconet_predictor_metadata(model.p, "other") == nullptr);
}

TEST(an_older_callers_struct_is_filled_as_far_as_it_goes) {
  Loaded model(mlp_file({4, 8, 2}, 1));
  struct {
    size_t size;
    int64_t weight_bytes;
    int64_t guard;
  } older = {sizeof(size_t) + sizeof(int64_t), 0, 7};
  CHECK_OK(falconet_predictor_memory(model.p, reinterpret_cast<falconet_memory*>(&older)));
  CHECK_EQ(older.weight_bytes, 4 * (4 * 8 + 8 + 8 * 2 + 2));
  CHECK_EQ(older.guard, 7);
  struct {
    falconet_predictor_options known;
    int64_t unknown;
  } newer = {FALCONET_PREDICTOR_OPTIONS_INIT, 1};
  newer.known.size = sizeof newer;
  falconet_predictor* p = nullptr;
  CHECK_FAILS(FALCONET_INVALID_ARGUMENT, "does not know", falconet_predictor_load("none", &newer.known, &p));
  newer.known.size = 0;
  CHECK_FAILS(FALCONET_INVALID_ARGUMENT, "_INIT", falconet_predictor_load("none", &newer.known, &p));
}

TEST(bad_arguments_are_a_status_and_a_text) {
  Loaded model(mlp_file({4, 8, 2}, 1));
  std::vector<float> x(12), y(6), short_y(5);
  falconet_input a = in(x);
  falconet_output b = out(y);
  const auto run = [&](int64_t rows = 3) { return falconet_predictor_run(model.p, rows, &a, 1, &b, 1); };
  CHECK_OK(run());
  CHECK_FAILS(FALCONET_INVALID_ARGUMENT, "`predictor` is NULL", falconet_predictor_run(nullptr, 3, &a, 1, &b, 1));
  CHECK_FAILS(FALCONET_INVALID_ARGUMENT, "`inputs` is NULL", falconet_predictor_run(model.p, 3, nullptr, 1, &b, 1));
  CHECK_FAILS(FALCONET_INVALID_ARGUMENT, "`outputs` is NULL", falconet_predictor_run(model.p, 3, &a, 1, nullptr, 1));
  CHECK_FAILS(FALCONET_INVALID_ARGUMENT, "got 2 inputs; 1 are needed: \"x\"", falconet_predictor_run(model.p, 3, &a, 2, &b, 1));
  CHECK_FAILS(FALCONET_INVALID_ARGUMENT, "got 0 outputs", falconet_predictor_run(model.p, 3, &a, 1, &b, 0));
  CHECK_FAILS(FALCONET_INVALID_ARGUMENT, "has 48 bytes; 32 are needed for float32(2, 4), that is 2 rows", run(2));
  CHECK_FAILS(FALCONET_INVALID_ARGUMENT, "`rows` is -1", run(-1));
  CHECK_FAILS(FALCONET_INVALID_ARGUMENT, "", run(INT64_MAX));
  CHECK_FAILS(FALCONET_INVALID_ARGUMENT, "", run(int64_t{1} << 59));
  a.name = "z";
  CHECK_FAILS(FALCONET_INVALID_ARGUMENT, "there is no input \"z\"; there is \"x\"", run());
  a = in(x);
  a.dtype = FALCONET_FLOAT64;
  CHECK_FAILS(FALCONET_WRONG_TYPE, "input \"x\" has dtype float64; float32 is needed", run());
  a.dtype = 99;
  CHECK_FAILS(FALCONET_WRONG_TYPE, "number 99", run());
  a = in(x);
  a.data = nullptr;
  CHECK_FAILS(FALCONET_INVALID_ARGUMENT, "input \"x\" has no data", run());
  a.data = reinterpret_cast<const char*>(x.data()) + 1;
  CHECK_FAILS(FALCONET_INVALID_ARGUMENT, "not aligned to 4 bytes", run());
  a = in(x);
  b = out(short_y);
  CHECK_FAILS(FALCONET_INVALID_ARGUMENT, "output \"y\" has 20 bytes; 24 are needed", run());
  b = {x.data() + 2, 24, FALCONET_FLOAT32, nullptr};
  CHECK_FAILS(FALCONET_INVALID_ARGUMENT, "output \"y\" shares memory with input \"x\"", run());
  CHECK_FAILS(FALCONET_INVALID_ARGUMENT, "elements",
              falconet_predictor_run_f32(model.p, 1, x.data(), SIZE_MAX, y.data(), 2));
  const int64_t zero = 0;
  CHECK_FAILS(FALCONET_INVALID_ARGUMENT, "`batch_sizes` has 0", falconet_predictor_prepare(model.p, &zero, 1, 1));
  CHECK_FAILS(FALCONET_INVALID_ARGUMENT, "`contexts` is 0", falconet_predictor_prepare(model.p, &zero, 0, 0));
  CHECK_FAILS(FALCONET_INVALID_ARGUMENT, "`batch_sizes` is NULL", falconet_predictor_prepare(model.p, nullptr, 1, 1));
  CHECK_FAILS(FALCONET_INVALID_ARGUMENT, "got 0; it must be", falconet_set_num_threads(0));
  CHECK_EQ(std::string(falconet_status_name(FALCONET_WRONG_TYPE)), "FALCONET_WRONG_TYPE");
  CHECK_EQ(std::string(falconet_status_name(77)), "unknown status");
  CHECK_EQ(std::string(falconet_dtype_name(FALCONET_BFLOAT16)), "bfloat16");
  CHECK_EQ(falconet_dtype_size(FALCONET_FLOAT64), 8u);
  CHECK_EQ(falconet_dtype_size(-1), 0u);
}

TEST(every_function_takes_null) {
  falconet_predictor_free(nullptr);
  falconet_learner_free(nullptr);
  size_t bytes = 0;
  CHECK_EQ(falconet_predictor_num_inputs(nullptr), 0u);
  CHECK_EQ(falconet_learner_num_inputs(nullptr, FALCONET_TRAIN), 0u);
  const falconet_status found[] = {
      falconet_predictor_load(nullptr, nullptr, nullptr),
      falconet_predictor_load("x", nullptr, nullptr),
      falconet_predictor_load_memory(nullptr, 0, nullptr, nullptr),
      falconet_predictor_copy(nullptr, nullptr),
      falconet_predictor_input(nullptr, 0, nullptr),
      falconet_predictor_run_f32(nullptr, 1, nullptr, 0, nullptr, 0),
      falconet_predictor_update(nullptr, nullptr, 0),
      falconet_predictor_update_from_file(nullptr, nullptr),
      falconet_predictor_get_weights(nullptr, nullptr, 0),
      falconet_predictor_get_state(nullptr, nullptr, 0),
      falconet_predictor_set_state(nullptr, nullptr, 0),
      falconet_predictor_reset(nullptr),
      falconet_predictor_memory(nullptr, nullptr),
      falconet_predictor_release(nullptr),
      falconet_port_bytes(nullptr, 1, &bytes),
      falconet_port_shape(nullptr, 1, nullptr),
      falconet_learner_load(nullptr, nullptr, nullptr),
      falconet_learner_load_memory(nullptr, 0, nullptr, nullptr),
      falconet_learner_input(nullptr, FALCONET_TRAIN, 0, nullptr),
      falconet_learner_run(nullptr, FALCONET_TRAIN, 1, nullptr, 0, nullptr, 0),
      falconet_learner_reset_metrics(nullptr),
      falconet_learner_save(nullptr, nullptr),
      falconet_learner_snapshot(nullptr, nullptr),
  };
  for (const falconet_status status : found) CHECK_EQ(status, FALCONET_INVALID_ARGUMENT);
  CHECK(falconet_predictor_metadata(nullptr, nullptr) == nullptr);
}

TEST(files_that_are_no_models_are_refused) {
  falconet_predictor* p = reinterpret_cast<falconet_predictor*>(1);
  CHECK_FAILS(FALCONET_FILE_ERROR, "cannot be opened", falconet_predictor_load("there/is/no/such.falconet", nullptr, &p));
  CHECK(p == nullptr);
  CHECK_FAILS(FALCONET_BAD_MODEL, "[load]", falconet_predictor_load_memory("hello, world", 12, nullptr, &p));
  std::string file = mlp_file({4, 8, 2}, 1);
  file[file.size() / 2] ^= 1;
  CHECK_FAILS(FALCONET_BAD_MODEL, "[load]", falconet_predictor_load_memory(file.data(), file.size(), nullptr, &p));
  CHECK(p == nullptr);
  falconet_learner* l = nullptr;
  const std::string untrained = mlp_file({4, 8, 2}, 1);
  CHECK_FAILS(FALCONET_BAD_MODEL, "no training step",
              falconet_learner_load_memory(untrained.data(), untrained.size(), nullptr, &l));
}

#if !defined(_WIN32)
TEST(nothing_beside_the_callers_arrays_is_touched) {
  // Both arrays end where memory ends: a read or write beyond is a crash.
  const auto page = static_cast<size_t>(sysconf(_SC_PAGESIZE));
  const auto guarded = [&] {
    auto* at = static_cast<char*>(mmap(nullptr, 5 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    mprotect(at + 4 * page, page, PROT_NONE);
    return reinterpret_cast<float*>(at + 4 * page);
  };
  float* const x_end = guarded();
  float* const y_end = guarded();
  for (const int64_t width : {1, 3, 17, 33}) {
    Loaded model(mlp_file({width, 19, width}, 1));
    for (const int64_t rows : {1, 2, 5, 31}) {
      const size_t count = static_cast<size_t>(rows * width);
      const std::vector<float> x = serve_models::inputs(rows * width, 3);
      std::memcpy(x_end - count, x.data(), count * 4);
      CHECK_OK(falconet_predictor_run_f32(model.p, rows, x_end - count, count, y_end - count, count));
      CHECK(model.run(rows, x, count) == std::vector<float>(y_end - count, y_end));
    }
  }
}
#endif

TEST(a_state_is_carried_reset_and_copied) {
  Loaded model(model_to_bytes(serve_models::running_total(2)));
  CHECK_EQ(falconet_predictor_num_states(model.p), 1u);
  CHECK(model.run(1, {1, 2}, 2) == std::vector<float>({1, 2}));
  falconet_predictor* copy = nullptr;
  CHECK_OK(falconet_predictor_copy(model.p, &copy));
  CHECK_OK(falconet_predictor_reset(model.p));
  CHECK(model.run(1, {1, 2}, 2) == std::vector<float>({1, 2}));
  std::vector<float> state(2);
  const falconet_output to = out(state, "total");
  CHECK_OK(falconet_predictor_get_state(copy, &to, 1));
  CHECK(state == std::vector<float>({1, 2}));
  state = {10, 20};
  falconet_input from = in(state);
  CHECK_OK(falconet_predictor_set_state(copy, &from, 1));
  std::vector<float> x = {1, 1}, y(2);
  CHECK_OK(falconet_predictor_run_f32(copy, 1, x.data(), 2, y.data(), 2));
  CHECK(y == std::vector<float>({11, 21}));
  from.bytes = 4;
  CHECK_FAILS(FALCONET_INVALID_ARGUMENT, "state \"total\" has 4 bytes; 8 are needed",
              falconet_predictor_set_state(copy, &from, 1));
  falconet_predictor_free(copy);
}

TEST(weights_are_swapped_whole_while_others_predict) {
  const std::vector<int64_t> widths = {16, 48, 48, 4};
  const Model models[] = {serve_models::mlp(widths, 5), serve_models::mlp(widths, 6)};
  Loaded live(mlp_file(widths, 5)), other(mlp_file(widths, 6));
  const std::vector<float> x = serve_models::inputs(16, 7);
  const std::vector<float> want_a = live.run(1, x, 4), want_b = other.run(1, x, 4);
  std::atomic<int> wrong{0};
  std::atomic<bool> done{false};
  std::vector<std::thread> threads;
  for (int t = 0; t < 8; ++t) {
    threads.emplace_back([&] {
      std::vector<float> y(4);
      while (!done.load()) {
        wrong += falconet_predictor_run_f32(live.p, 1, x.data(), 16, y.data(), 4) != FALCONET_OK;
        wrong += y != want_a && y != want_b;
      }
    });
  }
  for (int i = 0; i < kSwaps; ++i) {
    std::vector<falconet_input> weights;
    for (const ModelVariable& v : models[i % 2].variables) {
      weights.push_back({v.value.data(), static_cast<size_t>(v.spec.bytes()), FALCONET_FLOAT32, v.name.c_str()});
    }
    CHECK_OK(falconet_predictor_update(live.p, weights.data(), weights.size()));
  }
  done = true;
  for (std::thread& t : threads) t.join();
  CHECK_EQ(wrong.load(), 0);
  CHECK(live.run(1, x, 4) == want_b);

  std::vector<falconet_input> few(3, in(x));
  CHECK_FAILS(FALCONET_INVALID_ARGUMENT, "got 3 weights; 6 are needed", falconet_predictor_update(live.p, few.data(), 3));
  const ModelVariable& bias = models[0].variables[1];
  std::vector<falconet_input> twice(6, {bias.value.data(), static_cast<size_t>(bias.spec.bytes()), FALCONET_FLOAT32,
                                        bias.name.c_str()});
  CHECK_FAILS(FALCONET_INVALID_ARGUMENT, "came twice", falconet_predictor_update(live.p, twice.data(), 6));
  CHECK(live.run(1, x, 4) == want_b);
}

TEST(a_learner_learns_saves_and_goes_live) {
  const std::string file = model_to_bytes(line(3));
  falconet_learner *l = nullptr, *resumed = nullptr;
  CHECK_OK(falconet_learner_load_memory(file.data(), file.size(), nullptr, &l));
  Loaded live(file);
  CHECK_EQ(falconet_learner_num_inputs(l, FALCONET_TRAIN), 2u);
  CHECK_EQ(falconet_learner_num_outputs(l, FALCONET_EVALUATE), 0u);
  const std::vector<float> x = serve_models::inputs(24, 3);
  std::vector<float> y(8), loss(1), p(8);
  for (int i = 0; i < 8; ++i) y[i] = x[3 * i] - 2 * x[3 * i + 1] + 0.5f * x[3 * i + 2];
  const falconet_input batch[] = {in(y, "y"), in(x, "x")};  // by name, in another order
  const falconet_output result = out(loss, "loss");
  const auto step = [&](falconet_learner* learner) {
    CHECK_OK(falconet_learner_step(learner, 8, batch, 2, &result, 1));
    return loss[0];
  };
  const float first = step(l);
  for (int i = 0; i < 200; ++i) step(l);
  CHECK(step(l) < 1e-3f * first);

  const falconet_input row = in(x);
  const falconet_output predicted = out(p);
  CHECK_OK(falconet_learner_predict(l, 8, &row, 1, &predicted, 1));
  CHECK(live.run(8, x, 8) != p);
  CHECK_OK(falconet_learner_snapshot(l, live.p));
  CHECK(live.run(8, x, 8) == p);

  const std::string path = "api_test_" + std::to_string(first) + ".falconet";
  CHECK_OK(falconet_learner_save(l, path.c_str()));
  CHECK_OK(falconet_learner_load(path.c_str(), nullptr, &resumed));
  CHECK_EQ(step(resumed), step(l));
  CHECK_OK(falconet_predictor_update_from_file(live.p, path.c_str()));
  std::ofstream(path) << "not a model";
  CHECK_FAILS(FALCONET_BAD_MODEL, "", falconet_predictor_update_from_file(live.p, path.c_str()));
  std::remove(path.c_str());

  CHECK_FAILS(FALCONET_INVALID_ARGUMENT, "no evaluation step", falconet_learner_run(l, FALCONET_EVALUATE, 8, batch, 2, &result, 1));
  CHECK_FAILS(FALCONET_INVALID_ARGUMENT, "`function` is 7", falconet_learner_run(l, 7, 8, batch, 2, &result, 1));
  CHECK_FAILS(FALCONET_FILE_ERROR, "cannot be written", falconet_learner_save(l, "there/is/no/such.falconet"));
  Loaded stranger(mlp_file({3, 1}, 1));
  CHECK_FAILS(FALCONET_INVALID_ARGUMENT, "of another model", falconet_learner_snapshot(l, stranger.p));
  falconet_learner_free(l);
  falconet_learner_free(resumed);
}

TEST(learners_and_predictors_work_beside_each_other) {
  const std::string file = model_to_bytes(line(3));
  falconet_learner* l = nullptr;
  CHECK_OK(falconet_learner_load_memory(file.data(), file.size(), nullptr, &l));
  Loaded live(file);
  std::atomic<bool> done{false};
  std::atomic<int> wrong{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      const std::vector<float> x = {1, 2, 3};
      std::vector<float> y(1);
      while (!done.load()) {
        wrong += falconet_predictor_run_f32(live.p, 1, x.data(), 3, y.data(), 1) != FALCONET_OK || !std::isfinite(y[0]);
      }
    });
  }
  const std::vector<float> x = serve_models::inputs(24, 3), y = serve_models::inputs(8, 4);
  std::vector<float> loss(1);
  const falconet_input batch[] = {in(x), in(y)};
  const falconet_output result = out(loss);
  for (int i = 0; i < kSwaps; ++i) {
    CHECK_OK(falconet_learner_step(l, 8, batch, 2, &result, 1));
    CHECK_OK(falconet_learner_snapshot(l, live.p));
  }
  done = true;
  for (std::thread& t : threads) t.join();
  CHECK_EQ(wrong.load(), 0);
  falconet_learner_free(l);
}

TEST(errors_belong_to_their_thread) {
  Loaded model(mlp_file({4, 2}, 1));
  CHECK_FAILS(FALCONET_INVALID_ARGUMENT, "`contexts`", falconet_predictor_prepare(model.p, nullptr, 0, 0));
  std::string there;
  std::thread([&] { there = falconet_last_error(); }).join();
  CHECK_EQ(there, "");
  CHECK(std::strstr(falconet_last_error(), "`contexts`") != nullptr);
}
