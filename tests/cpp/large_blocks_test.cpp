// The store of freed large blocks: what it keeps, for how long, and what threads and forks may do meanwhile.
#include "base/large_blocks.h"

#include <atomic>
#include <chrono>
#include <cstring>
#include <new>
#include <thread>
#include <vector>

#include "base/buffer.h"
#include "check.h"

#ifndef _WIN32
#include <sys/wait.h>
#include <unistd.h>
#endif

using namespace falconet;

namespace {

constexpr size_t kSize = size_t{5} << 20;

TEST(block_is_aligned_and_writable_to_its_end) {
  for (size_t bytes : {large_blocks::kSmallest, large_blocks::kSmallest + 64, kSize + 64, (size_t{33} << 20) - 64}) {
    auto* p = static_cast<unsigned char*>(large_blocks::allocate(bytes));
    CHECK_EQ(reinterpret_cast<uintptr_t>(p) % kAlignment, 0u);
    std::memset(p, 7, bytes);
    CHECK_EQ(static_cast<int>(p[bytes - 1]), 7);
    large_blocks::release(p, bytes);
  }
  large_blocks::trim();
}

TEST(freed_block_is_the_next_one_of_its_size) {
  large_blocks::trim();
  void* p = large_blocks::allocate(kSize);
  large_blocks::release(p, kSize);
  CHECK_EQ(large_blocks::kept(), kSize);
  void* other = large_blocks::allocate(2 * kSize);
  CHECK(other != p);
  void* again = large_blocks::allocate(kSize);
  CHECK(again == p);
  CHECK_EQ(large_blocks::kept(), 0u);
  large_blocks::release(again, kSize);
  large_blocks::release(other, 2 * kSize);
  CHECK_EQ(large_blocks::trim(), 3 * kSize);
  CHECK_EQ(large_blocks::kept(), 0u);
}

TEST(what_is_kept_is_bounded) {
  large_blocks::trim();
  std::vector<void*> blocks;
  const size_t big = large_blocks::kMostKept / 4;
  for (int i = 0; i < 8; ++i) blocks.push_back(large_blocks::allocate(big));
  for (void* p : blocks) {
    large_blocks::release(p, big);
    CHECK(large_blocks::kept() <= large_blocks::kMostKept);
  }
  CHECK_EQ(large_blocks::kept(), large_blocks::kMostKept);
  void* huge = large_blocks::allocate(large_blocks::kMostKept + kSize);
  large_blocks::release(huge, large_blocks::kMostKept + kSize);  // goes back at once
  CHECK_EQ(large_blocks::kept(), large_blocks::kMostKept);
  large_blocks::trim();

  blocks.clear();
  for (int i = 0; i < 100; ++i) blocks.push_back(large_blocks::allocate(large_blocks::kSmallest));
  for (void* p : blocks) large_blocks::release(p, large_blocks::kSmallest);
  CHECK(large_blocks::kept() <= 16 * large_blocks::kSmallest);
  large_blocks::trim();
}

TEST(idle_block_goes_back) {
  large_blocks::trim();
  large_blocks::release(large_blocks::allocate(kSize), kSize);
  std::this_thread::sleep_for(std::chrono::milliseconds(large_blocks::kMaxIdleMs + 100));
  void* other = large_blocks::allocate(2 * kSize);
  CHECK_EQ(large_blocks::kept(), 0u);
  large_blocks::release(other, 2 * kSize);
  large_blocks::trim();
}

TEST(more_than_there_is_throws) {
  bool thrown = false;
  try {
    large_blocks::allocate(SIZE_MAX - 100);
  } catch (const std::bad_alloc&) {
    thrown = true;
  }
  CHECK(thrown);
}

TEST(buffer_of_any_size_gives_back_what_it_took) {
  large_blocks::trim();
  for (size_t bytes : {large_blocks::kSmallest - 65, large_blocks::kSmallest - 64, large_blocks::kSmallest - 1,
                       large_blocks::kSmallest, kSize + 3}) {
    const auto a = Buffer::allocate(bytes), b = Buffer::allocate(bytes);
    CHECK(a->data() + bytes <= b->data() || b->data() + bytes <= a->data());
    std::memset(a->data(), 1, bytes);
    std::memset(b->data(), 2, bytes);
    CHECK_EQ(static_cast<int>(a->data()[bytes - 1]), 1);
  }
  large_blocks::trim();
}

void churn(int rounds, unsigned char mark, std::atomic<int>& wrong) {
  for (int i = 0; i < rounds; ++i) {
    const size_t bytes = large_blocks::kSmallest + static_cast<size_t>(i % 3) * (size_t{64} << 10);
    auto* p = static_cast<unsigned char*>(large_blocks::allocate(bytes));
    p[0] = p[bytes - 1] = mark;
    std::this_thread::yield();
    if (p[0] != mark || p[bytes - 1] != mark) ++wrong;
    large_blocks::release(p, bytes);
  }
}

TEST(no_two_threads_hold_one_block) {
  std::atomic<int> wrong = 0;
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t)
    threads.emplace_back([t, &wrong] { churn(2000, static_cast<unsigned char>(t + 1), wrong); });
  for (auto& t : threads) t.join();
  CHECK_EQ(wrong.load(), 0);
  large_blocks::trim();
}

#ifndef _WIN32
TEST(child_of_a_fork_never_waits) {
  std::atomic<bool> stop = false;
  std::atomic<int> wrong = 0;
  std::thread busy([&] {
    while (!stop) churn(10, 9, wrong);
  });
  for (int i = 0; i < 50; ++i) {
    const pid_t child = fork();
    if (child == 0) {
      alarm(20);  // a child that hangs dies of it
      std::atomic<int> here = 0;
      churn(20, 3, here);
      _exit(here == 0 ? 0 : 1);
    }
    int status = -1;
    waitpid(child, &status, 0);
    CHECK_EQ(status, 0);
  }
  stop = true;
  busy.join();
  CHECK_EQ(wrong.load(), 0);
  large_blocks::trim();
}
#endif

}  // namespace
