// Processes that end, and libraries that are unloaded, with models alive and threads started.
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>

#include "api_models.h"
#include "check.h"
#include "falconet/falconet.h"

#if !defined(_WIN32)
#include <dlfcn.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

extern char** environ;

namespace {

#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
constexpr int kTimes = 20;
#else
constexpr int kTimes = 1000;
#endif

// Large enough that a batch of 256 is shared among threads.
std::string model_path() {
  static const std::string path = [] {
    const std::string made = "unload_test_" + std::to_string(getpid()) + ".falconet";
    const std::string file = api_models::mlp_file({64, 128, 1}, 1);
    std::ofstream(made, std::ios::binary).write(file.data(), static_cast<std::streamsize>(file.size()));
    setenv("FALCONET_TEST_MODEL", made.c_str(), 1);
    setenv("FALCONET_THREADS", "2", 1);
    return made;
  }();
  return path;
}

int64_t resident_kib() {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);) {
    if (line.rfind("VmRSS:", 0) == 0) return std::atoll(line.c_str() + 6);
  }
  return 0;
}

bool is_mapped(const char* name) {
  std::ifstream maps("/proc/self/maps");
  for (std::string line; std::getline(maps, line);) {
    if (line.find(name) != std::string::npos) return true;
  }
  return false;
}

template <class F>
F* symbol(void* library, const char* name) {
  return reinterpret_cast<F*>(dlsym(library, name));
}

// Loads the library, predicts on two threads, leaves everything behind but the handle.
bool load_predict_unload(const char* library_path, bool free_model) {
  void* library = dlopen(library_path, RTLD_NOW | RTLD_LOCAL);
  if (!library) {
    std::printf("  %s\n", dlerror());
    return false;
  }
  const auto load = symbol<decltype(falconet_predictor_load)>(library, "falconet_predictor_load");
  const auto run = symbol<decltype(falconet_predictor_run_f32)>(library, "falconet_predictor_run_f32");
  const auto release = symbol<decltype(falconet_predictor_free)>(library, "falconet_predictor_free");
  falconet_predictor* p = nullptr;
  std::vector<float> x(256 * 64, 1.0f), y(256);
  bool good = load(model_path().c_str(), nullptr, &p) == FALCONET_OK &&
              run(p, 256, x.data(), x.size(), y.data(), y.size()) == FALCONET_OK &&
              run(p, 3, x.data(), x.size(), y.data(), y.size()) == FALCONET_INVALID_ARGUMENT;
  if (free_model) release(p);
  good &= dlclose(library) == 0;
  return good;
}

}  // namespace

TEST(processes_end_with_global_models) {
  model_path();
  int failed = 0;
  for (int i = 0; i < kTimes; ++i) {
    pid_t child = 0;
    char name[] = FALCONET_GLOBAL_MODEL;
    char* const arguments[] = {name, nullptr};
    int status = -1;
    if (posix_spawn(&child, name, nullptr, nullptr, arguments, environ) == 0) waitpid(child, &status, 0);
    failed += status != 0;
  }
  CHECK_EQ(failed, 0);
}

TEST(the_library_unloads_and_loads_again) {
  int failed = 0;
  for (int i = 0; i < 10; ++i) failed += !load_predict_unload(FALCONET_SHARED_LIBRARY, true);
  const int64_t before = resident_kib();
  for (int i = 0; i < kTimes; ++i) failed += !load_predict_unload(FALCONET_SHARED_LIBRARY, true);
  CHECK_EQ(failed, 0);
#if defined(__linux__) && !defined(__SANITIZE_THREAD__) && !defined(__SANITIZE_ADDRESS__)
  CHECK(!is_mapped("libfalconet.so"));
  CHECK(resident_kib() - before <= 1024);
#endif
  CHECK(load_predict_unload(FALCONET_SHARED_LIBRARY, false));  // a model that nobody freed does not hold it up
  std::remove(model_path().c_str());
}
#else
TEST(unloading_needs_dlopen) { std::printf("  skipped: written for dlopen and posix_spawn\n"); }
#endif
