// Programs: functions traced once for each signature and run as plans; whole epochs of them without the interpreter.
#include <algorithm>
#include <chrono>
#include <cstring>
#include <unordered_map>

#include "bindings/tensor.h"
#include "graph/simplify.h"
#include "plan/batches.h"
#include "plan/planner.h"
#include "plan/profile.h"
#include "serve/gate.h"

namespace falconet::bindings {

namespace {

// Counts changes of threads or instruction set: plans made before are made anew.
int64_t& plan_generation() {
  static int64_t generation = 0;
  return generation;
}

// How often a running epoch looks whether Ctrl-C was pressed.
constexpr auto kSignalPeriod = std::chrono::milliseconds(20);

class Program {
 public:
  explicit Program(py::object trace) : trace_(std::move(trace)), arena_(std::make_shared<Arena>()) {}

  struct Entry {
    std::shared_ptr<Trace> trace;
    std::unique_ptr<Plan> full, quiet;  // quiet: updates only
    int64_t generation = -1;
    int64_t used = 0;  // when last, counted in look-ups
  };

  // Plans of one program share an arena, and another thread may find that they are stale: only whoever is Busy makes,
  // runs or drops one. Waits without the interpreter's lock.
  class Busy {
   public:
    explicit Busy(Program& p) : lock_(p.running(), std::try_to_lock) {
      if (lock_.owns_lock()) return;
      Unlocked unlocked;
      lock_.lock();
    }

   private:
    std::unique_lock<std::mutex> lock_;
  };

  Plan& plan(const Busy&, Entry& e, bool with_outputs) {
    if (e.generation != plan_generation()) {
      e.full.reset();
      e.quiet.reset();
      e.generation = plan_generation();
    }
    std::unique_ptr<Plan>& p = with_outputs ? e.full : e.quiet;
    if (!p) p = make_plan(*simplify(e.trace->graph, with_outputs), arena_);
    return *p;
  }

  // The entry of a signature, kept alive by whoever holds it: a look-up of another signature may drop it from the table.
  std::shared_ptr<Entry> entry(int64_t key, const std::vector<Spec>& specs) {
    std::string id(reinterpret_cast<const char*>(&key), sizeof key);
    for (const Spec& s : specs) {
      id += static_cast<char>(s.dtype);
      id += static_cast<char>(s.shape.rank());
      id.append(reinterpret_cast<const char*>(s.shape.begin()), s.shape.rank() * sizeof(int64_t));
    }
    ++lookups_;
    if (const auto it = entries_.find(id); it != entries_.end()) {
      it->second->used = lookups_;
      return it->second;
    }
    py::list described;
    for (const Spec& s : specs) described.append(py::make_tuple(shape_tuple(s.shape), std::string(name_of(s.dtype))));
    auto made = std::make_shared<Entry>();
    made->trace = trace_(key, described).cast<std::shared_ptr<Trace>>();
    made->used = lookups_;
    if (entries_.size() >= kMostEntries) {
      const auto older = [](const auto& a, const auto& b) { return a.second->used < b.second->used; };
      entries_.erase(std::min_element(entries_.begin(), entries_.end(), older));
    }
    return entries_[id] = std::move(made);
  }

  static std::vector<Array> arrays_of(const py::list& leaves) {
    std::vector<Array> arrays;
    for (py::handle h : leaves) {
      const Operand o = as_operand(h.ptr(), "program", "argument");
      arrays.push_back(concrete(o, o.kind == Operand::weak ? o.dtype : o.spec().dtype).array);
    }
    return arrays;
  }
  static std::vector<Spec> specs_of(const std::vector<Array>& arrays) {
    std::vector<Spec> specs;
    for (const Array& a : arrays) specs.push_back(a.spec);
    return specs;
  }

  // Runs without the interpreter's lock where that is worth its price.
  void run_plan(const Busy&, Plan& p, const void* const* in, void* const* out) {
    p.prepare(in, out);
    if (p.cost() < kReleaseCost) {
      p.execute();
    } else {
      const auto kept = p.variable_memory();
      Unlocked unlocked;
      p.execute();
    }
  }

  // The outputs, and the note left on the trace.
  py::tuple call(int64_t key, const py::list& leaves) {
    const std::vector<Array> arrays = arrays_of(leaves);
    const std::shared_ptr<Entry> e = entry(key, specs_of(arrays));
    std::vector<Array> outputs;
    {
      const Busy busy(*this);
      run(busy, plan(busy, *e, true), arrays, outputs);
    }
    py::list result;
    for (Array& a : outputs) result.append(wrap({std::move(a), 0}));
    return py::make_tuple(result, e->trace->note);
  }

