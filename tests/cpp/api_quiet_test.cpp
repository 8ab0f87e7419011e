// A run and a step through the C API allocate nothing, take no lock and call no system.
#include "falconet/falconet.h"

#include "api_models.h"
#include "check.h"
#include "quiet.h"

#if defined(FALCONET_CAN_COUNT)

using namespace api_models;

namespace {

// A predictor of rows of 32, warm for 1 and 5 rows, and a learner that has made a step.
struct Fixture {
  Fixture() {
    const std::string file = mlp_file({32, 64, 64, 1}, 1), learning = model_to_bytes(line(32));
    const int64_t sizes[] = {1, 5};
    falconet_predictor_options options = FALCONET_PREDICTOR_OPTIONS_INIT;
    options.batch_sizes = sizes;
    options.num_batch_sizes = 2;
    CHECK_EQ(falconet_predictor_load_memory(file.data(), file.size(), &options, &p), FALCONET_OK);
    CHECK_EQ(falconet_learner_load_memory(learning.data(), learning.size(), nullptr, &l), FALCONET_OK);
    run(1);
  }
  ~Fixture() {
    falconet_predictor_free(p);
    falconet_learner_free(l);
  }
  bool run(int times) {
    bool good = true;
    for (int i = 0; i < times; ++i) {
      good &= falconet_predictor_run_f32(p, 1, x, 32, y, 1) == FALCONET_OK;
      const falconet_input in = {x, sizeof x, FALCONET_FLOAT32, "x"};
      const falconet_output out = {y, sizeof y, FALCONET_FLOAT32, "y"};
      good &= falconet_predictor_run(p, 5, &in, 1, &out, 1) == FALCONET_OK;
      const falconet_input batch[] = {{x, sizeof x, FALCONET_FLOAT32, nullptr}, {target, sizeof target, FALCONET_FLOAT32, nullptr}};
      const falconet_output loss = {y, 4, FALCONET_FLOAT32, nullptr};
      good &= falconet_learner_step(l, 5, batch, 2, &loss, 1) == FALCONET_OK;
    }
    return good;
  }
  float x[5 * 32] = {1, -2, 3}, y[5] = {}, target[5] = {};
  falconet_predictor* p = nullptr;
  falconet_learner* l = nullptr;
};

}  // namespace

TEST(runs_and_steps_are_quiet) {
  Fixture f;
  const int64_t allocated = allocations.load(), locked = locks.load();
  const bool good = f.run(1000);
  CHECK(good);
  CHECK_EQ(allocations.load() - allocated, 0);
  CHECK_EQ(locks.load() - locked, 0);
  const int64_t calls = system_calls_of([&] { f.run(1000); });
  if (calls < 0) {
    std::cout << "  system calls not counted: this process may not trace a child\n";
  } else {
    CHECK_EQ(calls, 0);
  }
}

#else

TEST(nothing_can_be_counted_here) { std::cout << "  skipped: needs glibc and a build without sanitizers\n"; }

#endif
