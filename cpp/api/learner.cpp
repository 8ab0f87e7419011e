// The C API: learners.
#include "api/error.h"
#include "api/handles.h"
#include "serve/learner.h"

using namespace falconet;
using api::guarded;
using api::need;

struct falconet_learner {
  explicit falconet_learner(std::unique_ptr<Learner> made) : learner(std::move(made)) {
    for (int f = 0; f < Learner::kNumFunctions; ++f) {
      const auto function = static_cast<Learner::Function>(f);
      if (function == Learner::Function::evaluate && !learner->has_evaluate()) continue;
      const Signature& s = learner->signature(function);
      ports[f] = std::make_unique<const api::Ports>(s.inputs, s.outputs);
    }
  }

  const std::unique_ptr<Learner> learner;
  std::unique_ptr<const api::Ports> ports[Learner::kNumFunctions];  // null where the model lacks the function
};

namespace {

static_assert(static_cast<int>(Learner::Function::train) == FALCONET_TRAIN &&
              static_cast<int>(Learner::Function::predict) == FALCONET_PREDICT &&
              static_cast<int>(Learner::Function::evaluate) == FALCONET_EVALUATE);

const api::Ports* find_ports(const falconet_learner* learner, falconet_function function) {
  return learner && function >= 0 && function < Learner::kNumFunctions ? learner->ports[function].get() : nullptr;
}

const api::Ports& ports_of(const falconet_learner* learner, falconet_function function, const char* self) {
  need(learner, self, "learner");
  if (const api::Ports* ports = find_ports(learner, function)) return *ports;
  if (function == FALCONET_EVALUATE) fail("[", self, "] the model has no evaluation step");
  fail("[", self, "] `function` is ", function, "; FALCONET_TRAIN, FALCONET_PREDICT and FALCONET_EVALUATE are there");
}

template <class Read>
falconet_status load(const falconet_learner_options* given, falconet_learner** learner, const char* self,
                     const Read& read) noexcept {
  falconet_learner_options options;
  const falconet_status status = guarded([&] {
    need(learner, self, "learner");
    *learner = nullptr;
    options = api::options_of(given, self);
    api::check_threads(options.threads, self);
    if (options.flags != 0) fail("[", self, "] `options->flags` has unknown bits: ", options.flags);
  });
  if (status != FALCONET_OK) return status;
  return guarded([&] { *learner = new falconet_learner(std::make_unique<Learner>(read(), options.threads)); },
                 FALCONET_BAD_MODEL);
}

falconet_status run(falconet_learner* learner, falconet_function function, int64_t rows, const falconet_input* inputs,
                    size_t num_inputs, const falconet_output* outputs, size_t num_outputs, const char* self) noexcept {
  return guarded([&] {
    ports_of(learner, function, self)
        .call(rows, inputs, num_inputs, outputs, num_outputs, self, [&](const void* const* in, void* const* out) {
          learner->learner->run(static_cast<Learner::Function>(function), rows, in, out);
        });
  });
}

}  // namespace

extern "C" {

falconet_status falconet_learner_load(const char* path, const falconet_learner_options* options,
                                      falconet_learner** learner) noexcept {
  const char* const self = "falconet_learner_load";
  if (!path && learner) *learner = nullptr;
  if (const falconet_status s = guarded([&] { need(path, self, "path"); })) return s;
  return load(options, learner, self, [&] { return api::model_at(path, self); });
}

falconet_status falconet_learner_load_memory(const void* data, size_t bytes, const falconet_learner_options* options,
                                             falconet_learner** learner) noexcept {
  const char* const self = "falconet_learner_load_memory";
  if (!data && learner) *learner = nullptr;
  if (const falconet_status s = guarded([&] { need(data, self, "data"); })) return s;
  return load(options, learner, self, [&] { return api::model_in(data, bytes, self); });
}

void falconet_learner_free(falconet_learner* learner) noexcept { delete learner; }

size_t falconet_learner_num_inputs(const falconet_learner* learner, falconet_function function) noexcept {
  const api::Ports* ports = find_ports(learner, function);
  return ports ? ports->inputs.size() : 0;
}

size_t falconet_learner_num_outputs(const falconet_learner* learner, falconet_function function) noexcept {
  const api::Ports* ports = find_ports(learner, function);
  return ports ? ports->outputs.size() : 0;
}

falconet_status falconet_learner_input(const falconet_learner* learner, falconet_function function, size_t index,
                                       falconet_port* port) noexcept {
  const char* const self = "falconet_learner_input";
  return guarded([&] { api::write_port(ports_of(learner, function, self).inputs, index, port, self); });
}

falconet_status falconet_learner_output(const falconet_learner* learner, falconet_function function, size_t index,
                                        falconet_port* port) noexcept {
  const char* const self = "falconet_learner_output";
  return guarded([&] { api::write_port(ports_of(learner, function, self).outputs, index, port, self); });
}

falconet_status falconet_learner_run(falconet_learner* learner, falconet_function function, int64_t rows,
                                     const falconet_input* inputs, size_t num_inputs, const falconet_output* outputs,
                                     size_t num_outputs) noexcept {
  return run(learner, function, rows, inputs, num_inputs, outputs, num_outputs, "falconet_learner_run");
}

falconet_status falconet_learner_step(falconet_learner* learner, int64_t rows, const falconet_input* inputs,
                                      size_t num_inputs, const falconet_output* outputs, size_t num_outputs) noexcept {
  return run(learner, FALCONET_TRAIN, rows, inputs, num_inputs, outputs, num_outputs, "falconet_learner_step");
}

falconet_status falconet_learner_predict(falconet_learner* learner, int64_t rows, const falconet_input* inputs,
                                         size_t num_inputs, const falconet_output* outputs,
                                         size_t num_outputs) noexcept {
  return run(learner, FALCONET_PREDICT, rows, inputs, num_inputs, outputs, num_outputs, "falconet_learner_predict");
}

falconet_status falconet_learner_reset_metrics(falconet_learner* learner) noexcept {
  return guarded([=] {
    need(learner, "falconet_learner_reset_metrics", "learner");
    learner->learner->reset_metrics();
  });
}

falconet_status falconet_learner_save(falconet_learner* learner, const char* path) noexcept {
  return guarded([=] {
    need(learner, "falconet_learner_save", "learner");
    need(path, "falconet_learner_save", "path");
    write_model(path, learner->learner->model());
  });
}

falconet_status falconet_learner_snapshot(falconet_learner* learner, falconet_predictor* predictor) noexcept {
  return guarded([=] {
    need(learner, "falconet_learner_snapshot", "learner");
    need(predictor, "falconet_learner_snapshot", "predictor");
    learner->learner->snapshot(*predictor->predictor);
  });
}

}  // extern "C"
