#include "api/arrays.h"

#include <cstring>
#include <limits>

#include "api/error.h"

namespace falconet::api {

namespace {

// For arrays of no bytes, which may come without memory.
alignas(64) unsigned char nothing[64];

std::string dtype_text(falconet_dtype dtype) {
  return dtype >= 0 && dtype < kNumDTypes ? std::string(kDTypes[dtype].name) : join_text("number ", dtype);
}

std::string names_text(const PortTable& ports) {
  constexpr size_t kShown = 8;
  std::string text;
  for (size_t i = 0; i < ports.size() && i < kShown; ++i) text += join_text(i ? ", \"" : "\"", ports.port(i).name, '"');
  return ports.size() > kShown ? text + ", ..." : text;
}

bool overlap(const void* a, int64_t a_bytes, const void* b, int64_t b_bytes) {
  const auto from_a = reinterpret_cast<uintptr_t>(a), from_b = reinterpret_cast<uintptr_t>(b);
  return from_a < from_b + static_cast<uintptr_t>(b_bytes) && from_b < from_a + static_cast<uintptr_t>(a_bytes);
}

}  // namespace

PortTable::PortTable(const std::vector<Port>& ports, const char* kind) : ports_(ports), kind_(kind) {
  for (const Port& p : ports) {
    Size size;
    Affine bytes{size_of(p.spec.dtype), 0};
    int dependent = 0;
    bool fits = p.spec.shape.size() <= kMaxRank;
    const auto times = [&fits](int64_t& a, int64_t b) {
      fits = fits && a >= 0 && b >= 0 && (b == 0 || a <= std::numeric_limits<int64_t>::max() / b);
      if (fits) a *= b;
    };
    for (const Affine& axis : p.spec.shape) {
      depends_on_rows_ |= axis.per_row != 0;
      dependent += axis.per_row != 0;
      if (axis.per_row != 0 && dependent == 1) {
        bytes.per_row = bytes.fixed;
        times(bytes.per_row, axis.per_row);
      } else {
        times(bytes.per_row, axis.fixed);
      }
      times(bytes.fixed, axis.fixed);
    }
    // Up to where no product could be too large; Spec::bytes() and its errors beyond.
    constexpr int64_t kPlain = int64_t{1} << 40;
    if (fits && dependent <= 1 && bytes.fixed <= kPlain && bytes.per_row <= kPlain) {
      size = {bytes.fixed, bytes.per_row, kPlain / (bytes.per_row + 1)};
    }
    sizes_.push_back(size);
  }
}

size_t PortTable::find(const char* name, const char* function) const {
  for (size_t i = 0; i < ports_.size(); ++i) {
    if (ports_[i].name == name) return i;
  }
  fail("[", function, "] there is no ", kind_, " \"", name, "\"; there is ", ports_.empty() ? "none" : names_text(*this));
}

template <class View, class Pointer>
void PortTable::resolve(const View* views, size_t count, int64_t rows, const char* function, Pointer* pointers) const {
  if (count != ports_.size()) {
    fail("[", function, "] got ", count, " ", kind_, "s; ", ports_.size(), " are needed",
         ports_.empty() ? "" : ": " + names_text(*this));
  }
  if (count == 0) return;
  if (!views) fail("[", function, "] `", kind_, "s` is NULL; ", count, " are needed");
  for (size_t i = 0; i < count; ++i) pointers[i] = nullptr;
  for (size_t i = 0; i < count; ++i) {
    const View& v = views[i];
    const size_t at = v.name ? find(v.name, function) : i;
    const Port& port = ports_[at];
    if (pointers[at]) fail("[", function, "] ", kind_, " \"", port.name, "\" came twice");
    if (v.dtype != static_cast<falconet_dtype>(port.spec.dtype)) {
      fail<TypeError>("[", function, "] ", kind_, " \"", port.name, "\" has dtype ", dtype_text(v.dtype), "; ",
                      name_of(port.spec.dtype), " is needed");
    }
    const int64_t want = bytes(at, rows);
    if (v.bytes != static_cast<uint64_t>(want)) {
      fail("[", function, "] ", kind_, " \"", port.name, "\" has ", v.bytes, " bytes; ", want, " are needed for ",
           port.spec.at(rows), depends_on_rows_ ? join_text(", that is ", rows, " rows") : "");
    }
    if (!v.data && want > 0) fail("[", function, "] ", kind_, " \"", port.name, "\" has no data: it is NULL");
    if (reinterpret_cast<uintptr_t>(v.data) % static_cast<uintptr_t>(size_of(port.spec.dtype)) != 0) {
      fail("[", function, "] ", kind_, " \"", port.name, "\" is not aligned to ", size_of(port.spec.dtype), " bytes, as ",
           name_of(port.spec.dtype), " needs");
    }
    pointers[at] = v.data ? v.data : nothing;
  }
}

template void PortTable::resolve(const falconet_input*, size_t, int64_t, const char*, const void**) const;
template void PortTable::resolve(const falconet_output*, size_t, int64_t, const char*, void**) const;

void PortTable::check_apart(const PortTable& outputs, int64_t rows, const void* const* in, void* const* out,
                            const char* function) const {
  for (size_t o = 0; o < outputs.size(); ++o) {
    const int64_t size = outputs.bytes(o, rows);
    if (size == 0) continue;
    for (size_t i = 0; i < ports_.size(); ++i) {
      if (!overlap(out[o], size, in[i], bytes(i, rows)) || bytes(i, rows) == 0) continue;
      fail("[", function, "] output \"", outputs.ports_[o].name, "\" shares memory with input \"", ports_[i].name, '"');
    }
    for (size_t other = 0; other < o; ++other) {
      if (!overlap(out[o], size, out[other], outputs.bytes(other, rows)) || outputs.bytes(other, rows) == 0) continue;
      fail("[", function, "] output \"", outputs.ports_[o].name, "\" shares memory with output \"",
           outputs.ports_[other].name, '"');
    }
  }
}

void Ports::check_rows(int64_t rows, const char* function) const {
  if (rows < 0) fail("[", function, "] `rows` is ", rows, "; it must not be negative");
  if (rows != 1 && !inputs.depends_on_rows() && !outputs.depends_on_rows()) {
    fail("[", function, "] `rows` is ", rows, "; the model has a fixed batch size, so that it must be 1");
  }
}

Port fixed_port(const std::string& name, const Spec& spec) {
  Port port{name, {spec.dtype, {}}};
  for (const int64_t d : spec.shape) port.spec.shape.push_back({d, 0});
  return port;
}

void write_port(const PortTable& ports, size_t index, falconet_port* to, const char* function) {
  if (index >= ports.size()) fail("[", function, "] `index` is ", index, "; there are ", ports.size());
  const Port& from = ports.port(index);
  if (from.spec.shape.size() > kMaxRank) fail("[", function, "] \"", from.name, "\" has more than 8 axes");
  falconet_port port = FALCONET_PORT_INIT;
  port.name = from.name.c_str();
  port.dtype = static_cast<falconet_dtype>(from.spec.dtype);
  port.rank = static_cast<int32_t>(from.spec.shape.size());
  for (size_t d = 0; d < from.spec.shape.size(); ++d) {
    port.fixed[d] = from.spec.shape[d].fixed;
    port.per_row[d] = from.spec.shape[d].per_row;
  }
  write_to(to, port, function, "port");
}

}  // namespace falconet::api

