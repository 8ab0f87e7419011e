// The pool: every unit exactly once, whoever runs it; fork, resize, contention and exit.
//
// FALCONET_FORKS sets how often the fork tests fork (default 50).
#include "base/thread_pool.h"

#include <atomic>
#include <chrono>
#include <cstdlib>
#include <new>
#include <thread>

#include "base/cpu.h"
#include "base/cpu_limits.h"
#include "base/error.h"
#include "base/fpu.h"
#include "check.h"

#if defined(__linux__)
#include <sched.h>
#include <sys/syscall.h>
#endif
#if !defined(_WIN32)
#include <dirent.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>
#endif

using namespace falconet;

static std::atomic<int64_t> allocations{0};
static void (*volatile release)(void*) = std::free;  // behind a pointer, or the compiler sees a mismatched pair

void* operator new(size_t bytes) {
  allocations.fetch_add(1, std::memory_order_relaxed);
  if (void* p = std::malloc(bytes ? bytes : 1)) return p;
  throw std::bad_alloc();
}
void operator delete(void* p) noexcept { release(p); }
void operator delete(void* p, size_t) noexcept { release(p); }

#if defined(__has_feature)
#define FALCONET_HAS_FEATURE(x) __has_feature(x)
#else
#define FALCONET_HAS_FEATURE(x) 0
#endif
#if defined(__SANITIZE_THREAD__) || FALCONET_HAS_FEATURE(thread_sanitizer)
constexpr bool kThreadSanitizer = true;
#else
constexpr bool kThreadSanitizer = false;
#endif

