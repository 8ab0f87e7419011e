#include "format/file.h"

#include <atomic>
#include <cerrno>
#include <cstring>
#include <filesystem>

#include "base/error.h"

#ifdef _WIN32
#include <io.h>
#include <process.h>
#else
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#endif

namespace falconet {

namespace {

[[noreturn]] void refuse(const char* tag, const std::string& path, const char* what) {
  fail<FileError>("[", tag, "] ", path, ": ", what, ": ", std::strerror(errno));
}

#ifdef _WIN32

long process_id() { return _getpid(); }
bool flush_to_disk(std::FILE* file) { return _commit(_fileno(file)) == 0; }

#else

long process_id() { return getpid(); }
bool flush_to_disk(std::FILE* file) { return fsync(fileno(file)) == 0; }

// So that the new name survives a power loss too; systems that cannot flush a folder keep the file itself.
void flush_folder(const std::string& path) {
  std::filesystem::path folder = std::filesystem::path(path).parent_path();
  if (folder.empty()) folder = ".";
  const int fd = open(folder.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return;
  fsync(fd);
  close(fd);
}

struct Mapping {
  void* at;
  size_t bytes;
  ~Mapping() { munmap(at, bytes); }
};

struct Descriptor {
  int fd;
  ~Descriptor() { close(fd); }
};

#endif

}  // namespace

#ifdef _WIN32

FileBytes map_file(const std::string& path) {
  std::error_code error;
  if (!std::filesystem::is_regular_file(path, error)) fail<FileError>("[load] ", path, ": there is no such file");
  std::FILE* file = std::fopen(path.c_str(), "rb");
  if (!file) refuse("load", path, "cannot be opened");
  const auto bytes = static_cast<size_t>(std::filesystem::file_size(path));
  std::shared_ptr<Buffer> buffer = Buffer::allocate(bytes);
  const size_t read = std::fread(buffer->data(), 1, bytes, file);
  std::fclose(file);
  if (read != bytes) fail<FileError>("[load] ", path, ": cut short while it was read");
  return {buffer, buffer->data(), bytes, false};
}

#else

FileBytes map_file(const std::string& path) {
  // Without waiting: a pipe of that name must not hang the process.
  const Descriptor file{open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK)};
  if (file.fd < 0) refuse("load", path, "cannot be opened");
  struct stat info;
  if (fstat(file.fd, &info) != 0) refuse("load", path, "cannot be read");
  if (!S_ISREG(info.st_mode)) fail<FileError>("[load] ", path, ": is not an ordinary file");
  const auto bytes = static_cast<size_t>(info.st_size);
  if (bytes == 0) return {nullptr, nullptr, 0, false};
  // One page more than the file, and zeros in it: kernels may read a whole vector at an array's last element.
  const auto page = static_cast<size_t>(sysconf(_SC_PAGESIZE));
  const size_t reserved = (bytes + page - 1) / page * page + page;
  void* at = mmap(nullptr, reserved, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (at == MAP_FAILED) refuse("load", path, "cannot be mapped");
  if (mmap(at, bytes, PROT_READ, MAP_PRIVATE | MAP_FIXED, file.fd, 0) == MAP_FAILED) {
    munmap(at, reserved);
    refuse("load", path, "cannot be mapped");
  }
  return {std::shared_ptr<void>(new Mapping{at, reserved}, [](void* m) { delete static_cast<Mapping*>(m); }),
          static_cast<const std::byte*>(at), bytes, true};
}

#endif

AtomicFile::AtomicFile(const std::string& path) : path_(path) {
  static std::atomic<int> count{0};
  temporary_ = path + "." + std::to_string(process_id()) + "." + std::to_string(count++) + ".tmp";
  file_ = std::fopen(temporary_.c_str(), "wb");
  if (!file_) refuse("save", path, "cannot be written");
}

AtomicFile::~AtomicFile() {
  if (file_) std::fclose(file_);
  if (!temporary_.empty()) std::remove(temporary_.c_str());
}

void AtomicFile::append(const void* data, size_t bytes) {
  if (std::fwrite(data, 1, bytes, file_) != bytes) refuse("save", path_, "cannot be written");
}

void AtomicFile::commit() {
  if (std::fflush(file_) != 0 || !flush_to_disk(file_)) refuse("save", path_, "cannot be written");
  const int closed = std::fclose(file_);
  file_ = nullptr;
  if (closed != 0) refuse("save", path_, "cannot be written");
  std::error_code error;
  std::filesystem::rename(temporary_, path_, error);
  if (error) fail("[save] ", path_, ": cannot be replaced: ", error.message());
  temporary_.clear();
#ifndef _WIN32
  flush_folder(path_);
#endif
}

}  // namespace falconet
