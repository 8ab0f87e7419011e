// The choice of an instruction set.
#include <cstdlib>
#include <string>

#include "base/cpu.h"
#include "base/error.h"
#include "check.h"
#include "kernels/kernels.h"

#if !defined(_WIN32)
#include <sys/wait.h>
#include <unistd.h>
#endif

using namespace falconet;

#if !defined(_WIN32)

// First, while nothing is chosen yet: children inherit that.
TEST(environment_forces_an_isa) {
  const auto with = [](const std::string& name) {  // 0: chosen; 1: refused with the choices; 2: else
    const pid_t child = fork();
    if (child == 0) {
      setenv("FALCONET_ISA", name.c_str(), 1);
      try {
        _exit(kernels().isa == name ? 0 : 2);
      } catch (const ValueError& error) {
        const std::string text = error.what();
        _exit(text.find(name) != text.npos && text.find("portable") != text.npos ? 1 : 2);
      }
    }
    int status = 0;
    waitpid(child, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  };
  for (const Kernels* k : available_kernels()) CHECK_EQ(with(k->isa), 0);
  for (const char* bad : {"z80", "AVX2", "portable "}) CHECK_EQ(with(bad), 1);
  if (!cpu::features().neon) CHECK_EQ(with("neon"), 1);
  if (!cpu::features().avx512) CHECK_EQ(with("avx512"), 1);
}

#endif

TEST(the_widest_is_first_and_portable_last) {
  const auto& all = available_kernels();
  CHECK(!all.empty());
  CHECK_EQ(std::string(all.back()->isa), "portable");
  if (cpu::features().avx512) CHECK_EQ(std::string(all.front()->isa), "avx512");
  for (size_t i = 1; i < all.size(); ++i) CHECK(all[i] != all[i - 1]);
}

TEST(use_isa_switches_and_refuses) {
  const std::string before = kernels().isa;
  for (const Kernels* k : available_kernels()) {
    use_isa(k->isa);
    CHECK(&kernels() == k);
  }
  CHECK_THROWS(ValueError, "\"mmx\"; available: ", use_isa("mmx"));
  use_isa(before);
  CHECK_EQ(std::string(kernels().isa), before);
}
