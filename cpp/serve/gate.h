// Who is at work on what: exclusion without waiting in the common case, and what a fork leaves of it.
#pragma once

#include <atomic>
#include <cstdint>
#include <mutex>

namespace falconet::serve {

// Guards what is done rarely (making plans' shared parts, replacing weights). One for the process, so that it can be
// taken before a fork and given back on both sides: a child never finds it held by a thread that it does not have.
std::mutex& slow_mutex();

// Forks that lie between this process and the one that loaded the library.
uint32_t fork_generation();

// A small number, different for every thread that is alive now or was: where it looks first for something free.
uint32_t thread_number();

// Waits a little, longer the more tries there were.
void back_off(int tries);

// One thread at a time. Entering and leaving an open gate is one atomic instruction each.
class Gate {
 public:
  enum class Entry : uint8_t {
    refused,  // somebody is inside
    entered,
    // Entered, and whoever was inside when this process was forked is not here to leave: what the gate guards is as
    // that thread left it halfway.
    inherited,
  };
  Entry try_enter();
  Entry enter();  // waits; never `refused`
  bool is_open() const { return holder_.load(std::memory_order_relaxed) != fork_generation() + 1; }
  void leave() { holder_.store(0, std::memory_order_release); }
  // Where there is no use for what a fork left behind: such a gate stays closed.
  bool try_enter_clean() {
    uint32_t nobody = 0;
    return holder_.load(std::memory_order_relaxed) == 0 &&
           holder_.compare_exchange_strong(nobody, fork_generation() + 1, std::memory_order_acquire,
                                           std::memory_order_relaxed);
  }

 private:
  std::atomic<uint32_t> holder_{0};  // 0, or 1 + the fork generation of whoever is inside
};

}  // namespace falconet::serve
