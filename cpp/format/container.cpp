#include "format/container.h"

#include <algorithm>
#include <bit>
#include <cstring>

#include "format/crc32.h"
#include "format/file.h"
#include "format/json.h"

namespace falconet {

static_assert(std::endian::native == std::endian::little,
              "arrays in files are little-endian and are used where they lie");

namespace {

constexpr std::string_view kPad = "__pad__/", kCodes[kNumDTypes] = {"BOOL", "U8",  "I8",  "U16",  "I16", "U32", "I32",
                                                                    "U64",  "I64", "F16", "BF16", "F32", "F64"};
constexpr std::string_view kChecksum = "crc32:";
constexpr size_t kDigits = 8;
constexpr size_t kAlign = 64;

size_t padding(size_t at) { return (kAlign - at % kAlign) % kAlign; }

uint32_t checksum(const std::byte* data, size_t bytes, size_t digits_at) {
  const uint32_t before = crc32("00000000", kDigits, crc32(data, digits_at));
  return crc32(data + digits_at + kDigits, bytes - digits_at - kDigits, before);
}

void write_digits(char* to, uint32_t value) {
  for (size_t i = 0; i < kDigits; ++i) to[i] = "0123456789abcdef"[value >> 4 * (kDigits - 1 - i) & 15];
}

size_t header_bytes(const std::byte* data, size_t bytes) {
  if (bytes < 8) fail("[load] not a model file: it has ", bytes, " bytes");
  uint64_t length = 0;
  std::memcpy(&length, data, 8);
  if (length > bytes - 8 || length > Container::kMaxHeader) {
    fail("[load] not a model file, or cut short: the header claims ", length, " bytes, ", bytes - 8,
         " follow and at most ", Container::kMaxHeader, " are allowed");
  }
  return static_cast<size_t>(length);
}

class HeaderParser {
 public:
  HeaderParser(std::string_view text, size_t payload_bytes, Budget& budget)
      : text_(text), json_(text, "header"), payload_bytes_(payload_bytes), budget_(budget) {}

  void run(Container& to) {
    bool has_metadata = false;
    json_.object([&](const std::string& key) {
      if (key == "__metadata__") {
        if (has_metadata) json_.refuse("__metadata__ comes twice");
        has_metadata = true;
        return metadata(to);
      }
      if (entries_.size() >= 2 * Container::kMaxTensors) json_.refuse("more than ", Container::kMaxTensors, " tensors");
      entry(key);
    });
    json_.end();
    check_offsets();
    for (TensorEntry& e : entries_) {
      if (e.name.starts_with(kPad)) continue;
      if (to.tensors.size() >= Container::kMaxTensors) json_.refuse("more than ", Container::kMaxTensors, " tensors");
      budget_.push_back(to.tensors, std::move(e));
    }
    std::sort(to.tensors.begin(), to.tensors.end(), [](const auto& a, const auto& b) { return a.name < b.name; });
    for (size_t i = 1; i < to.tensors.size(); ++i) {
      if (to.tensors[i].name == to.tensors[i - 1].name) json_.refuse("tensor \"", to.tensors[i].name, "\" comes twice");
    }
  }

  size_t digits_at = 0;  // of the checksum, in the header's text

 private:
  void metadata(Container& to) {
    json_.object([&](const std::string& key) {
      std::string value = json_.string(Container::kMaxHeader);
      if (key == "checksum") {
        const size_t end = json_.position() - 1;
        if (digits_at || value.size() != kChecksum.size() + kDigits || !value.starts_with(kChecksum) ||
            text_.substr(end - value.size(), value.size()) != value) {
          json_.refuse("the checksum must be given once, as \"crc32:\" and 8 hexadecimal digits");
        }
        digits_at = end - kDigits;
        return;
      }
      if (to.meta(key)) json_.refuse("metadata \"", key, "\" comes twice");
      if (to.metadata.size() >= 256) json_.refuse("more than 256 entries of metadata");
      budget_.charge(key.size() + value.capacity() + 2 * Budget::kOverhead);
      budget_.push_back(to.metadata, {key, std::move(value)});
    });
  }

