// How a region runs.
//
// Its chunks are dealt in order, an equal share to each thread. A thread takes from the front of its own share and, when
// that is empty, from the back of the others'. So where one region follows another over the same rows, a thread meets
// the rows that its own caches hold, and a preempted thread still delays one chunk and not the region.
//
// A share is one atomic word: the region's generation and the chunks left in it, [first, last). To claim a chunk is to
// replace the word by compare-and-swap, so a thread that was preempted with an old word in hand cannot claim from a
// newer region. The region's other fields are written before the shares, and the generation that workers wait for is
// published after them; none changes again until every chunk has been claimed and done: whoever claims has read the
// right ones. The caller returns when `pending` is 0, whether or not every worker ever woke.
//
// One region runs at a time; `owned` says that it does, or that the pool is being changed. Nobody ever waits to start a
// region. Those who must wait for one to end (fork, resize, exit) are counted in `wanted`, and while they are, others
// compute alone, so that a loop of short regions cannot keep them waiting.
//
// Fork. The prepare handler takes the pool and joins the workers: at the moment of the fork no thread of ours exists,
// no mutex of ours is held, and both sides start workers again at their next region.
#include "base/thread_pool.h"

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <charconv>
#include <chrono>
#include <condition_variable>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <mutex>
#include <system_error>
#include <thread>
#include <vector>

#include "base/cpu.h"
#include "base/cpu_limits.h"
#include "base/error.h"
#include "base/fpu.h"
#include "base/worker_seat.h"

#if !defined(_WIN32)
#include <pthread.h>
#include <signal.h>
#endif

namespace falconet::pool {
namespace {

using Clock = std::chrono::steady_clock;

constexpr int kMaxThreads = 1024;

// Long enough to bridge the serial instructions between two regions of one step, short against a scheduler's time
// slice. With more threads than processors a spinning thread may hold up the one it waits for, so there it parks at
// once.
constexpr auto kSpin = std::chrono::microseconds(50);

std::atomic<int> threads{0};  // 0: not known yet
std::atomic<bool> may_spin{true};

std::atomic<bool> owned{false};
std::atomic<int> wanted{0};
std::atomic<bool> closed{false};  // the process is exiting, or the library is being unloaded

thread_local bool in_region = false;  // always true in workers

struct alignas(64) Region {
  std::atomic<TaskFn> task{nullptr};
  std::atomic<const void*> args{nullptr};
  std::atomic<int64_t> units{0}, grain{1};
  std::atomic<int> shares{1};
  std::atomic<fpu::Mode> mode{0};
  std::atomic<int> caller_cpu{-1};
} region;
alignas(64) std::atomic<uint32_t> generation{0};  // of the newest region
alignas(64) std::atomic<uint32_t> pending{0};     // chunks not yet done

// generation << 32 | first << 16 | last: chunks [first, last) of that generation's region are left. Share 0 is the
// caller's, share i that of worker i - 1.
struct alignas(64) Share {
  std::atomic<uint64_t> left{0};
};
Share shares[kMaxThreads];
constexpr int64_t kMaxChunks = 0xFFFF;

struct Worker {
  std::thread thread;
  std::atomic<int> busy_cpu{-1};  // where it claimed its first chunk of the region, until it has done its last
  Seat seat;
};

struct Pool {
  Pool();
  ~Pool();

