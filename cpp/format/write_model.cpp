// The model file, written.
#include "format/container.h"
#include "format/graph_json.h"
#include "format/model_file.h"
#include "format/model_layout.h"

namespace falconet {

namespace {

class ModelWriter : private GraphWriter {
 public:
  ModelWriter(const Model& model, ContainerWriter& to) : model_(model), to_(to) {}

  void run() {
    to_.set_meta("format", std::string(kFormat));
    to_.set_meta("version", std::string(kVersion));
    to_.set_meta("kind", std::string(kKind));
    to_.set_meta("producer", model_.producer);
    for (const auto& [key, value] : model_.metadata) to_.set_meta(std::string(kUserPrefix) + key, value);
    text_ = "{\"variables\":[";
    for (size_t i = 0; i < model_.variables.size(); ++i) variable(model_.variables[i], i == 0);
    text_ += "],\n\"signatures\":{";
    bool first = true;
    for (const auto& [name, signature] : model_.signatures) {
      text_ += first ? "\n" : ",\n";
      first = false;
      write_signature(name, signature);
    }
    text_ += "}}";
    to_.add(std::string(kGraphTensor), {DType::uint8, {static_cast<int64_t>(text_.size())}}, text_.data());
  }

 private:
  void variable(const ModelVariable& v, bool first) {
    text_ += first ? "\n{\"name\":" : ",\n{\"name\":";
    append_json_string(text_, v.name);
    text_ += ",\"role\":";
    append_json_string(text_, v.role);
    if (v.trainable) text_ += ",\"trainable\":true";
    if (v.flat >= 0) text_ += ",\"flat\":[" + std::to_string(v.flat) + "," + std::to_string(v.flat_begin) + "]";
    text_ += '}';
    if (v.role != kFlatRole) to_.add(v.name, v.spec, v.value.data());
  }

  void write_ports(const char* key, const std::vector<Port>& ports) {
    text_ += "\"" + std::string(key) + "\":[";
    for (size_t i = 0; i < ports.size(); ++i) {
      text_ += i ? ",{\"name\":" : "{\"name\":";
      append_json_string(text_, ports[i].name);
      text_ += ",\"dtype\":";
      append_json_string(text_, name_of(ports[i].spec.dtype));
      text_ += ",\"shape\":";
      append_affines(text_, ports[i].spec.shape);
      text_ += '}';
    }
    text_ += "],";
  }

  void write_signature(const std::string& name, const Signature& s) {
    append_json_string(text_, name);
    text_ += ":{";
    write_ports("inputs", s.inputs);
    write_ports("outputs", s.outputs);
    if (s.test.rows > 0) {
      text_ += "\"test\":{\"rows\":" + std::to_string(s.test.rows);
      for (const auto& [key, arrays] : {std::pair{"inputs", &s.test.inputs}, {"outputs", &s.test.outputs}}) {
        text_ += ",\"" + std::string(key) + "\":[";
        for (size_t i = 0; i < arrays->size(); ++i) {
          const std::string tensor = "falconet/test/" + name + "/" + key + "/" + std::to_string(i);
          if (i) text_ += ',';
          append_json_string(text_, tensor);
          to_.add(tensor, (*arrays)[i].spec, (*arrays)[i].data());
        }
        text_ += ']';
      }
      text_ += "},";
    }
    write(text_, *s.graph);
    text_ += '}';
  }

  std::string name_constant(const Array& array) override {
    const std::string name = "falconet/constant/" + std::to_string(constants_++);
    to_.add(name, array.spec, array.data());
    return name;
  }

  const Model& model_;
  ContainerWriter& to_;
  std::string text_;
  int constants_ = 0;
};

}  // namespace

void write_model(const std::string& path, const Model& model) {
  ContainerWriter to;
  ModelWriter writer(model, to);
  writer.run();
  to.write(path);
}

std::string model_to_bytes(const Model& model) {
  ContainerWriter to;
  ModelWriter writer(model, to);
  writer.run();
  return to.bytes();
}

}  // namespace falconet
