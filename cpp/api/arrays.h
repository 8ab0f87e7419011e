// The caller's arrays held against a model's ports, without allocating: what run() may trust.
#pragma once

#include <cstdint>
#include <vector>

#include "falconet/falconet.h"
#include "format/model_file.h"
#include "format/model_layout.h"

namespace falconet::api {

// The ports on one side of a function, in a form in which a call costs nanoseconds.
class PortTable {
 public:
  // `kind` for messages: "input". The ports outlive the table.
  PortTable(const std::vector<Port>& ports, const char* kind);

  size_t size() const { return ports_.size(); }
  const Port& port(size_t i) const { return ports_[i]; }
  bool depends_on_rows() const { return depends_on_rows_; }

  // pointers[i] is set to the memory of port i, given by position or by name. ValueError or TypeError naming `function`,
  // the port, what came and what is needed. View: falconet_input or falconet_output.
  template <class View, class Pointer>
  void resolve(const View* views, size_t count, int64_t rows, const char* function, Pointer* pointers) const;

  // Outputs that overlap an input or one another are a ValueError. The arrays have been resolved.
  void check_apart(const PortTable& outputs, int64_t rows, const void* const* in, void* const* out,
                   const char* function) const;

 private:
  // Where at most one axis depends on the rows: fixed + per_row * rows bytes, for rows up to `most`.
  struct Size {
    int64_t fixed = 0, per_row = 0, most = -1;
  };
  int64_t bytes(size_t i, int64_t rows) const {
    const Size& s = sizes_[i];
    return rows <= s.most ? s.fixed + s.per_row * rows : ports_[i].spec.at(rows).bytes();
  }
  size_t find(const char* name, const char* function) const;

  const std::vector<Port>& ports_;
  std::vector<Size> sizes_;
  const char* kind_;
  bool depends_on_rows_ = false;
};

// The two sides of one function.
struct Ports {
  Ports(const std::vector<Port>& in, const std::vector<Port>& out) : inputs(in, "input"), outputs(out, "output") {}

  // Calls run(in, out) with the caller's memory in the order of the ports.
  template <class Run>
  void call(int64_t rows, const falconet_input* in, size_t num_in, const falconet_output* out, size_t num_out,
            const char* function, const Run& run) const {
    check_rows(rows, function);
    const void* from[kMaxPorts];
    void* to[kMaxPorts];
    inputs.resolve(in, num_in, rows, function, from);
    outputs.resolve(out, num_out, rows, function, to);
    inputs.check_apart(outputs, rows, from, to, function);
    run(from, to);
  }
  void check_rows(int64_t rows, const char* function) const;

  PortTable inputs, outputs;
};

// A port of a fixed shape: a weight or a state.
Port fixed_port(const std::string& name, const Spec& spec);

void write_port(const PortTable& ports, size_t index, falconet_port* to, const char* function);

}  // namespace falconet::api
