// A safetensors file: named arrays and text, read as if it came from an enemy.
//
//   bytes 0..8   length of the header, little-endian
//   header       JSON: {"__metadata__": {"key": "text", ...}, "name": {"dtype": "F32", "shape": [2, 3],
//                "data_offsets": [0, 24]}, ...}, padded with spaces so that the payload starts at a multiple of 64
//   payload      the arrays, little-endian, in the order of their offsets, without gaps, to the end of the file
//
// Entries named "__pad__/<i>" fill up to the next multiple of 64 between arrays; readers here drop them. The metadata
// "checksum" is "crc32:" and eight hexadecimal digits: the CRC-32 of the whole file with these digits being 0.
#pragma once

#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/shape.h"
#include "format/budget.h"

namespace falconet {

struct TensorEntry {
  std::string name;
  Spec spec;
  size_t begin = 0;  // in the payload; its end is begin + spec.bytes()
};

struct Container {
  static constexpr size_t kMaxHeader = size_t{16} << 20;
  static constexpr size_t kMaxTensors = 65536;

  std::vector<TensorEntry> tensors;                           // by name
  std::vector<std::pair<std::string, std::string>> metadata;  // without "checksum"
  const std::byte* payload = nullptr;

  const TensorEntry* find(std::string_view name) const;  // null where there is none
  const std::string* meta(std::string_view key) const;
};

// ValueError naming what is wrong. Memory is charged to `budget` before it is taken.
Container parse_container(const std::byte* data, size_t bytes, bool verify_checksum, Budget& budget);

// What is written: arrays in the order given, and metadata.
class ContainerWriter {
 public:
  // The bytes must stay until `bytes()` or `write` was called.
  void add(std::string name, const Spec& spec, const void* data);
  void set_meta(std::string key, std::string value);

  // What stands before the payload: length, header with its checksum, and blanks. The arrays follow, each filled up
  // with zeros to a multiple of 64 bytes.
  std::string head() const;
  std::string bytes() const;
  // Whole or not at all: a temporary file beside it is flushed to disk and put in its place. ValueError where the
  // system refuses.
  void write(const std::string& path) const;

 private:
  struct Item {
    std::string name;
    Spec spec;
    const void* data;
  };
  std::string header() const;
  template <class Sink>
  void payload(const Sink& sink) const;
  std::vector<Item> items_;
  std::set<std::string> names_;
  std::vector<std::pair<std::string, std::string>> metadata_;
};

// Writes the right checksum into the bytes of a file that has the place for one; false where it has none. For tests
// that change files.
bool seal(std::byte* data, size_t bytes);

}  // namespace falconet
