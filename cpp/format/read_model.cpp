// The model file, read. Every name, number and length in it is somebody's claim.
#include <algorithm>
#include <cstring>
#include <iterator>
#include <set>

#include "format/file.h"
#include "format/graph_json.h"
#include "format/model_file.h"
#include "format/model_layout.h"

namespace falconet {

namespace {

class ModelReader : private ConstantSource {
 public:
  ModelReader(std::shared_ptr<Buffer> buffer, const Container& container, Budget& budget)
      : buffer_(std::move(buffer)), container_(container), budget_(budget) {
    budget_.charge(container.tensors.size() / 8 + Budget::kOverhead);
    used_.resize(container.tensors.size(), false);
  }

  Model run() {
    read_metadata();
    const Array graph = tensor(kGraphTensor);
    if (graph.spec.dtype != DType::uint8 || graph.spec.shape.rank() != 1) {
      fail("[load] tensor \"", kGraphTensor, "\" is ", graph.spec, "; it must be uint8 with one axis");
    }
    JsonReader json({reinterpret_cast<const char*>(graph.data()), static_cast<size_t>(graph.spec.size())}, "graph");
    SeenKeys seen(json);
    json.object([&](const std::string& key) {
      if (key == "variables") {
        seen.add(0, key);
        json.array([&] { variable(json); });
        settle_flats(json);
      } else if (key == "signatures") {
        seen.add(1, key);
        seen.require(0, "variables");
        json.object([&](const std::string& name) { signature(json, name); });
      } else {
        json.unknown_key(key);
      }
    });
    json.end();
    seen.require(1, "signatures");
    if (model_.signatures.empty()) json.refuse("there is no signature");
    for (size_t i = 0; i < used_.size(); ++i) {
      if (!used_[i]) fail("[load] tensor \"", container_.tensors[i].name, "\" belongs to nothing in the file");
    }
    return std::move(model_);
  }

 private:
  void read_metadata() {
    bool has_format = false, has_version = false, has_kind = false;
    if (const std::string* kind = container_.meta("kind"); kind && *kind != kKind) {
      fail("[load] the file holds a ", kind->substr(0, 20), " that `save` wrote; `export` writes what is needed here");
    }
    for (const auto& [key, value] : container_.metadata) {
      if (key == "format") {
        has_format = value == kFormat;
      } else if (key == "version") {
        has_version = true;
        if (value != kVersion)
          fail("[load] the file has format version ", value.substr(0, 20), "; this Falconet reads ", kVersion);
      } else if (key == "kind") {
        has_kind = true;
      } else if (key == "producer") {
        model_.producer = value;
      } else if (key.starts_with(kUserPrefix)) {
        model_.metadata[key.substr(kUserPrefix.size())] = value;
      } else {
        fail("[load] unknown metadata \"", key.substr(0, 100), '"');
      }
    }
    if (!has_format || !has_version || !has_kind) {
      fail("[load] not a Falconet model file: the metadata \"format\", \"version\" and \"kind\" are needed");
    }
  }

  Array tensor(std::string_view name) {
    const TensorEntry* entry = container_.find(name);
    if (!entry) fail("[load] tensor \"", name, "\" is missing");
    if (used_[entry - container_.tensors.data()]) fail("[load] tensor \"", name, "\" is used twice");
    used_[entry - container_.tensors.data()] = true;
    const auto offset = static_cast<size_t>(container_.payload - buffer_->data()) + entry->begin;
    Array array{entry->spec, buffer_, offset};
    if (offset % kAlignment != 0) {
      // A writer that does not pad: such arrays are copied.
      budget_.charge(static_cast<size_t>(entry->spec.bytes()) + 2 * kAlignment + 4 * Budget::kOverhead);
      array = Array::allocate(entry->spec);
      std::memcpy(array.data(), container_.payload + entry->begin, static_cast<size_t>(entry->spec.bytes()));
    }
    if (array.spec.dtype == DType::boolean) {
      const auto* bytes = reinterpret_cast<const uint8_t*>(array.data());
      if (std::any_of(bytes, bytes + array.spec.bytes(), [](uint8_t b) { return b > 1; })) {
        fail("[load] tensor \"", name, "\" is bool and has bytes besides 0 and 1");
      }
    }
    return array;
  }
  Array constant(const std::string& name) override { return tensor(name); }