namespace {

struct Counts {
  std::vector<std::atomic<int>> hits;
  std::atomic<int64_t> calls{0};
  explicit Counts(int64_t units) : hits(units) {}
};

void count_units(const void* args, int64_t begin, int64_t end) {
  Counts* counts = static_cast<Counts*>(const_cast<void*>(args));
  for (int64_t i = begin; i < end; ++i) counts->hits[i].fetch_add(1, std::memory_order_relaxed);
  counts->calls.fetch_add(1, std::memory_order_relaxed);
}

bool each_once(const Counts& counts) {
  for (const auto& hit : counts.hits) {
    if (hit.load() != 1) return false;
  }
  return true;
}

// Plain memory, written by whoever claims: a race shows under ThreadSanitizer, a lost chunk in the sum.
struct Fill {
  int64_t* out;
  int64_t value;
};
void fill_units(const void* args, int64_t begin, int64_t end) {
  const Fill& fill = *static_cast<const Fill*>(args);
  for (int64_t i = begin; i < end; ++i) fill.out[i] = fill.value + i;
}

bool region_works(int64_t units, int64_t grain, int64_t value) {
  std::vector<int64_t> out(units, -1);
  const Fill fill{out.data(), value};
  pool::parallel_for(fill_units, &fill, units, grain);
  for (int64_t i = 0; i < units; ++i) {
    if (out[i] != value + i) return false;
  }
  return true;
}

void spin_for(std::chrono::microseconds time) {
  const auto end = std::chrono::steady_clock::now() + time;
  while (std::chrono::steady_clock::now() < end) cpu::pause();
}

#if !defined(_WIN32)

int num_forks() {
  const char* text = std::getenv("FALCONET_FORKS");
  return text ? std::atoi(text) : 50;
}

// Runs `body` in a forked child; its result, or -1 where it crashed or took over 20 seconds.
template <class Body>
int in_child(const Body& body) {
  const pid_t child = fork();
  if (child == 0) {
    alarm(20);
    _exit(body());
  }
  int status = 0;
  if (child < 0 || waitpid(child, &status, 0) != child) return -1;
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

#endif

}  // namespace

#if !defined(_WIN32)

// First, while the number is not known yet: children inherit that.
TEST(environment_sets_the_number_of_threads) {
  const auto with = [](const char* name, const char* value) {
    return in_child([=] {
      setenv(name, value, 1);
      try {
        return pool::num_threads();
      } catch (const ValueError& error) {
        return std::strstr(error.what(), value) && std::strstr(error.what(), "FALCONET_THREADS") ? 100 : 101;
      }
    });
  };
  CHECK_EQ(with("FALCONET_THREADS", "7"), 7);
  CHECK_EQ(with("FALCONET_THREADS", "1"), 1);
  for (const char* bad : {"0", "-1", "two", "3x", "99999999999", "1.5", " 2", "1025"}) {
    CHECK_EQ(with("FALCONET_THREADS", bad), 100);
  }
  const int plain = with("FALCONET_THREADS", "");
  CHECK(plain >= 1 && plain < 100);
  CHECK_EQ(with("OMP_NUM_THREADS", "1,4"), 1);
  CHECK_EQ(with("OMP_NUM_THREADS", "1000"), plain);
  CHECK_EQ(with("OMP_NUM_THREADS", "many"), plain);
}

#endif

TEST(each_unit_runs_once) {
  for (int threads : {1, 2, 7}) {
    pool::set_num_threads(threads);
    CHECK_EQ(pool::num_threads(), threads);
    for (int64_t units : {0, 1, 2, 3, 63, 64, 65, 1000}) {
      for (int64_t grain : {0, 1, 2, 7, 64, 2000}) {
        Counts counts(units);
        pool::parallel_for(count_units, &counts, units, grain);
        CHECK(each_once(counts));
      }
    }
  }
}

TEST(many_short_regions) {
  // Enough of them that some worker is preempted with a finished region's ticket in its hand.
  for (int threads : {2, 4, 16}) {
    pool::set_num_threads(threads);
    bool all = true;
    for (int i = 0; i < 50000; ++i) all = all && region_works(1 + i % 37, 1 + i % 5, i);
    CHECK(all);
  }
}

TEST(huge_counts_do_not_overflow) {
  struct Sum {
    std::atomic<uint64_t> units{0}, calls{0};
  } sum;
  pool::set_num_threads(2);
  const int64_t units = INT64_MAX, grain = INT64_MAX / 5;
  const auto add = [](const void* args, int64_t begin, int64_t end) {
    Sum* s = static_cast<Sum*>(const_cast<void*>(args));
    s->units += static_cast<uint64_t>(end - begin);
    ++s->calls;
  };
  pool::parallel_for(add, &sum, units, grain);
  CHECK_EQ(sum.units.load(), static_cast<uint64_t>(units));
  CHECK_EQ(sum.calls.load(), 6u);
}

TEST(chunks_do_not_depend_on_threads) {
  for (int threads : {2, 3, 8}) {
    pool::set_num_threads(threads);
    Counts counts(1000);
    pool::parallel_for(count_units, &counts, 1000, 33);
    CHECK_EQ(counts.calls.load(), 31);
  }
}

TEST(nested_regions_run_inline) {
  pool::set_num_threads(4);
  struct Outer {
    std::atomic<int> wrong{0};
  } outer;
  const auto nest = [](const void* args, int64_t begin, int64_t) {
    Counts inner(100);
    const std::thread::id self = std::this_thread::get_id();
    pool::parallel_for(count_units, &inner, 100, 1);
    const bool alone = inner.calls.load() == 1 && self == std::this_thread::get_id();
    if (!alone || !each_once(inner) || begin < 0) ++static_cast<Outer*>(const_cast<void*>(args))->wrong;
  };
  pool::parallel_for(nest, &outer, 64, 1);
  CHECK_EQ(outer.wrong.load(), 0);
}

TEST(concurrent_callers_neither_wait_nor_fail) {
  pool::set_num_threads(3);
  std::atomic<int> wrong{0};
  std::vector<std::thread> callers;
  for (int caller = 0; caller < 4; ++caller) {
    callers.emplace_back([&wrong, caller] {
      for (int i = 0; i < 1000; ++i) {
        if (!region_works(50 + i % 50, 3, caller * 100000 + i)) ++wrong;
      }
    });
  }
  for (int i = 0; i < 50; ++i) pool::set_num_threads(1 + i % 5);
  for (int i = 0; i < 50; ++i) pool::shutdown();
  for (auto& caller : callers) caller.join();
  CHECK_EQ(wrong.load(), 0);
}

TEST(a_caller_returns_though_no_worker_wakes) {
  // 63 workers for two chunks: most cannot take part, whether or not they ever woke.
  pool::set_num_threads(64);
  bool all = true;
  for (int i = 0; i < 200; ++i) all = all && region_works(2, 1, i);
  CHECK(all);
}

TEST(workers_share_the_work) {
  pool::set_num_threads(2);
  struct Seen {
    std::thread::id caller = std::this_thread::get_id();
    std::atomic<int> elsewhere{0};
  } seen;
  const auto look = [](const void* args, int64_t, int64_t) {
    Seen* s = static_cast<Seen*>(const_cast<void*>(args));
    if (std::this_thread::get_id() != s->caller) ++s->elsewhere;
    spin_for(std::chrono::microseconds(200));
  };
  for (int i = 0; i < 20; ++i) pool::parallel_for(look, &seen, 32, 1);
  CHECK(seen.elsewhere.load() > 0);
}

#if defined(__linux__)

struct Places {
  pid_t caller = static_cast<pid_t>(syscall(SYS_gettid));
  std::atomic<pid_t> worker{0};
  std::atomic<int> worker_cpu{-1};  // of its first chunk
  int gather_on = -1;               // the worker comes here and is free to go again
};

cpu_set_t only(int cpu) {
  cpu_set_t mask;
  CPU_ZERO(&mask);
  CPU_SET(cpu, &mask);
  return mask;
}

// 16 chunks for a caller and one worker; says where the worker was, -1 where it took none.
int region_with_worker_on(Places& places) {
  places.worker_cpu = -1;
  const auto look = [](const void* args, int64_t, int64_t) {
    Places& p = *static_cast<Places*>(const_cast<void*>(args));
    if (static_cast<pid_t>(syscall(SYS_gettid)) == p.caller) {
      if (p.gather_on >= 0) std::this_thread::sleep_for(std::chrono::milliseconds(2));
    } else if (p.worker_cpu.load() < 0) {
      p.worker_cpu = cpu::current_cpu();
      p.worker = static_cast<pid_t>(syscall(SYS_gettid));
      if (p.gather_on >= 0) {
        cpu_set_t before;
        sched_getaffinity(0, sizeof before, &before);
        const cpu_set_t here = only(p.gather_on);
        sched_setaffinity(0, sizeof here, &here);
        sched_setaffinity(0, sizeof before, &before);
      }
    }
    spin_for(std::chrono::microseconds(100));
  };
  pool::parallel_for(look, &places, 16, 1);
  std::this_thread::sleep_for(std::chrono::milliseconds(1));  // the worker parks
  return places.worker_cpu.load();
}

TEST(a_worker_wakes_beside_its_caller) {
  cpu_set_t all;
  sched_getaffinity(0, sizeof all, &all);
  std::vector<int> cpus;
  for (int i = 0; i < CPU_SETSIZE; ++i) {
    if (CPU_ISSET(i, &all)) cpus.push_back(i);
  }
  if (cpus.size() < 2 || !cpu::features().virtual_machine) return;
  pool::set_num_threads(2);
  Places places;
  region_with_worker_on(places);  // starts it
  int seen = 0, in_the_way = 0;
  for (int i = 0; i < 20; ++i) {
    // Both on one processor; one after the other, so that a mask that was not taken back would show.
    const int cpu = cpus[i % 2];
    const cpu_set_t here = only(cpu);
    sched_setaffinity(0, sizeof here, &here);
    places.gather_on = cpu;
    region_with_worker_on(places);
    places.gather_on = -1;
    const int worker_cpu = region_with_worker_on(places);
    seen += worker_cpu >= 0;
    in_the_way += worker_cpu == cpu;
  }
  CHECK(seen > 10);
  CHECK_EQ(in_the_way, 0);

  // A mask from outside stays, in the way or not. It is told from the pool's where it differs: on a busy machine the worker
  // may have parked on the caller's processor, so this waits until it is bound to the other.
  const cpu_set_t first = only(cpus[0]), second = only(cpus[1]);
  sched_setaffinity(0, sizeof first, &first);
  const auto mask_of_worker = [&] {
    cpu_set_t mask;
    sched_getaffinity(places.worker.load(), sizeof mask, &mask);
    return mask;
  };
  bool is_bound = false;
  for (int i = 0; i < 200 && !is_bound; ++i) {
    region_with_worker_on(places);
    const cpu_set_t mask = mask_of_worker();
    is_bound = CPU_EQUAL(&mask, &second);
  }
  if (is_bound && cpus.size() == 2) {
    sched_setaffinity(places.worker.load(), sizeof first, &first);
    for (int i = 0; i < 5; ++i) region_with_worker_on(places);
    const cpu_set_t left = mask_of_worker();
    CHECK(CPU_EQUAL(&left, &first));
  }
  sched_setaffinity(0, sizeof all, &all);
  pool::set_num_threads(2);
}

#endif

TEST(a_region_allocates_nothing) {
  pool::set_num_threads(2);
  std::vector<int64_t> out(1000);
  const Fill fill{out.data(), 3};
  pool::parallel_for(fill_units, &fill, 1000, 10);  // starts the workers
  std::this_thread::sleep_for(std::chrono::milliseconds(20));
  const int64_t before = allocations.load();
  for (int i = 0; i < 100; ++i) pool::parallel_for(fill_units, &fill, 1000, 10);
  CHECK_EQ(allocations.load() - before, 0);
}

TEST(wrong_numbers_of_threads_are_refused) {
  CHECK_THROWS(ValueError, "got 0", pool::set_num_threads(0));
  CHECK_THROWS(ValueError, "got -3", pool::set_num_threads(-3));
  CHECK_THROWS(ValueError, "1024", pool::set_num_threads(1025));
}

TEST(flush_denormals_is_scoped) {
  volatile float tiny = 1e-39f, one = 1.0f;
  CHECK(tiny * one != 0.0f);
  {
    const fpu::FlushDenormals flush;
    const float product = tiny * one;
#if defined(__x86_64__) || defined(_M_X64) || defined(__aarch64__) || defined(_M_ARM64)
    CHECK(product == 0.0f || check::same_bits(product, -0.0f));
#endif
    CHECK(fpu::mode() == fpu::mode());
  }
  CHECK(tiny * one != 0.0f);
}

TEST(workers_take_on_the_callers_mode) {
  pool::set_num_threads(4);
  struct Modes {
    fpu::Mode want;
    std::atomic<int> wrong{0};
  };
  const auto look = [](const void* args, int64_t, int64_t) {
    Modes* modes = static_cast<Modes*>(const_cast<void*>(args));
    if (fpu::mode() != modes->want) ++modes->wrong;
    spin_for(std::chrono::microseconds(20));
  };
  const fpu::Mode plain = fpu::mode();
  for (int i = 0; i < 200; ++i) {
    Modes modes{plain};
    if (i % 2) {
      const fpu::FlushDenormals flush;
      modes.want = fpu::mode();
      pool::parallel_for(look, &modes, 16, 1);
    } else {
      pool::parallel_for(look, &modes, 16, 1);
    }
    CHECK_EQ(modes.wrong.load(), 0);
  }
  CHECK_EQ(fpu::mode(), plain);
}

#if !defined(_WIN32)

TEST(fork_leaves_both_sides_working) {
  pool::set_num_threads(4);
  int wrong = 0;
  for (int i = 0; i < num_forks(); ++i) {
    if (!region_works(100, 3, i)) ++wrong;
    if (in_child([i] { return region_works(100, 3, i) && region_works(64, 1, -i) ? 0 : 1; }) != 0) ++wrong;
    if (!region_works(100, 3, -i)) ++wrong;
  }
  CHECK_EQ(wrong, 0);
}

TEST(fork_while_other_threads_are_inside_regions) {
  pool::set_num_threads(3);
  std::atomic<bool> stop{false};
  std::atomic<int> wrong{0};
  std::vector<std::thread> others;
  for (int other = 0; other < 2; ++other) {
    others.emplace_back([&, other] {
      for (int64_t i = 0; !stop.load(); ++i) {
        if (!region_works(200, 7, i * (other + 1))) ++wrong;
      }
    });
  }
  // ThreadSanitizer does not let the child of a process with threads start any.
  const int forks = kThreadSanitizer ? 0 : num_forks();
  for (int i = 0; i < forks; ++i) {
    if (in_child([i] { return region_works(100, 3, i) && region_works(64, 1, -i) ? 0 : 1; }) != 0) ++wrong;
  }
  stop.store(true);
  for (auto& other : others) other.join();
  CHECK_EQ(wrong.load(), 0);
}

TEST(a_forked_child_exits_cleanly) {
  pool::set_num_threads(4);
  CHECK(region_works(100, 3, 1));
  const pid_t child = fork();
  if (child == 0) {
    alarm(20);
    std::exit(region_works(100, 3, 2) ? 0 : 1);  // static destructors run
  }
  int status = 0;
  CHECK_EQ(waitpid(child, &status, 0), child);
  CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

#if defined(__linux__)

int threads_alive() {
  int count = 0;
  DIR* tasks = opendir("/proc/self/task");
  while (const dirent* entry = readdir(tasks)) count += entry->d_name[0] != '.';
  closedir(tasks);
  return count;
}

// What makes Python 3.12 and later warn.
TEST(no_worker_is_alive_after_a_fork) {
  pool::set_num_threads(4);
  const int base = (pool::shutdown(), threads_alive());
  int worst = 0;
  for (int i = 0; i < num_forks(); ++i) {
    CHECK(region_works(100, 3, i));
    CHECK_EQ(threads_alive(), base + 3);
    const pid_t child = fork();
    if (child == 0) _exit(0);
    worst = std::max(worst, threads_alive() - base);
    waitpid(child, nullptr, 0);
  }
  CHECK_EQ(worst, 0);
}

#endif
#endif