  // Only what the function assigns: no output is computed.
  void update(int64_t key, const py::list& leaves) {
    const std::vector<Array> arrays = arrays_of(leaves);
    const std::shared_ptr<Entry> e = entry(key, specs_of(arrays));
    std::vector<const void*> in;
    for (const Array& a : arrays) in.push_back(a.data());
    const Busy busy(*this);
    run_plan(busy, plan(busy, *e, false), in.data(), nullptr);
  }

  // One array in, one out, both NumPy's.
  py::object predict(py::array x) {
    Array in = from_numpy(x, false);
    const std::vector<Spec> specs{in.spec};
    const std::shared_ptr<Entry> e = entry(0, specs);
    Array out;
    {
      const Busy busy(*this);
      Plan& p = plan(busy, *e, true);
      if (p.output_specs().size() != 1) fail<InternalError>("predict needs a program of one output");
      out = Array::allocate(p.output_specs()[0]);
      const void* from = in.data();
      void* to = out.data();
      run_plan(busy, p, &from, &to);
    }
    return to_numpy(out);
  }

  py::tuple epoch(int64_t key, const py::list& leaves, const py::object& order, int64_t batch_size, int64_t first,
                  int64_t steps, const py::object& on_batch);
  py::tuple map(int64_t key, const py::list& leaves, int64_t batch_size);

  std::string text(int64_t key, const py::list& leaves) {
    const std::vector<Array> arrays = arrays_of(leaves);
    const std::shared_ptr<Entry> e = entry(key, specs_of(arrays));
    const Busy busy(*this);
    return e->trace->graph.text() + plan(busy, *e, true).text();
  }
  py::list profile(int64_t key, const py::list& leaves, int repeats) {
    const std::vector<Array> arrays = arrays_of(leaves);
    const std::shared_ptr<Entry> e = entry(key, specs_of(arrays));
    std::vector<Array> outputs;
    std::vector<InstructionTime> times;
    {
      const Busy busy(*this);
      Plan& p = plan(busy, *e, true);
      run(busy, p, arrays, outputs);
      std::vector<const void*> in;
      std::vector<void*> out;
      for (const Array& a : arrays) in.push_back(a.data());
      for (const Array& a : outputs) out.push_back(a.data());
      times = profile_plan(p, in.data(), out.data(), repeats);
    }
    py::list rows;
    for (const InstructionTime& t : times) rows.append(py::make_tuple(t.name, t.median_ns, t.flops, t.bytes, t.parallel));
    return rows;
  }

  void clear() {
    decltype(entries_) dropped;  // whose notes are Python's, and end when nothing is held
    const Busy busy(*this);
    dropped.swap(entries_);
    arena_->release();
  }
  size_t arena_bytes() const { return arena_->bytes(); }

 private:
  // A thread that was running when this process was forked is not here to unlock: the child has a mutex of its own then,
  // and makes anew the plans that the thread may have left halfway.
  std::mutex& running() {
    if (forks_ != serve::fork_generation()) {
      forks_ = serve::fork_generation();
      if (running_->try_lock()) {
        running_->unlock();
      } else {
        running_.release();  // a mutex that is locked may not be destroyed
        running_ = std::make_unique<std::mutex>();
        for (auto& [id, e] : entries_) e->generation = -1;
      }
    }
    return *running_;
  }

  // Signatures that are kept: more than a program meets in regular use, few enough that batches of ever new sizes do not
  // fill the memory. The one that was not used for longest goes first, and is traced again if it comes back.
  static constexpr size_t kMostEntries = 128;
  static constexpr int64_t kReleaseCost = 2'000'000;  // about 20 microseconds of work: well above a handover's price

  void run(const Busy& busy, Plan& p, const std::vector<Array>& arrays, std::vector<Array>& outputs) {
    std::vector<const void*> in;
    std::vector<void*> out;
    for (const Array& a : arrays) in.push_back(a.data());
    for (const Spec& s : p.output_specs()) {
      outputs.push_back(Array::allocate(s));
      out.push_back(outputs.back().data());
    }
    run_plan(busy, p, in.data(), out.data());
  }