  void variable(JsonReader& json) {
    ModelVariable made;
    SeenKeys seen(json);
    json.object([&](const std::string& key) {
      if (key == "name") {
        seen.add(0, key);
        made.name = json.string();
      } else if (key == "role") {
        seen.add(1, key);
        made.role = json.string();
        if (std::find(std::begin(kRoles), std::end(kRoles), made.role) == std::end(kRoles)) {
          json.refuse("a variable has the unknown role \"", made.role, '"');
        }
      } else if (key == "trainable") {
        seen.add(2, key);
        made.trainable = json.boolean();
      } else if (key == "flat") {
        seen.add(3, key);
        int count = 0;
        json.array([&] {
          const int64_t v = json.integer();
          if (count > 1 || v < 0 || (count == 0 && v > 1 << 20))
            json.refuse("\"flat\" must be a variable and a position in it");
          if (count++ == 0) {
            made.flat = static_cast<int>(v);
          } else {
            made.flat_begin = v;
          }
        });
        if (count != 2) json.refuse("\"flat\" must be a variable and a position in it");
      } else {
        json.unknown_key(key);
      }
    });
    seen.require(0, "name");
    seen.require(1, "role");
    if (made.role == kFlatRole) {
      if (made.flat >= 0) json.refuse("a flat variable is part of another");
    } else {
      made.value = tensor(made.name);
      made.spec = made.value.spec;
    }
    budget_.charge(made.name.size() + made.role.size() + 2 * Budget::kOverhead);
    budget_.push_back(model_.variables, std::move(made));
  }

  // Parts must cover each flat variable, one after another; its size follows from theirs.
  void settle_flats(JsonReader& json) {
    std::vector<ModelVariable>& all = model_.variables;
    std::vector<int> parts;
    for (size_t i = 0; i < all.size(); ++i) {
      if (all[i].flat < 0) continue;
      if (all[i].flat >= static_cast<int>(all.size()) || all[all[i].flat].role != kFlatRole) {
        json.refuse("variable \"", all[i].name, "\" is said to be part of variable ", all[i].flat,
                    ", which is not a flat one");
      }
      budget_.push_back(parts, static_cast<int>(i));
    }
    std::sort(parts.begin(), parts.end(), [&](int a, int b) {
      const auto key = [&](int i) { return std::tuple(all[i].flat, all[i].flat_begin, all[i].spec.size()); };
      return key(a) < key(b);
    });
    for (int i : parts) {
      ModelVariable& flat = all[all[i].flat];
      if (flat.spec.shape.empty()) flat.spec = {all[i].spec.dtype, {0}};
      if (flat.spec.dtype != all[i].spec.dtype || flat.spec.shape[0] != all[i].flat_begin) {
        json.refuse("variable \"", all[i].name, "\" lies at ", all[i].flat_begin, " of \"", flat.name, "\"; ",
                    name_of(flat.spec.dtype), " at ", flat.spec.shape[0], " is needed");
      }
      flat.spec.shape[0] += all[i].spec.size();
    }
    for (const ModelVariable& v : all) {
      if (v.role == kFlatRole && v.spec.shape.empty()) json.refuse("the flat variable \"", v.name, "\" has no parts");
    }
  }

  void ports(JsonReader& json, std::vector<Port>& to) {
    json.array([&] {
      Port port;
      SeenKeys seen(json);
      json.object([&](const std::string& key) {
        if (key == "name") {
          seen.add(0, key);
          port.name = json.string();
        } else if (key == "dtype" || key == "shape") {
          seen.add(key == "dtype" ? 1 : 2, key);
          port.spec = read_spec_member(json, key, std::move(port.spec));
        } else {
          json.unknown_key(key);
        }
      });
      for (auto [bit, key] : {std::pair{0u, "name"}, {1u, "dtype"}, {2u, "shape"}}) seen.require(bit, key);
      for (const Port& other : to) {
        if (other.name == port.name) json.refuse("two inputs or outputs are called \"", port.name, '"');
      }
      if (to.size() >= kMaxPorts) json.refuse("more than ", kMaxPorts, " inputs or outputs");
      budget_.charge(port.name.size() + Budget::kOverhead + port.spec.shape.capacity() * sizeof(Affine));
      budget_.push_back(to, std::move(port));
    });
  }

  void test_vector(JsonReader& json, TestVector& to) {
    SeenKeys seen(json);
    json.object([&](const std::string& key) {
      if (key == "rows") {
        seen.add(0, key);
        to.rows = json.integer();
        if (to.rows < 1 || to.rows > kMaxTestRows)
          json.refuse("a test of ", to.rows, " rows; 1 to ", kMaxTestRows, " are allowed");
      } else if (key == "inputs" || key == "outputs") {
        seen.add(key == "inputs" ? 1 : 2, key);
        std::vector<Array>& arrays = key == "inputs" ? to.inputs : to.outputs;
        json.array([&] { budget_.push_back(arrays, tensor(json.string())); });
      } else {
        json.unknown_key(key);
      }
    });
    for (auto [bit, key] : {std::pair{0u, "rows"}, {1u, "inputs"}, {2u, "outputs"}}) seen.require(bit, key);
  }