  std::mutex mutex;  // guards the seats, and closes the gap between a sleeper's last look and its sleep
  std::condition_variable work, done;
  std::atomic<int> parked{0};  // workers
  std::atomic<bool> caller_parked{false};
  std::atomic<bool> stopping{false};
  std::vector<std::unique_ptr<Worker>> workers;  // changed by the owner only
  int asked_for = 0;                             // workers, at the last start; the system may have given fewer
};
Pool pool;

// Spins until `ready`, and gives up after kSpin or where `blocking`: on one processor the spinning thread would only
// keep the one it waits for from running. Returns what `ready` said last.
template <class Ready, class Blocking>
bool spin_until(const Ready& ready, const Blocking& blocking) {
  if (ready()) return true;
  if (!may_spin.load(std::memory_order_relaxed)) return false;
  const Clock::time_point end = Clock::now() + kSpin;
  while (!blocking() && Clock::now() < end) {
    for (int i = 0; i < 16; ++i) {
      cpu::pause();
      if (ready()) return true;
    }
  }
  return false;
}

// Takes a chunk from a share's front or back; -1 where none is left of this generation.
int64_t claim(Share& share, uint32_t now, bool front) {
  uint64_t left = share.left.load(std::memory_order_acquire);
  for (;;) {
    const uint32_t first = static_cast<uint32_t>(left >> 16) & 0xFFFF, last = static_cast<uint32_t>(left) & 0xFFFF;
    if (static_cast<uint32_t>(left >> 32) != now || first == last) return -1;
    const uint64_t rest = front ? left + (1 << 16) : left - 1;
    if (share.left.compare_exchange_weak(left, rest, std::memory_order_acq_rel, std::memory_order_acquire)) {
      return front ? first : last - 1;
    }
  }
}

// Claims and runs chunks of region `now`, those of share `own` first, until none is left, then counts them as done.
// `self` is null in the region's caller.
void run_chunks(uint32_t now, int own, Worker* self) {
  const TaskFn task = region.task.load(std::memory_order_relaxed);
  const void* args = region.args.load(std::memory_order_relaxed);
  const int64_t units = region.units.load(std::memory_order_relaxed);
  const int64_t grain = region.grain.load(std::memory_order_relaxed);
  const int count = region.shares.load(std::memory_order_relaxed);
  const fpu::Mode mode = region.mode.load(std::memory_order_relaxed);
  uint32_t ran = 0;
  for (int i = 0; i < count; ++i) {
    Share& share = shares[(own + i) % count];
    for (int64_t chunk; (chunk = claim(share, now, i == 0)) >= 0;) {
      if (ran++ == 0 && self) {
        if (fpu::mode() != mode) fpu::set_mode(mode);
        self->busy_cpu.store(cpu::current_cpu(), std::memory_order_relaxed);
      }
      const int64_t begin = chunk * grain;
      task(args, begin, begin + std::min(grain, units - begin));
    }
  }
  if (ran != 0 && self) self->busy_cpu.store(-1, std::memory_order_relaxed);
  if (ran != 0 && pending.fetch_sub(ran, std::memory_order_seq_cst) == ran &&
      pool.caller_parked.load(std::memory_order_seq_cst)) {
    std::lock_guard lock(pool.mutex);
    pool.done.notify_one();
  }
}

void worker_main(Worker* self, int share, uint32_t seen) {
  self->seat.take();
  in_region = true;
  uint32_t now = 0;
  const auto called = [&] {
    now = generation.load(std::memory_order_seq_cst);
    return now != seen || pool.stopping.load(std::memory_order_acquire);
  };
  const auto in_callers_way = [] {
    const int here = cpu::current_cpu();
    return here >= 0 && here == region.caller_cpu.load(std::memory_order_relaxed);
  };
  for (;;) {
    if (!spin_until(called, in_callers_way)) {
      std::unique_lock lock(pool.mutex);
      self->seat.park();
      pool.parked.fetch_add(1, std::memory_order_seq_cst);
      pool.work.wait(lock, called);
      pool.parked.fetch_sub(1, std::memory_order_relaxed);
      self->seat.wake();
    }
    if (pool.stopping.load(std::memory_order_acquire)) return;
    seen = now;
    run_chunks(now, share, self);
    self->seat.leave();
  }
}

void start_workers(int count) {
  pool.asked_for = count;
  const uint32_t now = generation.load(std::memory_order_relaxed);
#if !defined(_WIN32)
  sigset_t all, before;  // the host's signals belong to the host's threads
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
#endif
  try {
    while (static_cast<int>(pool.workers.size()) < count) {
      auto worker = std::make_unique<Worker>();
      pool.workers.reserve(count);
      const int share = static_cast<int>(pool.workers.size()) + 1;
      worker->thread = std::thread(worker_main, worker.get(), share, now);
      pool.workers.push_back(std::move(worker));
    }
  } catch (const std::exception&) {
    // A limit on threads or memory: whatever workers there are share the chunks with the caller.
  }
#if !defined(_WIN32)
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
#endif
}

// A joined thread is counted among the process's threads for some microseconds more. Python warns at a fork if it sees
// more than one, so this waits, within bounds, until the kernel has forgotten it.
void await_exit(const Worker& worker) {
  for (int i = 0; i < 1000 && worker.seat.is_alive(); ++i) std::this_thread::sleep_for(std::chrono::microseconds(10));
}

// What whoever is about to wake workers does first, without holding the mutex: who it was about to sleep, sleeps.
void spread_parked_workers() {
  std::lock_guard lock(pool.mutex);
  Seating seating;
  bool crowded = false;
  for (auto& worker : pool.workers) crowded |= !seating.keep(worker->seat);
  if (!crowded) return;
  for (auto& worker : pool.workers) seating.move(worker->seat);
}

void stop_workers() {
  if (!pool.workers.empty()) {
    {
      std::lock_guard lock(pool.mutex);
      pool.stopping.store(true, std::memory_order_release);
    }
    pool.work.notify_all();
    for (auto& worker : pool.workers) worker->thread.join();
    for (auto& worker : pool.workers) await_exit(*worker);
    pool.stopping.store(false, std::memory_order_relaxed);
    pool.workers.clear();
  }
  pool.asked_for = 0;
}

bool try_own() { return !owned.load(std::memory_order_relaxed) && !owned.exchange(true, std::memory_order_acquire); }

// Waits for the pool. False where it is closed: then there is nothing left to change.
bool own() {
  wanted.fetch_add(1, std::memory_order_relaxed);
  bool got = try_own();
  for (int tries = 0; !got && !closed.load(std::memory_order_acquire); ++tries) {
    if (tries < 100) {
      std::this_thread::yield();
    } else {
      std::this_thread::sleep_for(std::chrono::microseconds(20));
    }
    got = try_own();
  }
  wanted.fetch_sub(1, std::memory_order_relaxed);
  return got;
}

void disown() { owned.store(false, std::memory_order_release); }

#if !defined(_WIN32)

// A fork from inside a task (a crash handler's, say) must not wait for the region it is in: nothing is parked for it,
// and its child should do no more than exec.
void before_fork() {
  if (!in_region && own()) stop_workers();
}

void after_fork_parent() {
  if (!in_region && !closed.load(std::memory_order_acquire)) disown();
}

void after_fork_child() {
  if (in_region || closed.load(std::memory_order_acquire)) return;
  wanted.store(0, std::memory_order_relaxed);  // threads that waited in the parent are not here
  disown();
}

#endif

Pool::Pool() {
#if !defined(_WIN32)
  pthread_atfork(before_fork, after_fork_parent, after_fork_child);
#endif
}

Pool::~Pool() {
#if defined(_WIN32)
  // Runs under the loader lock, where no thread can end; at exit the system has ended them already.
  closed.store(true, std::memory_order_release);
  for (auto& worker : workers) worker->thread.detach();
#else
  // Owned for good: what threads of the host still run at exit, they run alone.
  own();
  closed.store(true, std::memory_order_release);
  stop_workers();
#endif
}

int parse_threads(const char* text) {
  int n = 0;
  const char* end = text + std::strlen(text);
  const auto [rest, error] = std::from_chars(text, end, n);
  return error == std::errc() && rest == end && n >= 1 && n <= kMaxThreads ? n : 0;
}

int default_threads() {
  if (const char* text = std::getenv("FALCONET_THREADS"); text && *text) {
    const int n = parse_threads(text);
    if (n == 0) fail("[FALCONET_THREADS] got \"", text, "\"; it must be a whole number from 1 to ", kMaxThreads, ".");
    return n;
  }
  int n = std::min(cpu::usable_cores(), kMaxThreads);
  if (const char* text = std::getenv("OMP_NUM_THREADS")) {
    // Not ours to judge: a list ("4,2") caps by its first number, and what is no number caps nothing.
    int cap = 0;
    std::from_chars(text, text + std::strlen(text), cap);
    if (cap >= 1) n = std::min(n, cap);
  }
  return n;
}

void store_threads(int n) {
  may_spin.store(n <= cpu::usable_cpus(), std::memory_order_relaxed);
  threads.store(n, std::memory_order_release);
}

}  // namespace

int num_threads() {
  int n = threads.load(std::memory_order_acquire);
  if (n == 0) {
    // Two threads may come here at once: they find the same number.
    n = default_threads();
    store_threads(n);
  }
  return n;
}

void set_num_threads(int n) {
  if (n < 1 || n > kMaxThreads) {
    fail("[set_num_threads] got ", n, "; it must be a whole number from 1 to ", kMaxThreads, ".");
  }
  if (in_region) fail<InternalError>("[set_num_threads] called inside a parallel region");
  if (!own()) return;
  stop_workers();
  store_threads(n);
  disown();
}

void parallel_for(TaskFn task, const void* args, int64_t units, int64_t grain) {
  if (units <= 0) return;
  grain = std::max<int64_t>(grain, 1);
  if (units <= grain || in_region || closed.load(std::memory_order_acquire) ||
      wanted.load(std::memory_order_relaxed) != 0 || num_threads() == 1 || !try_own()) {
    task(args, 0, units);
    return;
  }
  int64_t chunks = (units - 1) / grain + 1;
  if (chunks > kMaxChunks) {
    grain = (units - 1) / kMaxChunks + 1;
    chunks = (units - 1) / grain + 1;
  }
  const int workers = threads.load(std::memory_order_relaxed) - 1;
  if (pool.asked_for != workers) start_workers(workers);

  const int count = static_cast<int>(std::min<int64_t>(chunks, static_cast<int64_t>(pool.workers.size()) + 1));
  region.task.store(task, std::memory_order_relaxed);
  region.args.store(args, std::memory_order_relaxed);
  region.units.store(units, std::memory_order_relaxed);
  region.grain.store(grain, std::memory_order_relaxed);
  region.shares.store(count, std::memory_order_relaxed);
  region.mode.store(fpu::mode(), std::memory_order_relaxed);
  region.caller_cpu.store(cpu::current_cpu(), std::memory_order_relaxed);
  pending.store(static_cast<uint32_t>(chunks), std::memory_order_relaxed);
  const uint32_t now = generation.load(std::memory_order_relaxed) + 1;
  for (int i = 0; i < count; ++i) {
    const uint64_t first = chunks * i / count, last = chunks * (i + 1) / count;
    shares[i].left.store(static_cast<uint64_t>(now) << 32 | first << 16 | last, std::memory_order_release);
  }
  generation.store(now, std::memory_order_seq_cst);

  const int parked = pool.parked.load(std::memory_order_seq_cst);
  if (parked != 0) {
    // Those awake will see the generation; wake as many more as could find a chunk beside them and the caller.
    const int64_t awake = static_cast<int64_t>(pool.workers.size()) - parked;
    const int64_t useful = chunks - 1 - awake;
    spread_parked_workers();
    if (useful >= parked) {
      pool.work.notify_all();
    } else {
      for (int64_t i = 0; i < useful; ++i) pool.work.notify_one();
    }
  }

  in_region = true;
  run_chunks(now, 0, nullptr);
  const auto finished = [] { return pending.load(std::memory_order_seq_cst) == 0; };
  const auto in_workers_way = [] {
    const int here = cpu::current_cpu();
    return here >= 0 && std::any_of(pool.workers.begin(), pool.workers.end(), [here](const auto& worker) {
             return worker->busy_cpu.load(std::memory_order_relaxed) == here;
           });
  };
  if (!spin_until(finished, in_workers_way)) {
    std::unique_lock lock(pool.mutex);
    pool.caller_parked.store(true, std::memory_order_seq_cst);
    pool.done.wait(lock, finished);
    pool.caller_parked.store(false, std::memory_order_relaxed);
  }
  in_region = false;
  disown();
}

void shutdown() {
  if (in_region || !own()) return;
  stop_workers();
  disown();
}

}  // namespace falconet::pool