  void entry(const std::string& name) {
    TensorEntry e;
    int64_t begin = -1, end = -1;
    SeenKeys seen(json_);
    json_.object([&](const std::string& key) {
      if (key == "dtype") {
        seen.add(0, key);
        const std::string code = json_.string();
        const auto at = std::find(std::begin(kCodes), std::end(kCodes), code);
        if (at == std::end(kCodes)) json_.refuse("tensor \"", name, "\" has the unknown dtype \"", code, '"');
        e.spec.dtype = static_cast<DType>(at - std::begin(kCodes));
      } else if (key == "shape") {
        seen.add(1, key);
        json_.array([&] {
          if (e.spec.shape.rank() == kMaxRank) json_.refuse("tensor \"", name, "\" has more than ", kMaxRank, " axes");
          e.spec.shape.push_back(json_.integer());
        });
      } else if (key == "data_offsets") {
        seen.add(2, key);
        int count = 0;
        json_.array([&] {
          if (count == 2) json_.refuse("tensor \"", name, "\" has more than two offsets");
          (count++ == 0 ? begin : end) = json_.integer();
        });
      } else {
        json_.unknown_key(key);
      }
    });
    for (auto [bit, key] : {std::pair{0u, "dtype"}, {1u, "shape"}, {2u, "data_offsets"}}) seen.require(bit, key);
    // A size may not exceed the payload, nor may their product: sizes of empty arrays are held to the same.
    int64_t count = 1;
    bool empty = false;
    const auto limit = static_cast<int64_t>(payload_bytes_);
    for (int64_t d : e.spec.shape) {
      if (d < 0 || (d > 0 && count > limit / d))
        json_.refuse("tensor \"", name, "\" has the shape ", e.spec.shape, "; the payload has ", limit, " bytes");
      empty |= d == 0;
      if (d > 0) count *= d;
    }
    if (count > limit / size_of(e.spec.dtype) && !empty)
      json_.refuse("tensor \"", name, "\" of ", e.spec, " is larger than the payload of ", limit, " bytes");
    if (begin < 0 || end < begin || end > limit || end - begin != e.spec.bytes()) {
      json_.refuse("tensor \"", name, "\" of ", e.spec, " needs ", e.spec.bytes(), " bytes; its offsets are ", begin,
                   " and ", end, " in a payload of ", limit, " bytes");
    }
    e.begin = static_cast<size_t>(begin);
    e.name = name;
    budget_.charge(name.size() + Budget::kOverhead);
    budget_.push_back(entries_, std::move(e));
  }

  void check_offsets() {
    std::sort(entries_.begin(), entries_.end(), [](const TensorEntry& a, const TensorEntry& b) {
      return a.begin != b.begin ? a.begin < b.begin : a.spec.bytes() < b.spec.bytes();
    });
    size_t at = 0;
    for (const TensorEntry& e : entries_) {
      if (e.begin != at)
        json_.refuse("tensor \"", e.name, "\" starts at byte ", e.begin, " of the payload; the one before it ends at ",
                     at);
      at += static_cast<size_t>(e.spec.bytes());
    }
    if (at != payload_bytes_)
      json_.refuse("the tensors have ", at, " bytes, the payload has ", payload_bytes_,
                   "; the file was cut or changed");
  }

