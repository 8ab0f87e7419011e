// The C API: predictors.
#include <cstring>

#include "api/error.h"
#include "api/handles.h"

using namespace falconet;
using api::guarded;
using api::need;

namespace falconet::api {

namespace {

std::vector<Port> ports_of(const std::vector<std::string>& names, const std::vector<Array>& arrays) {
  std::vector<Port> ports;
  for (size_t i = 0; i < names.size(); ++i) ports.push_back(fixed_port(names[i], arrays[i].spec));
  return ports;
}

PredictorOptions checked(const falconet_predictor_options* given, const char* function) {
  const falconet_predictor_options options = options_of(given, function);
  check_threads(options.threads, function);
  if ((options.flags & ~FALCONET_SKIP_TEST) != 0) fail("[", function, "] `options->flags` has unknown bits: ", options.flags);
  PredictorOptions made;
  made.threads = options.threads;
  made.verify = (options.flags & FALCONET_SKIP_TEST) == 0;
  if (options.num_batch_sizes > 0) {
    need(options.batch_sizes, function, "options->batch_sizes");
    made.batch_sizes.assign(options.batch_sizes, options.batch_sizes + options.num_batch_sizes);
    for (const int64_t rows : made.batch_sizes) {
      if (rows < 1) fail("[", function, "] `options->batch_sizes` has ", rows, "; sizes must be at least 1");
    }
  }
  return made;
}

// Arguments are the caller's fault, what is in the model is not.
template <class Read>
falconet_status load(const falconet_predictor_options* given, falconet_predictor** predictor, const char* function,
                     const Read& read) noexcept {
  PredictorOptions options;
  const falconet_status status = guarded([&] {
    need(predictor, function, "predictor");
    *predictor = nullptr;
    options = checked(given, function);
  });
  if (status != FALCONET_OK) return status;
  return guarded([&] { *predictor = new falconet_predictor(std::make_unique<Predictor>(read(), options)); },
                 FALCONET_BAD_MODEL);
}

// The caller's arrays as arrays of our own.
std::vector<Array> copies(const PortTable& table, const falconet_input* given, size_t count, const char* function) {
  std::vector<const void*> from(table.size());
  table.resolve(given, count, 1, function, from.data());
  std::vector<Array> arrays;
  for (size_t i = 0; i < table.size(); ++i) arrays.push_back(serve::copy_of(table.port(i).spec.at(1), from[i]));
  return arrays;
}

template <class Get>
void copy_out(const PortTable& table, const falconet_output* to, size_t count, const char* function, const Get& get) {
  std::vector<void*> memory(table.size());
  table.resolve(to, count, 1, function, memory.data());
  PortTable({}, "input").check_apart(table, 1, nullptr, memory.data(), function);
  const std::vector<Array> arrays = get();
  for (size_t i = 0; i < arrays.size(); ++i) {
    std::memcpy(memory[i], arrays[i].data(), static_cast<size_t>(arrays[i].spec.bytes()));
  }
}

}  // namespace

Model model_at(const char* path, const char* function) {
  need(path, function, "path");
  return read_model(path);
}

Model model_in(const void* data, size_t bytes, const char* function) {
  need(data, function, "data");
  return read_model(data, bytes, nullptr);
}

void check_threads(int32_t threads, const char* function) {
  if (threads < 0) fail("[", function, "] `options->threads` is ", threads, "; it must be at least 1, or 0 for all");
}

}  // namespace falconet::api

falconet_predictor::falconet_predictor(std::unique_ptr<Predictor> made)
    : predictor(std::move(made)),
      ports(predictor->inputs(), predictor->outputs()),
      weights(api::ports_of(predictor->weight_names(), predictor->weights())),
      states(api::ports_of(predictor->state_names(), predictor->state())),
      weight_table(weights, "weight"),
      state_table(states, "state") {}