  void signature(JsonReader& json, const std::string& name) {
    if (std::find(std::begin(kSignatures), std::end(kSignatures), name) == std::end(kSignatures)) {
      json.refuse("unknown signature \"", name, '"');
    }
    if (model_.signatures.count(name)) json.refuse("signature \"", name, "\" comes twice");
    Signature made;
    GraphContext context{*this, static_cast<int>(model_.variables.size()), budget_};
    GraphReader graph(json, context);
    SeenKeys seen(json);
    json.object([&](const std::string& key) {
      if (key == "inputs") {
        seen.add(0, key);
        ports(json, made.inputs);
      } else if (key == "outputs") {
        seen.add(1, key);
        ports(json, made.outputs);
      } else if (key == "test") {
        seen.add(2, key);
        test_vector(json, made.test);
      } else if (!graph.member(key)) {
        json.unknown_key(key);
      }
    });
    seen.require(0, "inputs");
    seen.require(1, "outputs");
    made.graph = graph.finish();
    check_signature(json, name, made);
    budget_.charge(sizeof(Signature) + name.size() + 8 * Budget::kOverhead);
    model_.signatures.emplace(name, std::move(made));
  }

  void check_signature(JsonReader& json, const std::string& name, const Signature& s) {
    size_t at = 0;
    for (const BatchNode& node : s.graph->nodes) {
      if (node.op != &op("input")) continue;
      if (at == s.inputs.size() || node.leaf->spec.dtype != s.inputs[at].spec.dtype ||
          node.leaf->spec.shape != s.inputs[at].spec.shape) {
        json.refuse("the inputs of signature \"", name, "\" are not those of its graph");
      }
      ++at;
    }
    if (at != s.inputs.size() || s.outputs.size() != s.graph->outputs.size()) {
      json.refuse("signature \"", name, "\" has ", s.inputs.size(), " inputs and ", s.outputs.size(),
                  " outputs, its graph ", at, " and ", s.graph->outputs.size());
    }
    if (s.test.rows == 0) return;
    const auto agree = [&](const std::vector<Port>& ports, const std::vector<Array>& arrays) {
      bool equal = ports.size() == arrays.size();
      for (size_t i = 0; equal && i < ports.size(); ++i) equal = ports[i].spec.at(s.test.rows) == arrays[i].spec;
      if (!equal) json.refuse("the test of signature \"", name, "\" has other arrays than its inputs and outputs");
    };
    agree(s.inputs, s.test.inputs);
    agree(s.outputs, s.test.outputs);
  }

  std::shared_ptr<Buffer> buffer_;
  const Container& container_;
  Budget& budget_;
  std::vector<bool> used_;
  Model model_;
};

Model read(const std::byte* data, size_t bytes, std::shared_ptr<void> owner, const ReadOptions& options,
           Budget& budget) {
  const Container container = parse_container(data, bytes, options.verify_checksum, budget);
  // Only ever read: states that are written are copies (Model::make_states).
  auto buffer = Buffer::borrow(const_cast<std::byte*>(data), bytes, std::move(owner));
  return ModelReader(std::move(buffer), container, budget).run();
}

}  // namespace

Model read_model(const std::string& path, const ReadOptions& options) {
  const FileBytes file = map_file(path);
  Budget budget(file.bytes);
  if (!file.mapped) budget.charge(file.bytes);
  try {
    return read(file.data, file.bytes, file.owner, options, budget);
  } catch (const TypeError& e) {
    fail(e.what(), " (in ", path, ")");
  } catch (const ValueError& e) {
    fail(e.what(), " (in ", path, ")");
  }
}

Model read_model(const void* data, size_t bytes, std::shared_ptr<void> owner, const ReadOptions& options) {
  Budget budget(bytes);
  const auto* from = static_cast<const std::byte*>(data);
  if (reinterpret_cast<uintptr_t>(data) % kAlignment == 0 && owner)
    return read(from, bytes, std::move(owner), options, budget);
  budget.charge(bytes);
  std::shared_ptr<Buffer> copy = Buffer::allocate(bytes);
  if (bytes) std::memcpy(copy->data(), data, bytes);
  return read(copy->data(), bytes, copy, options, budget);
}

}  // namespace falconet
