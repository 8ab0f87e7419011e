// What a call of the C API says when it fails: a status, and a text that its thread keeps.
#pragma once

#include <algorithm>
#include <cstring>
#include <new>

#include "base/error.h"
#include "falconet/falconet.h"
#include "format/file.h"

namespace falconet::api {

// Keeps the text for falconet_last_error() and returns the status.
falconet_status failed(falconet_status status, const char* text) noexcept;

// Runs body() and turns whatever it throws into a status; ValueErrors, which can be a caller's or a file's fault, into
// `value_error`.
template <class Body>
falconet_status guarded(const Body& body, falconet_status value_error = FALCONET_INVALID_ARGUMENT) noexcept {
  try {
    body();
    return FALCONET_OK;
  } catch (const FileError& e) {
    return failed(FALCONET_FILE_ERROR, e.what());
  } catch (const ValueError& e) {
    return failed(value_error, e.what());
  } catch (const TypeError& e) {
    return failed(value_error == FALCONET_INVALID_ARGUMENT ? FALCONET_WRONG_TYPE : value_error, e.what());
  } catch (const std::bad_alloc&) {
    return failed(FALCONET_OUT_OF_MEMORY, "out of memory");
  } catch (const std::exception& e) {
    return failed(FALCONET_INTERNAL_ERROR, e.what());
  } catch (...) {
    return failed(FALCONET_INTERNAL_ERROR, "an exception of unknown type");
  }
}

// ValueError where an argument is null.
inline void need(const void* argument, const char* function, const char* name) {
  if (!argument) fail("[", function, "] `", name, "` is NULL");
}

// The caller's options, whatever version of the struct it was compiled with: what it does not have is 0.
template <class Options>
Options options_of(const Options* given, const char* function) {
  Options options = {};
  options.size = sizeof options;
  if (!given) return options;
  if (given->size < sizeof given->size || given->size > 4096) {
    fail("[", function, "] `options->size` is ", given->size, "; set it with the struct's _INIT macro");
  }
  const auto* bytes = reinterpret_cast<const unsigned char*>(given);
  for (size_t i = sizeof options; i < given->size; ++i) {
    if (bytes[i] != 0) fail("[", function, "] `options` asks for what this version of the library does not know");
  }
  std::memcpy(&options, given, std::min(given->size, sizeof options));
  return options;
}

// Writes `value` into a struct of the caller's, as much of it as its version has.
template <class Struct>
void write_to(Struct* given, const Struct& value, const char* function, const char* name) {
  need(given, function, name);
  const size_t size = given->size;
  if (size < sizeof given->size || size > 4096) {
    fail("[", function, "] `", name, "->size` is ", size, "; set it with the struct's _INIT macro");
  }
  std::memcpy(given, &value, std::min(size, sizeof value));
  if (size > sizeof value) std::memset(reinterpret_cast<unsigned char*>(given) + sizeof value, 0, size - sizeof value);
  given->size = size;
}

}  // namespace falconet::api
