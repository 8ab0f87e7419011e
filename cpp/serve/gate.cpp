#include "serve/gate.h"

#include <chrono>
#include <thread>

#include "base/cpu.h"

#if !defined(_WIN32)
#include <pthread.h>
#endif

namespace falconet::serve {
namespace {

std::atomic<uint32_t> generation{0};
std::atomic<uint32_t> threads_seen{0};

#if !defined(_WIN32)
const bool watches_forks = [] {
  pthread_atfork([] { slow_mutex().lock(); }, [] { slow_mutex().unlock(); },
                 [] {
                   generation.fetch_add(1, std::memory_order_relaxed);
                   slow_mutex().unlock();
                 });
  return true;
}();
#endif

}  // namespace

std::mutex& slow_mutex() {
  static auto* mutex = new std::mutex;  // never destroyed: threads of the host may outlive static objects
  return *mutex;
}

uint32_t fork_generation() { return generation.load(std::memory_order_relaxed); }

uint32_t thread_number() {
  thread_local const uint32_t number = threads_seen.fetch_add(1, std::memory_order_relaxed);
  return number;
}

Gate::Entry Gate::try_enter() {
  const uint32_t self = fork_generation() + 1;
  uint32_t holder = holder_.load(std::memory_order_relaxed);
  if (holder == self) return Entry::refused;
  if (!holder_.compare_exchange_strong(holder, self, std::memory_order_acquire, std::memory_order_relaxed)) {
    return Entry::refused;
  }
  return holder == 0 ? Entry::entered : Entry::inherited;
}

Gate::Entry Gate::enter() {
  for (int tries = 0;; ++tries) {
    if (const Entry entry = try_enter(); entry != Entry::refused) return entry;
    back_off(tries);
  }
}

// What is guarded takes microseconds; beyond that the processor is better used by whoever is inside.
void back_off(int tries) {
  if (tries < 64) {
    cpu::pause();
  } else if (tries < 256) {
    std::this_thread::yield();
  } else {
    std::this_thread::sleep_for(std::chrono::microseconds(50));
  }
}

}  // namespace falconet::serve