using namespace falconet;

namespace {

// What a caller's struct says, checked.
BatchSpec spec_of(const falconet_port* given, const char* function) {
  const falconet_port port = api::options_of(given, function);
  if (port.dtype < 0 || port.dtype >= kNumDTypes) fail("[", function, "] `port->dtype` is ", port.dtype);
  if (port.rank < 0 || port.rank > FALCONET_MAX_RANK) fail("[", function, "] `port->rank` is ", port.rank);
  BatchSpec spec{static_cast<DType>(port.dtype), {}};
  for (int d = 0; d < port.rank; ++d) spec.shape.push_back({port.fixed[d], port.per_row[d]});
  return spec;
}

}  // namespace

extern "C" {

falconet_status falconet_port_bytes(const falconet_port* port, int64_t rows, size_t* bytes) noexcept {
  return api::guarded([=] {
    api::need(port, "falconet_port_bytes", "port");
    api::need(bytes, "falconet_port_bytes", "bytes");
    if (rows < 0) fail("[falconet_port_bytes] `rows` is ", rows, "; it must not be negative");
    *bytes = static_cast<size_t>(spec_of(port, "falconet_port_bytes").at(rows).bytes());
  });
}

falconet_status falconet_port_shape(const falconet_port* port, int64_t rows, int64_t* shape) noexcept {
  return api::guarded([=] {
    api::need(port, "falconet_port_shape", "port");
    api::need(shape, "falconet_port_shape", "shape");
    if (rows < 0) fail("[falconet_port_shape] `rows` is ", rows, "; it must not be negative");
    const Spec spec = spec_of(port, "falconet_port_shape").at(rows);
    std::copy(spec.shape.begin(), spec.shape.end(), shape);
  });
}

}  // extern "C"
