// Files: mapped for reading, written whole or not at all.
#pragma once

#include <cstddef>
#include <cstdio>
#include <memory>
#include <string>

#include "base/buffer.h"
#include "base/error.h"

namespace falconet {

// A file that cannot be opened, read or written.
struct FileError : ValueError {
  using ValueError::ValueError;
};

struct FileBytes {
  std::shared_ptr<void> owner;  // keeps the bytes
  const std::byte* data = nullptr;
  size_t bytes = 0;
  bool mapped = false;  // false: read into memory of its own
};

// The file's bytes, mapped read-only where the system can; page-aligned or aligned to 64. FileError where there is no
// such file, or it is not an ordinary one. A mapped file must be replaced (as AtomicFile does), never changed in place.
FileBytes map_file(const std::string& path);

// A file under a temporary name beside `path` until commit(), which flushes it to disk and renames it.
class AtomicFile {
 public:
  explicit AtomicFile(const std::string& path);
  AtomicFile(const AtomicFile&) = delete;
  ~AtomicFile();  // without commit: the temporary file goes, `path` stays as it was
  void append(const void* data, size_t bytes);
  void commit();

 private:
  std::string path_, temporary_;
  std::FILE* file_ = nullptr;
};

}  // namespace falconet
