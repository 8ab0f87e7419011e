// What a call does not do: counts of allocations, locks and system calls, for tests of their absence.
//
// malloc and the mutexes of the C library are replaced by ones that count; system calls are counted by tracing a child.
// FALCONET_CAN_COUNT says that all of it is there. For one source of an executable.
#pragma once

#include <atomic>
#include <cstdint>
#include <cstdlib>

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

inline std::atomic<int64_t> allocations{0}, locks{0};

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

#endif
