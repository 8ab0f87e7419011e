// The C API: errors, dtypes, threads, version.
#include <cstring>

#include "api/error.h"
#include "base/dtype.h"
#include "base/thread_pool.h"
#include "kernels/kernels.h"

namespace falconet::api {

namespace {

// In the thread, without a destructor: a library that is unloaded leaves nothing to be called later.
thread_local char last_error[1024] = "";

}  // namespace

falconet_status failed(falconet_status status, const char* text) noexcept {
  size_t length = std::strlen(text);
  if (length >= sizeof last_error) {
    length = sizeof last_error - 1;
    // Not in the middle of a character of UTF-8.
    while (length > 0 && (static_cast<unsigned char>(text[length]) & 0xC0) == 0x80) --length;
  }
  std::memmove(last_error, text, length);
  last_error[length] = '\0';
  return status;
}

static_assert(static_cast<int>(DType::boolean) == FALCONET_BOOL && static_cast<int>(DType::int32) == FALCONET_INT32 &&
              static_cast<int>(DType::int64) == FALCONET_INT64 && static_cast<int>(DType::bfloat16) == FALCONET_BFLOAT16 &&
              static_cast<int>(DType::float32) == FALCONET_FLOAT32 &&
              static_cast<int>(DType::float64) == FALCONET_FLOAT64 && kNumDTypes == FALCONET_FLOAT64 + 1);

}  // namespace falconet::api

using namespace falconet;

extern "C" {

const char* falconet_last_error(void) noexcept { return api::last_error; }

const char* falconet_status_name(falconet_status status) noexcept {
  static constexpr const char* kNames[] = {
      "FALCONET_OK",         "FALCONET_INVALID_ARGUMENT", "FALCONET_WRONG_TYPE",    "FALCONET_BAD_MODEL",
      "FALCONET_FILE_ERROR", "FALCONET_OUT_OF_MEMORY",    "FALCONET_INTERNAL_ERROR"};
  return status >= FALCONET_OK && status <= FALCONET_INTERNAL_ERROR ? kNames[status] : "unknown status";
}

const char* falconet_version(void) noexcept { return FALCONET_VERSION; }

const char* falconet_isa(void) noexcept {
  const char* isa = "";
  api::guarded([&] { isa = kernels().isa; });
  return isa;
}

int32_t falconet_num_threads(void) noexcept {
  int threads = 0;
  api::guarded([&] { threads = pool::num_threads(); });
  return threads;
}

falconet_status falconet_set_num_threads(int32_t threads) noexcept {
  return api::guarded([=] { pool::set_num_threads(threads); });
}

const char* falconet_dtype_name(falconet_dtype dtype) noexcept {
  return dtype >= 0 && dtype < kNumDTypes ? kDTypes[dtype].name.data() : "";
}

size_t falconet_dtype_size(falconet_dtype dtype) noexcept {
  return dtype >= 0 && dtype < kNumDTypes ? kDTypes[dtype].size : 0;
}

}  // extern "C"