  std::string_view text_;
  JsonReader json_;
  size_t payload_bytes_;
  Budget& budget_;
  std::vector<TensorEntry> entries_;
};

}  // namespace

const TensorEntry* Container::find(std::string_view name) const {
  const auto at = std::lower_bound(tensors.begin(), tensors.end(), name,
                                   [](const TensorEntry& e, std::string_view n) { return e.name < n; });
  return at != tensors.end() && at->name == name ? &*at : nullptr;
}

const std::string* Container::meta(std::string_view key) const {
  for (const auto& [name, value] : metadata) {
    if (name == key) return &value;
  }
  return nullptr;
}

Container parse_container(const std::byte* data, size_t bytes, bool verify_checksum, Budget& budget) {
  const size_t length = header_bytes(data, bytes);
  const std::string_view text(reinterpret_cast<const char*>(data) + 8, length);
  Container found;
  HeaderParser parser(text, bytes - 8 - length, budget);
  parser.run(found);
  found.payload = data + 8 + length;
  if (!parser.digits_at) fail("[load] header: the checksum is missing");
  if (verify_checksum) {
    char digits[kDigits];
    write_digits(digits, checksum(data, bytes, 8 + parser.digits_at));
    if (text.substr(parser.digits_at, kDigits) != std::string_view(digits, kDigits)) {
      fail("[load] the checksum is ", std::string_view(digits, kDigits), "; the file says ",
           text.substr(parser.digits_at, kDigits), ": it was damaged or changed after it was written");
    }
  }
  return found;
}

void ContainerWriter::add(std::string name, const Spec& spec, const void* data) {
  if (name == "__metadata__" || name.starts_with(kPad)) fail("[save] the tensor name \"", name, "\" is reserved");
  if (!names_.insert(name).second) fail("[save] the tensor name \"", name, "\" is used twice");
  if (items_.size() >= Container::kMaxTensors) fail("[save] more than ", Container::kMaxTensors, " tensors");
  items_.push_back({std::move(name), spec, data});
}

void ContainerWriter::set_meta(std::string key, std::string value) {
  metadata_.push_back({std::move(key), std::move(value)});
}

std::string ContainerWriter::header() const {
  std::string text = "{\"__metadata__\":{\"checksum\":\"crc32:00000000\"";
  for (const auto& [key, value] : metadata_) {
    text += ',';
    append_json_string(text, key);
    text += ':';
    append_json_string(text, value);
  }
  text += '}';
  size_t at = 0, pads = 0;
  const auto entry = [&](std::string_view name, std::string_view code, const Shape& shape, size_t bytes) {
    text += ',';
    append_json_string(text, name);
    text += ":{\"dtype\":\"" + std::string(code) + "\",\"shape\":[";
    for (int d = 0; d < shape.rank(); ++d) text += (d ? "," : "") + std::to_string(shape[d]);
    text += "],\"data_offsets\":[" + std::to_string(at) + "," + std::to_string(at + bytes) + "]}";
    at += bytes;
  };
  for (const Item& item : items_) {
    entry(item.name, kCodes[static_cast<int>(item.spec.dtype)], item.spec.shape,
          static_cast<size_t>(item.spec.bytes()));
    const size_t gap = padding(at);
    if (gap) entry(std::string(kPad) + std::to_string(pads++), "U8", Shape{static_cast<int64_t>(gap)}, gap);
  }
  text += '}';
  text.append(padding(8 + text.size()), ' ');
  if (text.size() > Container::kMaxHeader)
    fail("[save] the header has ", text.size(), " bytes; at most ", Container::kMaxHeader, " are allowed");
  return text;
}

// Hands the payload to sink(data, bytes) piece by piece.
template <class Sink>
void ContainerWriter::payload(const Sink& sink) const {
  static const char zeros[kAlign] = {};
  size_t at = 0;
  for (const Item& item : items_) {
    const auto bytes = static_cast<size_t>(item.spec.bytes());
    if (bytes) sink(item.data, bytes);
    at += bytes;
    if (const size_t gap = padding(at)) {
      sink(zeros, gap);
      at += gap;
    }
  }
}

std::string ContainerWriter::head() const {
  std::string head = header();
  const uint64_t length = head.size();
  head.insert(0, reinterpret_cast<const char*>(&length), 8);
  uint32_t sum = crc32(head.data(), head.size());
  payload([&](const void* data, size_t bytes) { sum = crc32(data, bytes, sum); });
  write_digits(head.data() + head.find(kChecksum) + kChecksum.size(), sum);
  return head;
}

std::string ContainerWriter::bytes() const {
  std::string all = head();
  payload([&](const void* data, size_t bytes) { all.append(static_cast<const char*>(data), bytes); });
  return all;
}

void ContainerWriter::write(const std::string& path) const {
  const std::string first = head();
  AtomicFile file(path);
  file.append(first.data(), first.size());
  payload([&](const void* data, size_t bytes) { file.append(data, bytes); });
  file.commit();
}

bool seal(std::byte* data, size_t bytes) {
  if (bytes < 8) return false;
  uint64_t length = 0;
  std::memcpy(&length, data, 8);
  const std::string_view text(reinterpret_cast<const char*>(data) + 8, std::min<uint64_t>(length, bytes - 8));
  const size_t at = text.find("\"checksum\":\"crc32:");
  if (at == std::string_view::npos || at + 18 + kDigits > text.size()) return false;
  const size_t digits_at = 8 + at + 18;
  write_digits(reinterpret_cast<char*>(data) + digits_at, checksum(data, bytes, digits_at));
  return true;
}

}  // namespace falconet
