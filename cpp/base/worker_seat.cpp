#include "base/worker_seat.h"

#include "base/cpu.h"
#include "base/cpu_limits.h"

#if defined(__linux__)
#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>
#endif

namespace falconet::pool {

Seating::Seating() {
  if (const int here = cpu::current_cpu(); here >= 0 && here < kMost) taken_.set(here);
}

bool Seating::keep(Seat& seat) {
  if (seat.parked_on_ < 0) return true;
  seat.crowded_ = taken_.test(seat.parked_on_);
  taken_.set(seat.parked_on_);
  return !seat.crowded_;
}

#if defined(__linux__)

namespace {

cpu_set_t only(int cpu) {
  cpu_set_t mask;
  CPU_ZERO(&mask);
  CPU_SET(cpu, &mask);
  return mask;
}

bool bind(pid_t thread, const cpu_set_t& mask) { return sched_setaffinity(thread, sizeof mask, &mask) == 0; }

}  // namespace

void Seat::take() { thread_.store(static_cast<pid_t>(syscall(SYS_gettid)), std::memory_order_relaxed); }

void Seat::park() {
  static const bool guest = cpu::features().virtual_machine;
  const int here = cpu::current_cpu();
  if (!guest || here < 0 || here >= CPU_SETSIZE) return;
  if (sched_getaffinity(0, sizeof home_, &home_) == 0 && bind(0, only(here))) parked_on_ = here;
}

void Seat::wake() {
  bound_to_ = parked_on_;
  parked_on_ = -1;
  crowded_ = false;
}

void Seat::leave() {
  if (bound_to_ < 0) return;
  const cpu_set_t given = only(bound_to_);
  bound_to_ = -1;
  cpu_set_t now;  // another than was given: somebody else decides, and the mask stays
  if (sched_getaffinity(0, sizeof now, &now) == 0 && CPU_EQUAL(&now, &given)) bind(0, home_);
}

bool Seat::is_alive() const {
  return syscall(SYS_tgkill, getpid(), thread_.load(std::memory_order_relaxed), 0) == 0;
}

void Seating::move(Seat& seat) {
  static_assert(kMost == CPU_SETSIZE);
  if (!seat.crowded_) return;
  for (int cpu = 0; cpu < kMost; ++cpu) {
    if (!CPU_ISSET(cpu, &seat.home_) || taken_.test(cpu)) continue;
    if (bind(seat.thread_.load(std::memory_order_relaxed), only(cpu))) seat.parked_on_ = cpu;
    taken_.set(cpu);
    return;
  }
}

#else

void Seat::take() {}
void Seat::park() {}
void Seat::wake() {}
void Seat::leave() {}
bool Seat::is_alive() const { return false; }
void Seating::move(Seat&) {}

#endif

}  // namespace falconet::pool
