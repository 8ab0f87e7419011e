#include "serve/weights.h"

#include <cstring>
#include <set>

#include "base/error.h"
#include "base/thread_pool.h"
#include "serve/gate.h"

namespace falconet::serve {

// Packed forms below this size are made by the caller alone, in less than a millisecond: loading a small model starts
// no thread.
constexpr int64_t kSharedPacking = int64_t{4} << 20;

bool PackedForm::operator==(const PackedForm& o) const {
  const bool same_source = weight == o.weight && (weight >= 0 || constant.data() == o.constant.data());
  return same_source && offset == o.offset && kernels == o.kernels && matrix.dtype == o.matrix.dtype &&
         matrix.k == o.matrix.k && matrix.n == o.matrix.n && matrix.ldb == o.matrix.ldb &&
         matrix.trans_b == o.matrix.trans_b;
}

Array copy_of(const Spec& spec, const void* data) {
  Array copy = Array::allocate(spec);
  if (spec.bytes() > 0) std::memcpy(copy.data(), data, static_cast<size_t>(spec.bytes()));
  return copy;
}

std::vector<int> weights_of(const BatchGraph& graph) {
  std::set<int> found;
  for (const BatchNode& n : graph.nodes) {
    if (n.variable >= 0) found.insert(n.variable);
  }
  for (const BatchGraph::Update& u : graph.updates) found.erase(u.variable);
  return {found.begin(), found.end()};
}

WeightStore::WeightStore(std::vector<std::string> names, std::vector<Array> arrays, int threads)
    : names_(std::move(names)), threads_(threads) {
  auto first = std::make_shared<WeightSet>();
  first->arrays = std::move(arrays);
  std::lock_guard lock(slow_mutex());
  publish(std::move(first));
}

void WeightStore::publish(std::shared_ptr<WeightSet> next) {
  next->version = version_.load(std::memory_order_relaxed) + 1;
  current_ = std::move(next);
  version_.store(current_->version, std::memory_order_release);
}

std::shared_ptr<const WeightSet> WeightStore::current() const {
  std::lock_guard lock(slow_mutex());
  return current_;
}

Array WeightStore::pack(const PackedForm& form, const std::vector<Array>& arrays) const {
  PackBArgs args = form.matrix;
  const Array packed = Array::allocate({DType::uint8, {form.kernels->pack_b_bytes(args.dtype, args.k, args.n)}});
  args.b = (form.weight < 0 ? form.constant : arrays[form.weight]).data() + form.offset;
  args.packed = packed.data();
  const int64_t units = form.kernels->pack_b_units(args.dtype, args.k, args.n);
  if (threads_ == 1 || packed.spec.bytes() < kSharedPacking) {
    form.kernels->pack_b(&args, 0, units);
  } else {
    // Chunks of about 64 KiB.
    pool::parallel_for(form.kernels->pack_b, &args, units, 1 + (int64_t{64} << 10) * units / packed.spec.bytes());
  }
  return packed;
}

int WeightStore::form(const PackedForm& form) {
  std::lock_guard lock(slow_mutex());
  for (size_t i = 0; i < forms_.size(); ++i) {
    if (forms_[i] == form) return static_cast<int>(i);
  }
  auto next = std::make_shared<WeightSet>(*current_);
  next->packed.push_back(pack(form, next->arrays));
  forms_.push_back(form);
  publish(std::move(next));
  return static_cast<int>(forms_.size() - 1);
}

void WeightStore::check(const std::vector<Array>& arrays) const {
  const std::shared_ptr<const WeightSet> set = current();
  if (arrays.size() != set->arrays.size()) {
    fail("[update] got ", arrays.size(), " weights; the model has ", set->arrays.size());
  }
  for (size_t i = 0; i < arrays.size(); ++i) {
    if (arrays[i].spec != set->arrays[i].spec) {
      fail("[update] weight \"", names_[i], "\" came as ", arrays[i].spec, "; it must be ", set->arrays[i].spec);
    }
  }
}

void WeightStore::update(std::vector<Array> arrays) {
  check(arrays);
  auto next = std::make_shared<WeightSet>();
  next->arrays = std::move(arrays);
  for (;;) {
    // Packed outside the mutex, which runs in other threads may be waiting for.
    std::vector<PackedForm> missing;
    {
      std::lock_guard lock(slow_mutex());
      if (next->packed.size() == forms_.size()) return publish(std::move(next));
      missing.assign(forms_.begin() + static_cast<int64_t>(next->packed.size()), forms_.end());
    }
    for (const PackedForm& form : missing) next->packed.push_back(pack(form, next->arrays));
  }
}

int64_t WeightStore::weight_bytes() const {
  int64_t bytes = 0;
  for (const Array& a : current()->arrays) bytes += a.spec.bytes();
  return bytes;
}

int64_t WeightStore::packed_bytes() const {
  int64_t bytes = 0;
  for (const Array& a : current()->packed) bytes += a.spec.bytes();
  return bytes;
}

}  // namespace falconet::serve
