// What a run does not do: allocate, take a lock, call the system, touch a page for the first time.
#include "quiet.h"

#include "check.h"
#include "serve/learner.h"
#include "serve/predictor.h"
#include "serve_models.h"

#if defined(FALCONET_CAN_COUNT)

#include <sys/mman.h>
#include <sys/resource.h>

using namespace falconet;
using namespace serve_models;

namespace {

struct Case {
  Predictor p;
  std::vector<float> x, y;
  Case(Model model, int64_t rows) : p(std::move(model), {1, {rows}, true}), rows_(rows) {
    x = inputs(p.inputs()[0].spec.at(rows).size(), 1);
    y.resize(p.outputs()[0].spec.at(rows).size());
  }
  void run(int times) {
    const void* in = x.data();
    void* out = y.data();
    for (int i = 0; i < times; ++i) p.run(rows_, &in, &out);
  }

 private:
  int64_t rows_;
};

int64_t page_faults() {
  rusage usage = {};
  getrusage(RUSAGE_SELF, &usage);
  return usage.ru_minflt + usage.ru_majflt;
}

void check_quiet(Case& c) {
  c.run(2);
  const int64_t allocated = allocations.load(), locked = locks.load(), faults = page_faults();
  c.run(1000);
  CHECK_EQ(page_faults() - faults, 0);
  CHECK_EQ(allocations.load() - allocated, 0);
  CHECK_EQ(locks.load() - locked, 0);
  const int64_t calls = system_calls_of([&] { c.run(1000); });
  if (calls < 0) {
    std::cout << "  system calls not counted: this process may not trace a child\n";
  } else {
    CHECK_EQ(calls, 0);
  }
}

}  // namespace

TEST(the_counters_count) {
  const int64_t allocated = allocations.load(), locked = locks.load();
  std::free(std::malloc(100));
  pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
  pthread_mutex_lock(&mutex);
  pthread_mutex_unlock(&mutex);
  CHECK(allocations.load() > allocated);
  CHECK_EQ(locks.load() - locked, 1);
  const int64_t calls = system_calls_of([] {
    for (int i = 0; i < 5; ++i) syscall(SYS_getpid);
  });
  CHECK(calls == 5 || calls == -1);
  void* const page = mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  const int64_t faults = page_faults();
  *static_cast<volatile char*>(page) = 1;
  CHECK(page_faults() > faults);
  munmap(page, 4096);
}

TEST(a_prediction_is_quiet) {
  Case one(mlp({32, 64, 64, 1}, 1), 1);
  check_quiet(one);
  Case many(mlp({32, 64, 64, 1}, 1), 50);
  check_quiet(many);
  Case large(mlp({300, 500, 10}, 1), 64);  // packed weights
  check_quiet(large);
}

TEST(a_prediction_with_a_state_is_quiet) {
  Case c(running_total(8), 3);
  check_quiet(c);
}

TEST(batch_sizes_in_turn_are_quiet) {
  Case c(mlp({32, 64, 64, 1}, 1), 40);
  c.p.prepare({1, 7, 40});
  const auto run = [&] {
    const void* in = c.x.data();
    void* out = c.y.data();
    for (int i = 0; i < 300; ++i) {
      for (const int64_t rows : {1, 7, 40}) c.p.run(rows, &in, &out);
    }
  };
  run();
  const int64_t allocated = allocations.load();
  run();
  CHECK_EQ(allocations.load() - allocated, 0);
}

TEST(an_update_makes_the_next_run_quiet_too) {
  Case c(mlp({32, 64, 64, 1}, 1), 1);
  c.p.update(c.p.weights());
  const int64_t allocated = allocations.load(), locked = locks.load();
  c.run(1);
  CHECK_EQ(allocations.load() - allocated, 0);
  CHECK_EQ(locks.load() - locked, 0);
}

#else

TEST(nothing_can_be_counted_here) { std::cout << "  skipped: needs glibc and a build without sanitizers\n"; }

#endif
