// What the opaque types of the C API are.
#pragma once

#include <memory>
#include <vector>

#include "api/arrays.h"
#include "serve/predictor.h"

struct falconet_predictor {
  explicit falconet_predictor(std::unique_ptr<falconet::Predictor> made);

  const std::unique_ptr<falconet::Predictor> predictor;
  const falconet::api::Ports ports;
  // Of fixed shapes, as ports.
  const std::vector<falconet::Port> weights, states;
  const falconet::api::PortTable weight_table, state_table;
};

namespace falconet::api {

// The model in a file, or in memory, which is copied.
Model model_at(const char* path, const char* function);
Model model_in(const void* data, size_t bytes, const char* function);

void check_threads(int32_t threads, const char* function);

}  // namespace falconet::api
