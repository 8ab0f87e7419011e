#include "plan/plan.h"

#include <cstdio>

#include "base/thread_pool.h"

namespace falconet {

void Plan::set_input(int i, const void* data) {
  for (const Patch& p : input_patches_[i]) *p.field = static_cast<std::byte*>(const_cast<void*>(data)) + p.offset;
}

void Plan::set_output(int i, void* data) {
  for (const Patch& p : output_patches_[i]) *p.field = static_cast<std::byte*>(data) + p.offset;
}

void Plan::bind() {
  if (arena_bytes_ > 0) {
    if (arena_->bytes() < arena_bytes_) arena_->reserve(arena_bytes_);
    if (arena_->data() != arena_bound_) {
      arena_bound_ = arena_->data();
      for (const Patch& p : arena_patches_) *p.field = arena_bound_ + p.offset;
    }
  }
  for (BoundVariable& v : variables_) {
    std::byte* now = v.state->array.data();
    if (now == v.bound) continue;
    v.bound = now;
    for (const Patch& p : v.patches) *p.field = now + p.offset;
  }
}

void run_instruction(const Instruction& i) {
  i.grain == 0 ? i.task(i.args, 0, i.units) : pool::parallel_for(i.task, i.args, i.units, i.grain);
}

void Plan::execute() {
  for (const Instruction& stage : stages_) run_instruction(stage);
  check_indices();
}

void Plan::execute(const Instruction& last) {
  for (size_t i = 0; i + 1 < stages_.size(); ++i) run_instruction(stages_[i]);
  run_instruction(last);
  check_indices();
}

void Plan::check_indices() {
  for (const IndexCheck& check : index_checks_) {
    if (*check.flag) {
      *check.flag = 0;
      fail(check.message);
    }
  }
}

void Plan::prepare(const void* const* inputs, void* const* outputs) {
  bind();
  for (size_t i = 0; i < input_patches_.size(); ++i) set_input(static_cast<int>(i), inputs[i]);
  for (size_t i = 0; i < output_patches_.size(); ++i) set_output(static_cast<int>(i), outputs[i]);
}

void Plan::run(const void* const* inputs, void* const* outputs) {
  prepare(inputs, outputs);
  execute();
}

std::vector<std::shared_ptr<Buffer>> Plan::variable_memory() const {
  std::vector<std::shared_ptr<Buffer>> memory;
  for (const BoundVariable& v : variables_) {
    // Most are parts of one flat buffer.
    if (memory.empty() || memory.back() != v.state->array.buffer) memory.push_back(v.state->array.buffer);
  }
  return memory;
}

std::string Plan::text() const {
  std::string text;
  char line[256];
  for (size_t i = 0; i < instructions_.size(); ++i) {
    const Instruction& in = instructions_[i];
    std::snprintf(line, sizeof line, "%4zu  %-44s stage %-4d units %-8lld grain %-6lld cost %-12lld bytes %lld\n", i,
                  infos_[i].name.c_str(), stage_of_[i], static_cast<long long>(in.units),
                  static_cast<long long>(in.grain), static_cast<long long>(infos_[i].cost),
                  static_cast<long long>(infos_[i].bytes));
    text += line;
  }
  std::snprintf(line, sizeof line, "arena %zu bytes\n", arena_bytes_);
  return text + line;
}

}  // namespace falconet
