// Which processor a parked worker wakes up on, in the guest of a virtual machine.
//
// There Linux may wake a thread on the processor of whoever wakes it though another is idle: a halted processor counts as
// one that the host has taken away (vcpu_is_preempted, in available_idle_cpu). The two then take turns on it, region
// after region, as each ends before the balancer looks. So a worker that parks binds itself to the processor it is on,
// and who wakes workers first moves those that would be in each other's way or in its own. A worker that has done its
// first chunks takes back the mask it had, and goes wherever the system likes. On bare metal and on other systems nothing
// is bound or moved.
#pragma once

#include <bitset>

#if defined(__linux__)
#include <sched.h>
#include <sys/types.h>

#include <atomic>
#endif

namespace falconet::pool {

class Seat {
 public:
  // By the worker: at its start; before it waits and after, both under the pool's mutex; after its chunks.
  void take();
  void park();
  void wake();
  void leave();

  // Whether the system still knows the thread, which by then has been joined.
  bool is_alive() const;

 private:
  friend class Seating;
  int parked_on_ = -1;  // the processor; -1 in one who is awake or not bound
  bool crowded_ = false;
#if defined(__linux__)
  std::atomic<pid_t> thread_{0};
  int bound_to_ = -1;
  cpu_set_t home_;  // the mask to take back
#endif
};

// One look at all seats, under the pool's mutex, by the thread that is about to wake the workers.
class Seating {
 public:
  Seating();

  // Whether the seat's processor is its own; where it is not, `move` is to follow once every seat was seen.
  bool keep(Seat& seat);
  void move(Seat& seat);

 private:
  static constexpr int kMost = 1024;
  std::bitset<kMost> taken_;
};

}  // namespace falconet::pool