  py::object trace_;
  std::shared_ptr<Arena> arena_;
  std::unique_ptr<std::mutex> running_ = std::make_unique<std::mutex>();
  uint32_t forks_ = serve::fork_generation();
  std::unordered_map<std::string, std::shared_ptr<Entry>> entries_;
  int64_t lookups_ = 0;
};

py::tuple Program::epoch(int64_t key, const py::list& leaves, const py::object& order, int64_t batch_size, int64_t first,
                         int64_t steps, const py::object& on_batch) {
  const std::vector<Array> arrays = arrays_of(leaves);
  if (arrays.empty()) fail("[epoch] there is no data");
  for (const Array& a : arrays) {
    if (a.spec.shape.empty() || a.spec.shape[0] != arrays[0].spec.shape[0]) {
      fail("[epoch] arrays have ", arrays[0].spec.shape, " and ", a.spec.shape, "; the first sizes must be equal");
    }
  }
  if (batch_size < 1) fail("[epoch] `batch_size` is ", batch_size, "; it must be at least 1");
  Array index;
  if (!order.is_none()) {
    index = from_numpy(py::array_t<int64_t, py::array::c_style | py::array::forcecast>(order), false);
  }
  const int64_t rows = arrays[0].spec.shape[0], total = order.is_none() ? rows : index.spec.size();
  const int64_t* at = order.is_none() ? nullptr : reinterpret_cast<const int64_t*>(index.data());
  bool inside = true;
  for (int64_t i = 0; at && i < total; ++i) inside &= static_cast<uint64_t>(at[i]) < static_cast<uint64_t>(rows);
  if (!inside) fail("[epoch] `order` names a row outside the ", rows, " that there are");
  const int64_t num_batches = (total + batch_size - 1) / batch_size;
  const int64_t last = steps < 0 ? num_batches : std::min(num_batches, first + steps);
  Batches batches(arrays, at, total, batch_size);
  const bool reports = !on_batch.is_none();
  std::vector<Array> outputs;
  py::object note = py::none();
  const auto outputs_of = [&] {
    py::list list;
    for (const Array& a : outputs) list.append(wrap({a, 0}));
    return list;
  };
  for (int64_t b = first; b < last;) {
    // A run of batches of one size with one plan, and without the interpreter until somebody wants to hear of them.
    const int64_t from = b * batch_size, count = std::min(batch_size, total - from);
    const bool is_full = count == batch_size;
    const std::shared_ptr<Entry> e = entry(key, batches.specs(count));
    note = e->trace->note;
    const bool final_one = b == last - 1, with_outputs = reports || final_one;
    int64_t end = b + 1;
    if (!with_outputs && is_full) {
      end = last - 1;  // the last one shows its outputs
      if (end * batch_size > total) end = total / batch_size;
    }
    bool interrupted = false;
    {
      const Busy busy(*this);
      Plan& p = plan(busy, *e, with_outputs);
      if (with_outputs) {
        outputs.clear();
        for (const Spec& s : p.output_specs()) outputs.push_back(Array::allocate(s));
      }
      p.bind();
      const auto kept = p.variable_memory();
      Unlocked unlocked;
      for (size_t i = 0; with_outputs && i < outputs.size(); ++i) p.set_output(static_cast<int>(i), outputs[i].data());
      auto looked = std::chrono::steady_clock::now(), last_look = looked;
      int64_t stride = 1, until_look = 1;
      for (int64_t s = b; s < end; ++s) {
        batches.run(p, s * batch_size, std::min(batch_size, total - s * batch_size));
        if (--until_look > 0) continue;
        // Short steps are counted between looks at the clock, which costs as much as a small kernel.
        const auto now = std::chrono::steady_clock::now();
        stride = now - last_look < kSignalPeriod / 8 ? std::min<int64_t>(2 * stride, 256) : 1;
        until_look = stride;
        last_look = now;
        if (now - looked > kSignalPeriod) {
          looked = now;
          interrupted = unlocked.with_lock([] { return PyErr_CheckSignals() != 0; });
          if (interrupted) break;
        }
      }
    }
    if (interrupted) throw py::error_already_set();
    b = end;
    if (reports) on_batch(b - 1, outputs_of(), note);
    if (PyErr_CheckSignals() != 0) throw py::error_already_set();
  }
  return py::make_tuple(last > first ? last - first : 0, outputs_of(), note);
}

py::tuple Program::map(int64_t key, const py::list& leaves, int64_t batch_size) {
  const std::vector<Array> arrays = arrays_of(leaves);
  if (arrays.empty() || arrays[0].spec.shape.empty()) fail("[map] there is no data");
  const int64_t total = arrays[0].spec.shape[0];
  Batches batches(arrays, nullptr, total, batch_size);
  std::vector<Array> results;
  py::object note = py::none();
  for (int64_t from = 0; from < total || from == 0; from += batch_size) {
    const int64_t count = std::min(batch_size, total - from);
    const std::shared_ptr<Entry> e = entry(key, batches.specs(count));
    note = e->trace->note;
    const Busy busy(*this);
    Plan& p = plan(busy, *e, true);
    if (results.empty()) {
      for (Spec s : p.output_specs()) {
        if (s.shape.empty() || s.shape[0] != count) fail("[map] an output of shape ", s.shape, " has no row for each of the ", count, " of the batch");
        s.shape[0] = total;
        results.push_back(Array::allocate(s));
      }
    }
    p.bind();
    const auto kept = p.variable_memory();
    Unlocked unlocked;
    batches.feed(p, from, count);
    for (size_t i = 0; i < results.size(); ++i) {
      const int64_t row = p.output_specs()[i].bytes() / std::max<int64_t>(1, count);
      p.set_output(static_cast<int>(i), results[i].data() + from * row);
    }
    p.execute();
    if (total == 0) break;
  }
  py::list list;
  for (const Array& a : results) list.append(to_numpy(a));
  return py::make_tuple(list, note);
}

}  // namespace

// SplitMix64 (Steele, Lea, Flood 2014).
static uint64_t split_mix(uint64_t& state) {
  uint64_t z = state += 0x9E3779B97F4A7C15u;
  z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9u;
  z = (z ^ z >> 27) * 0x94D049BB133111EBu;
  return z ^ z >> 31;
}

void plans_are_stale() { ++plan_generation(); }

void bind_program(py::module_& m) {
  // Fisher and Yates's shuffle on 32-bit halves of SplitMix64: half i picks among the i + 1 first, by the high part of
  // a product. The bias of a pick is below n / 2^32.
  m.def("permutation", [](int64_t n, uint64_t seed) {
    if (n < 0 || n > INT32_MAX) fail("[permutation] `n` is ", n, "; it must be in [0, 2^31)");
    std::vector<int32_t> at(n);
    for (int64_t i = 0; i < n; ++i) at[i] = static_cast<int32_t>(i);
    const auto pick = [&at](int64_t i, uint64_t word) {
      std::swap(at[i], at[word * static_cast<uint64_t>(i + 1) >> 32]);
    };
    for (int64_t i = n - 1; i > 0; i -= 2) {
      const uint64_t z = split_mix(seed);
      pick(i, z >> 32);
      if (i > 1) pick(i - 1, z & 0xFFFFFFFFu);
    }
    py::array_t<int64_t> order(n);
    std::copy(at.begin(), at.end(), order.mutable_data());
    return order;
  }, py::arg("n"), py::arg("seed"), "The numbers below n in an order that the seed decides.");
  // Picks from a buffer that fresh values refill; a pick takes the value's place away by moving the last one there.
  m.def("shuffle_window", [](py::array_t<int64_t, py::array::c_style> buffer, int64_t filled,
                             const py::array_t<int64_t, py::array::c_style | py::array::forcecast>& fresh,
                             int64_t wanted, bool ended, uint64_t state) {
    const int64_t size = buffer.size(), given = fresh.size();
    if (filled < 0 || filled > size) fail("[shuffle_window] `filled` is ", filled, "; it must be in [0, ", size, "]");
    if (size > UINT32_MAX) fail("[shuffle_window] `buffer` has ", size, " places; it may have fewer than 2^32");
    int64_t* at = buffer.mutable_data();
    const int64_t* next = fresh.data();
    const int64_t most = std::max<int64_t>(0, std::min(wanted, filled + given));
    py::array_t<int64_t> picked(most);
    int64_t* out = picked.mutable_data();
    int64_t used = 0, done = 0;
    while (done < most) {
      while (filled < size && used < given) at[filled++] = next[used++];
      if (filled == 0 || (filled < size && !ended)) break;
      const int64_t i = static_cast<int64_t>((split_mix(state) >> 32) * static_cast<uint64_t>(filled) >> 32);
      out[done++] = at[i];
      at[i] = at[--filled];
    }
    if (done < most) picked = picked[py::slice(0, done, 1)].cast<py::array_t<int64_t>>();
    return py::make_tuple(picked, filled, used, state);
  }, py::arg("buffer").noconvert(), py::arg("filled"), py::arg("fresh"), py::arg("wanted"), py::arg("ended"),
     py::arg("state"), "(picked, filled, values of `fresh` used, state): up to `wanted` picks.");
  py::class_<Program>(m, "Program", "trace(key, [(shape, dtype), ...]) -> Graph is called once for each signature.")
      .def(py::init<py::object>(), py::arg("trace"))
      .def("call", &Program::call, py::arg("key"), py::arg("arrays"))
      .def("update", &Program::update, py::arg("key"), py::arg("arrays"))
      .def("predict", &Program::predict, py::arg("x"))
      .def("epoch", &Program::epoch, py::arg("key"), py::arg("arrays"), py::arg("order"), py::arg("batch_size"),
           py::arg("first") = 0, py::arg("steps") = -1, py::arg("on_batch") = py::none())
      .def("map", &Program::map, py::arg("key"), py::arg("arrays"), py::arg("batch_size"))
      .def("text", &Program::text, py::arg("key"), py::arg("arrays"))
      .def("profile", &Program::profile, py::arg("key"), py::arg("arrays"), py::arg("repeats") = 30)
      .def("clear", &Program::clear)
      .def_property_readonly("arena_bytes", &Program::arena_bytes);
}

}  // namespace falconet::bindings