extern "C" {

falconet_status falconet_predictor_load(const char* path, const falconet_predictor_options* options,
                                        falconet_predictor** predictor) noexcept {
  const char* const self = "falconet_predictor_load";
  if (!path && predictor) *predictor = nullptr;
  if (const falconet_status s = guarded([&] { need(path, self, "path"); })) return s;
  return api::load(options, predictor, self, [&] { return api::model_at(path, self); });
}

falconet_status falconet_predictor_load_memory(const void* data, size_t bytes,
                                               const falconet_predictor_options* options,
                                               falconet_predictor** predictor) noexcept {
  const char* const self = "falconet_predictor_load_memory";
  if (!data && predictor) *predictor = nullptr;
  if (const falconet_status s = guarded([&] { need(data, self, "data"); })) return s;
  return api::load(options, predictor, self, [&] { return api::model_in(data, bytes, self); });
}

falconet_status falconet_predictor_copy(falconet_predictor* predictor, falconet_predictor** copy) noexcept {
  const char* const self = "falconet_predictor_copy";
  return guarded([&] {
    need(copy, self, "copy");
    *copy = nullptr;
    need(predictor, self, "predictor");
    *copy = new falconet_predictor(predictor->predictor->copy());
  });
}

void falconet_predictor_free(falconet_predictor* predictor) noexcept { delete predictor; }

size_t falconet_predictor_num_inputs(const falconet_predictor* p) noexcept { return p ? p->ports.inputs.size() : 0; }
size_t falconet_predictor_num_outputs(const falconet_predictor* p) noexcept { return p ? p->ports.outputs.size() : 0; }
size_t falconet_predictor_num_weights(const falconet_predictor* p) noexcept { return p ? p->weights.size() : 0; }
size_t falconet_predictor_num_states(const falconet_predictor* p) noexcept { return p ? p->states.size() : 0; }

#define FALCONET_PORT_GETTER(name, table)                                                               \
  falconet_status name(const falconet_predictor* predictor, size_t index, falconet_port* port) noexcept { \
    return guarded([=] {                                                                                \
      need(predictor, #name, "predictor");                                                              \
      api::write_port(predictor->table, index, port, #name);                                            \
    });                                                                                                 \
  }
FALCONET_PORT_GETTER(falconet_predictor_input, ports.inputs)
FALCONET_PORT_GETTER(falconet_predictor_output, ports.outputs)
FALCONET_PORT_GETTER(falconet_predictor_weight, weight_table)
FALCONET_PORT_GETTER(falconet_predictor_state, state_table)
#undef FALCONET_PORT_GETTER

const char* falconet_predictor_metadata(const falconet_predictor* predictor, const char* key) noexcept {
  const char* value = nullptr;
  guarded([&] {
    need(predictor, "falconet_predictor_metadata", "predictor");
    need(key, "falconet_predictor_metadata", "key");
    const auto& metadata = predictor->predictor->metadata();
    if (const auto found = metadata.find(key); found != metadata.end()) value = found->second.c_str();
  });
  return value;
}

falconet_status falconet_predictor_run(falconet_predictor* predictor, int64_t rows, const falconet_input* inputs,
                                       size_t num_inputs, const falconet_output* outputs, size_t num_outputs) noexcept {
  const char* const self = "falconet_predictor_run";
  return guarded([&] {
    need(predictor, self, "predictor");
    predictor->ports.call(rows, inputs, num_inputs, outputs, num_outputs, self,
                          [&](const void* const* in, void* const* out) { predictor->predictor->run(rows, in, out); });
  });
}

falconet_status falconet_predictor_run_f32(falconet_predictor* predictor, int64_t rows, const float* x, size_t x_count,
                                           float* y, size_t y_count) noexcept {
  const char* const self = "falconet_predictor_run_f32";
  return guarded([&] {
    need(predictor, self, "predictor");
    if (x_count > SIZE_MAX / sizeof(float) || y_count > SIZE_MAX / sizeof(float)) {
      fail("[", self, "] ", x_count, " and ", y_count, " elements are more than memory can hold");
    }
    const falconet_input in = {x, x_count * sizeof(float), FALCONET_FLOAT32, nullptr};
    const falconet_output out = {y, y_count * sizeof(float), FALCONET_FLOAT32, nullptr};
    predictor->ports.call(rows, &in, 1, &out, 1, self,
                          [&](const void* const* from, void* const* to) { predictor->predictor->run(rows, from, to); });
  });
}

falconet_status falconet_predictor_prepare(falconet_predictor* predictor, const int64_t* batch_sizes,
                                           size_t num_batch_sizes, int32_t contexts) noexcept {
  const char* const self = "falconet_predictor_prepare";
  return guarded([&] {
    need(predictor, self, "predictor");
    if (num_batch_sizes > 0) need(batch_sizes, self, "batch_sizes");
    if (contexts < 1 || contexts > 256) fail("[", self, "] `contexts` is ", contexts, "; it must be from 1 to 256");
    const std::vector<int64_t> sizes(batch_sizes, batch_sizes + num_batch_sizes);
    for (const int64_t rows : sizes) {
      if (rows < 1) fail("[", self, "] `batch_sizes` has ", rows, "; sizes must be at least 1");
    }
    predictor->predictor->prepare(sizes, contexts);
  });
}

falconet_status falconet_predictor_update(falconet_predictor* predictor, const falconet_input* weights,
                                          size_t num_weights) noexcept {
  const char* const self = "falconet_predictor_update";
  return guarded([&] {
    need(predictor, self, "predictor");
    predictor->predictor->update(api::copies(predictor->weight_table, weights, num_weights, self));
  });
}

falconet_status falconet_predictor_update_from_file(falconet_predictor* predictor, const char* path) noexcept {
  const char* const self = "falconet_predictor_update_from_file";
  if (const falconet_status s = guarded([&] {
        need(predictor, self, "predictor");
        need(path, self, "path");
      })) {
    return s;
  }
  return guarded([&] { predictor->predictor->update_from(api::model_at(path, self)); }, FALCONET_BAD_MODEL);
}

falconet_status falconet_predictor_get_weights(falconet_predictor* predictor, const falconet_output* weights,
                                               size_t num_weights) noexcept {
  const char* const self = "falconet_predictor_get_weights";
  return guarded([&] {
    need(predictor, self, "predictor");
    api::copy_out(predictor->weight_table, weights, num_weights, self, [&] { return predictor->predictor->weights(); });
  });
}

falconet_status falconet_predictor_get_state(falconet_predictor* predictor, const falconet_output* state,
                                             size_t num_states) noexcept {
  const char* const self = "falconet_predictor_get_state";
  return guarded([&] {
    need(predictor, self, "predictor");
    api::copy_out(predictor->state_table, state, num_states, self, [&] { return predictor->predictor->state(); });
  });
}

falconet_status falconet_predictor_set_state(falconet_predictor* predictor, const falconet_input* state,
                                             size_t num_states) noexcept {
  const char* const self = "falconet_predictor_set_state";
  return guarded([&] {
    need(predictor, self, "predictor");
    predictor->predictor->set_state(api::copies(predictor->state_table, state, num_states, self));
  });
}

falconet_status falconet_predictor_reset(falconet_predictor* predictor) noexcept {
  return guarded([=] {
    need(predictor, "falconet_predictor_reset", "predictor");
    predictor->predictor->reset();
  });
}

falconet_status falconet_predictor_memory(falconet_predictor* predictor, falconet_memory* memory) noexcept {
  return guarded([=] {
    need(predictor, "falconet_predictor_memory", "predictor");
    const Predictor::Memory m = predictor->predictor->memory();
    api::write_to(memory, {sizeof(falconet_memory), m.weights, m.packed, m.arenas, m.contexts, m.plans},
                  "falconet_predictor_memory", "memory");
  });
}

falconet_status falconet_predictor_release(falconet_predictor* predictor) noexcept {
  return guarded([=] {
    need(predictor, "falconet_predictor_release", "predictor");
    predictor->predictor->release();
  });
}

}  // extern "C"
