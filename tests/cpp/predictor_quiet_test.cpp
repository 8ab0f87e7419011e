// What a run does not do: allocate, take a lock, call the system.
//
// malloc and the mutexes of the C library are replaced by ones that count; system calls are counted by tracing a child.
#include <atomic>
#include <cstdlib>

#include "check.h"
#include "serve/learner.h"
#include "serve/predictor.h"
#include "serve_models.h"

#if defined(__linux__) && defined(__GLIBC__) && !defined(__SANITIZE_THREAD__) && !defined(__SANITIZE_ADDRESS__)
#define FALCONET_CAN_COUNT 1
#include <dlfcn.h>
#include <pthread.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#endif

#if defined(FALCONET_CAN_COUNT)

static std::atomic<int64_t> allocations{0}, locks{0};

extern "C" {
void* __libc_malloc(size_t);
void* __libc_calloc(size_t, size_t);
void* __libc_realloc(void*, size_t);
void* __libc_memalign(size_t, size_t);

void* malloc(size_t bytes) {
  allocations.fetch_add(1, std::memory_order_relaxed);
  return __libc_malloc(bytes);
}
void* calloc(size_t count, size_t bytes) {
  allocations.fetch_add(1, std::memory_order_relaxed);
  return __libc_calloc(count, bytes);
}
void* realloc(void* p, size_t bytes) {
  allocations.fetch_add(1, std::memory_order_relaxed);
  return __libc_realloc(p, bytes);
}
void* aligned_alloc(size_t alignment, size_t bytes) {
  allocations.fetch_add(1, std::memory_order_relaxed);
  return __libc_memalign(alignment, bytes);
}
int pthread_mutex_lock(pthread_mutex_t* mutex) {
  static const auto real = reinterpret_cast<int (*)(pthread_mutex_t*)>(dlsym(RTLD_NEXT, "pthread_mutex_lock"));
  locks.fetch_add(1, std::memory_order_relaxed);
  return real(mutex);
}
}

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

// System calls of a child between two calls of getppid; -1 where the child cannot be traced.
template <class Fn>
int64_t system_calls_of(const Fn& fn) {
  const pid_t child = fork();
  if (child == 0) {
    if (ptrace(PTRACE_TRACEME, 0, nullptr, nullptr) != 0) _exit(1);
    raise(SIGSTOP);
    syscall(SYS_getppid);
    fn();
    syscall(SYS_getppid);
    _exit(0);
  }
  int64_t calls = -1;
  int status = 0;
  for (int markers = 0; waitpid(child, &status, 0) == child && WIFSTOPPED(status);) {
    __ptrace_syscall_info info = {};
    if (WSTOPSIG(status) == (SIGTRAP | 0x80) && ptrace(PTRACE_GET_SYSCALL_INFO, child, sizeof info, &info) > 0 &&
        info.op == PTRACE_SYSCALL_INFO_ENTRY) {
      if (info.entry.nr == SYS_getppid) {
        if (++markers == 1) calls = 0;
      } else if (markers == 1) {
        ++calls;
      }
    }
    if (WSTOPSIG(status) == SIGSTOP) ptrace(PTRACE_SETOPTIONS, child, nullptr, PTRACE_O_TRACESYSGOOD);
    ptrace(PTRACE_SYSCALL, child, nullptr, nullptr);
  }
  return calls;
}

void check_quiet(Case& c) {
  c.run(2);
  const int64_t allocated = allocations.load(), locked = locks.load();
  c.run(1000);
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
