#include "plan/planner.h"

#include <algorithm>
#include <cstring>

#include "base/thread_pool.h"
#include "graph/lowering.h"
#include "graph/simplify.h"
#include "plan/cluster.h"
#include "plan/memory.h"
#include "plan/tile_builder.h"

namespace falconet {

// The last stage of a reduction that ended a tile program: partial results of each row, combined pairwise.
namespace {

struct CombineArgs {
  void (*combine)(void* partial, int64_t count);
  void* partial;
  void* y;
  int64_t blocks, lane_bytes;
};

void combine_partials(const void* args, int64_t begin, int64_t end) {
  const CombineArgs& a = *static_cast<const CombineArgs*>(args);
  for (int64_t row = begin; row < end; ++row) {
    std::byte* partial = static_cast<std::byte*>(a.partial) + row * a.blocks * a.lane_bytes;
    a.combine(partial, a.blocks);
    std::memcpy(static_cast<std::byte*>(a.y) + row * a.lane_bytes, partial, a.lane_bytes);
  }
}

struct CopyBytes {
  const void* from;
  void* to;
  int64_t bytes;
};
// Bodies have activations of their own: they run while the plan around them is using its arena.
struct BodyPlan : SubPlan {
  BodyPlan(const Graph& body, int threads)
      : plan(make_plan(*simplify(body, true), std::make_shared<Arena>(), {threads, nullptr})) {}
  void run(const void* const* inputs, void* const* outputs) const override { plan->run(inputs, outputs); }
  std::unique_ptr<Plan> plan;
};

constexpr int64_t kCopyUnit = 64 << 10;

void copy_bytes(const void* args, int64_t begin, int64_t end) {
  const CopyBytes& a = *static_cast<const CopyBytes*>(args);
  const int64_t from = begin * kCopyUnit, to = std::min(end * kCopyUnit, a.bytes);
  if (to > from) std::memcpy(static_cast<std::byte*>(a.to) + from, static_cast<const std::byte*>(a.from) + from, to - from);
}

}  // namespace

class Planner {
 public:
  Planner(const Graph& graph, std::shared_ptr<Arena> arena, const PlanOptions& options)
      : g_(graph), kernels_(kernels()), threads_(threads_for(options)), packing_(options.packing), plan_(new Plan) {
    plan_->arena_ = std::move(arena);
  }

  std::unique_ptr<Plan> run() {
    find_live();
    find_roots();
    groups_ = make_groups(g_, live_, root_);
    attach_tails_and_epilogues();
    find_outputs_of_groups();
    settle_homes();
    for (const Item& item : items_) lower(item);
    write_back();
    place_memory();
    for (const InstructionInfo& i : plan_->infos_) plan_->cost_ += i.cost;
    share_out();
    return std::move(plan_);
  }

 private:
  // What runs as one: a node or a tile program, with what was fused to it.
  struct Item {
    Group group;
    int tail = -1;                // a reduction node that ends the program
    std::vector<int> epilogue;    // pointwise nodes run on each block of the product `group` makes
    ValueId bias = kNoValue;      // peeled off the epilogue, done in registers
    bool relu = false;
    ValueId destination = kNoValue;  // what the product's memory then is
  };
  // Where a root value's memory is.
  enum class Home : uint8_t { arena, input, output, constant, variable };
  struct Place {
    Home home = Home::arena;
    int index = 0;
    int64_t offset = 0;  // bytes into the variable
    ValueId inside = kNoValue;  // arena: part of this other value, at inside_offset
    int64_t inside_offset = 0;
    int lifetime = -1;   // arena
  };
  struct Use {
    int instruction;
    void** field;
    Ref ref;  // id: a root, or scratch number
    bool writes;
    bool elementwise;  // an operand of a tile program
  };
  struct Scratch {
    int64_t bytes;
    int first, last;
    int lifetime = -1;
  };

  class NodeLowering;

  static int threads_for(const PlanOptions& options) {
    const int all = pool::num_threads();
    return options.threads > 0 ? std::min(options.threads, all) : all;
  }

  void find_live() {
    live_.assign(g_.nodes().size(), false);
    std::vector<ValueId> stack = g_.outputs;
    for (const auto& u : g_.updates) stack.push_back(u.value);
    while (!stack.empty()) {
      const int i = g_.values()[stack.back()].node;
      stack.pop_back();
      if (live_[i]) continue;
      live_[i] = true;
      for (ValueId v : g_.node(i).inputs) stack.push_back(v);
    }
  }

  void find_roots() {
    root_.resize(g_.num_values());
    offset_.assign(g_.num_values(), 0);
    for (int v = 0; v < g_.num_values(); ++v) root_[v] = v;
    for (const Node& n : g_.nodes()) {
      if (!n.op->view) continue;
      const int64_t at = n.op->view(g_, n);
      if (at < 0) continue;
      root_[n.output()] = root_[n.inputs[0]];
      offset_[n.output()] = offset_[n.inputs[0]] + at;
    }
  }

  const Node& maker(ValueId v) const { return g_.producer(v); }
  bool is_leaf(ValueId v) const { return maker(v).op->is_leaf; }

  void attach_tails_and_epilogues() {
    const int count = static_cast<int>(groups_.size());
    std::vector<int> position(g_.nodes().size(), -1);
    for (int k = 0; k < count; ++k) {
      for (int i : groups_[k].nodes) position[i] = k;
    }
    std::vector<std::vector<int>> users(g_.num_values());
    std::vector<bool> kept(g_.num_values(), false);  // outputs and updates
    for (size_t i = 0; i < g_.nodes().size(); ++i) {
      if (!live_[i]) continue;
      for (ValueId v : g_.node(static_cast<int>(i)).inputs) users[root_[v]].push_back(static_cast<int>(i));
    }
    for (ValueId v : g_.outputs) kept[root_[v]] = true;
    for (const auto& u : g_.updates) kept[root_[u.value]] = true;

    std::vector<int> taken_by(count, -1);  // group -> group that runs it
    std::vector<Item> items(count);
    for (int k = 0; k < count; ++k) items[k].group = groups_[k];
    // Reductions behind the program that makes what they reduce.
    for (int k = 0; k < count; ++k) {
      const Node& n = g_.node(groups_[k].nodes[0]);
      if (n.op->tail < 0 || groups_[k].pointwise) continue;
      const ValueId x = root_[n.inputs[0]];
      const int m = is_leaf(x) ? -1 : position[g_.values()[x].node];
      if (m < 0 || !groups_[m].pointwise || items[m].tail >= 0) continue;
      const int64_t row = g_.spec(x).size() / std::max<int64_t>(1, g_.spec(n.output()).size());
      if (!reduces_trailing_axes(n) || g_.spec(x).size() == 0 || g_.spec(x).size() != g_.spec(n.inputs[0]).size()) continue;
      if (row < kMinTailRow && g_.spec(n.output()).size() > 1) continue;
      const auto op = static_cast<ReduceOp>(n.op->tail);
      if (!kernels_.reduce.pieces[static_cast<int>(op)][static_cast<int>(lane_of(g_.spec(x).dtype))].start) continue;
      if (!is_native(g_.spec(x).dtype)) continue;
      items[m].tail = groups_[k].nodes[0];
      taken_by[k] = m;
    }
    // Programs behind the product whose result they start from.
    for (int k = 0; k < count; ++k) {
      if (groups_[k].pointwise || !g_.node(groups_[k].nodes[0]).op->takes_epilogue) continue;
      const Node& n = g_.node(groups_[k].nodes[0]);
      const ValueId c = n.output();
      if (kept[c] || users[c].empty() || !is_native(g_.spec(c).dtype) || g_.spec(c).size() == 0 || g_.spec(n.inputs[0]).size() == 0) continue;
      const int p = position[users[c][0]];
      if (p < 0 || !groups_[p].pointwise || taken_by[p] >= 0 || items[p].tail >= 0 || groups_[p].size != g_.spec(c).size()) continue;
      bool fits = true;
      for (int u : users[c]) fits &= position[u] == p;
      for (int i : groups_[p].nodes) {
        const Node& e = g_.node(i);
        fits &= !e.op->uses_index;
        for (ValueId v : e.inputs) {
          const ValueId r = root_[v];
          if (r == c) {
            fits &= g_.spec(v).size() == g_.spec(c).size();
          } else if (!is_leaf(r)) {
            // Every other input must be made before the product runs.
            int by = position[g_.values()[r].node];
            if (by >= 0 && by != p && taken_by[by] >= 0) by = taken_by[by];
            fits &= by == p || (by >= 0 && by < k);
          }
        }
      }
      if (!fits) continue;
      taken_by[p] = k;
      Item& item = items[k];
      item.epilogue = groups_[p].nodes;
      peel(item, n, users, kept);
    }
    for (int k = 0; k < count; ++k) {
      if (taken_by[k] < 0) items_.push_back(std::move(items[k]));
    }
  }

  // Takes a bias and a relu that come first off the epilogue: the product adds them in registers.
  void peel(Item& item, const Node& product, const std::vector<std::vector<int>>& users, const std::vector<bool>& kept) {
    ValueId c = product.output();
    item.destination = c;
    const auto only_user = [&](ValueId v) { return users[v].size() == 1 && !kept[v] ? users[v][0] : -1; };
    const int64_t width = g_.spec(c).shape.empty() ? 1 : g_.spec(c).shape.back();
    const auto drop = [&](int i) { item.epilogue.erase(std::find(item.epilogue.begin(), item.epilogue.end(), i)); };
    int i = only_user(c);
    if (i >= 0 && g_.node(i).op == &op("add")) {
      const Node& n = g_.node(i);
      const ValueId other = root_[n.inputs[0]] == c ? n.inputs[1] : n.inputs[0];
      const Spec& bias = g_.spec(other);
      if (root_[other] != c && bias.size() == width && !bias.shape.empty() && bias.shape.back() == width &&
          g_.spec(n.output()).shape == g_.spec(c).shape) {
        item.bias = other;
        item.destination = c = n.output();
        drop(i);
        i = only_user(c);
        if (i < 0 && users[c].size() == 1) i = users[c][0];
      }
    }
    if (i >= 0 && !kept[c] && users[c].size() == 1 && g_.node(i).op == &op("relu") && in_epilogue(item, i)) {
      item.relu = true;
      item.destination = g_.node(i).output();
      drop(i);
    }
  }
  static bool in_epilogue(const Item& item, int i) {
    return std::find(item.epilogue.begin(), item.epilogue.end(), i) != item.epilogue.end();
  }

  bool reduces_trailing_axes(const Node& n) const {
    const Shape& x = g_.spec(n.inputs[0]).shape;
    bool trailing = true;
    for (int64_t a : n.attr<Ints>(0)) {
      // Axes after the first reduced one must all be reduced (or hold one element).
      for (int d = static_cast<int>(a); d < x.rank(); ++d) {
        trailing &= x[d] == 1 || std::find(n.attr<Ints>(0).begin(), n.attr<Ints>(0).end(), d) != n.attr<Ints>(0).end();
      }
    }
    return trailing;
  }

  // Values that someone outside their own item reads.
  void find_outputs_of_groups() {
    needed_.assign(g_.num_values(), false);
    std::vector<int> item_of(g_.nodes().size(), -1);
    for (size_t k = 0; k < items_.size(); ++k) {
      if (!items_[k].group.pointwise) continue;
      for (int i : items_[k].group.nodes) item_of[i] = static_cast<int>(k);
      if (items_[k].tail >= 0) item_of[items_[k].tail] = static_cast<int>(k);
    }
    int next = static_cast<int>(items_.size());
    for (const Item& item : items_) {
      for (int i : item.epilogue) item_of[i] = next;
      ++next;
    }
    for (size_t i = 0; i < g_.nodes().size(); ++i) {
      if (!live_[i] || (g_.node(static_cast<int>(i)).op->view && root_[g_.node(static_cast<int>(i)).output()] != g_.node(static_cast<int>(i)).output())) continue;
      for (ValueId v : g_.node(static_cast<int>(i)).inputs) {
        const ValueId r = root_[v];
        if (item_of[i] < 0 || item_of[g_.values()[r].node] != item_of[i]) needed_[r] = true;
      }
    }
    for (ValueId v : g_.outputs) needed_[root_[v]] = true;
    for (const auto& u : g_.updates) needed_[root_[u.value]] = true;
  }

  void settle_homes() {
    place_.assign(g_.num_values(), {});
    plan_->input_patches_.resize(g_.inputs.size());
    plan_->output_patches_.resize(g_.outputs.size());
    for (size_t i = 0; i < g_.inputs.size(); ++i) {
      place_[g_.inputs[i]] = {Home::input, static_cast<int>(i)};
      plan_->input_specs_.push_back(g_.spec(g_.inputs[i]));
    }
    for (size_t i = 0; i < g_.nodes().size(); ++i) {
      const Node& n = g_.node(static_cast<int>(i));
      if (!live_[i]) continue;
      if (n.variable) {
        place_[n.output()] = {Home::variable, variable_index(n.variable)};
      } else if (n.constant.buffer) {
        place_[n.output()] = {Home::constant, static_cast<int>(plan_->constants_.size())};
        plan_->constants_.push_back(n.constant);
      }
    }
    // A value that is an output is made where the caller wants it, if it is the first to ask and made here.
    for (size_t i = 0; i < g_.outputs.size(); ++i) {
      plan_->output_specs_.push_back(g_.spec(g_.outputs[i]));
      const ValueId v = g_.outputs[i], r = root_[v];
      if (place_[r].home == Home::arena && !is_leaf(r) && g_.spec(r).bytes() == g_.spec(v).bytes()) {
        place_[r] = {Home::output, static_cast<int>(i)};
      } else {
        copies_.push_back({v, Home::output, static_cast<int>(i)});
      }
    }
    // Pieces of a concatenation along the outermost axis are made inside it.
    for (const Item& item : items_) {
      const Node& n = g_.node(item.group.nodes[0]);
      if (!n.op->place_inputs || item.group.pointwise) continue;
      int64_t at = 0;
      std::vector<int64_t> offsets = n.op->place_inputs(g_, n);
      for (size_t k = 0; k < offsets.size(); ++k) {
        const ValueId v = n.inputs[k], r = root_[v];
        at = offsets[k];
        Place& p = place_[r];
        if (p.home == Home::arena && p.inside == kNoValue && !is_leaf(r) && r != n.output() && offset_[v] == 0 &&
            g_.spec(r).bytes() == g_.spec(v).bytes() && g_.spec(r).dtype == g_.spec(n.output()).dtype) {
          p.inside = n.output();
          p.inside_offset = at;
        }
      }
    }
  }

  int variable_index(const std::shared_ptr<VariableState>& state) {
    for (size_t i = 0; i < plan_->variables_.size(); ++i) {
      if (plan_->variables_[i].state == state) return static_cast<int>(i);
    }
    plan_->variables_.push_back({state, nullptr, {}});
    return static_cast<int>(plan_->variables_.size() - 1);
  }

  void lower(const Item& item);
  void lower_program(const Item& item);
  TileProgram* keep_program(const TileDraft& draft, int instruction, ValueId product = kNoValue);
  const void* epilogue_context(const Item& item);

  // --- instructions ---
  void* add_instruction(TaskFn task, int64_t units, int64_t unit_cost, size_t args_bytes, std::string name) {
    void* args = keep_bytes(args_bytes);
    plan_->instructions_.push_back({task, args, units, 0});
    plan_->infos_.push_back({std::move(name), units * unit_cost, 0, units * unit_cost});
    return args;
  }

  // Decides which instructions the threads share, now that their operands are known. An op's operands may be far larger
  // than what it touches of them (rows of a table): by the convention of Lowering::emit its cost says how much.
  void share_out() {
    for (size_t i = 0; i < plan_->instructions_.size(); ++i) {
      const InstructionInfo& info = plan_->infos_[i];
      Instruction& instruction = plan_->instructions_[i];
      instruction.grain = parallel_grain(instruction.units, info.cost, std::min(info.bytes, 4 * info.cost), threads_);
    }
  }

  void* keep_bytes(size_t bytes) {
    bytes = (bytes + 31) / 32 * 32;
    if (bytes > chunk_left_) {
      chunk_left_ = std::max<size_t>(bytes, 8 << 10);
      plan_->memory_.push_back(Buffer::allocate(chunk_left_));
      chunk_at_ = plan_->memory_.back()->data();
    }
    void* kept = chunk_at_;
    chunk_at_ += bytes;
    chunk_left_ -= bytes;
    return kept;
  }

  int last_instruction() const { return static_cast<int>(plan_->instructions_.size()) - 1; }

  void use(int instruction, void** field, Ref ref, bool writes, bool elementwise = false) {
    if (!ref.scratch) {
      ref.offset += offset_[ref.id];
      ref.id = root_[ref.id];
      plan_->infos_[instruction].bytes += g_.spec(ref.id).bytes();
    } else {
      Scratch& s = scratch_[ref.id];
      s.first = std::min(s.first, instruction);
      s.last = std::max(s.last, instruction);
    }
    uses_.push_back({instruction, field, ref, writes, elementwise});
  }

  Ref new_scratch(int64_t bytes) {
    scratch_.push_back({bytes, INT32_MAX, -1});
    return {static_cast<int32_t>(scratch_.size() - 1), true};
  }

  void add_copy(Ref from, Ref to, int64_t bytes, const char* name) {
    auto* a = new (add_instruction(copy_bytes, (bytes + kCopyUnit - 1) / kCopyUnit, kCopyUnit / 4, sizeof(CopyBytes), name)) CopyBytes{nullptr, nullptr, bytes};
    use(last_instruction(), const_cast<void**>(&a->from), from, false);
    use(last_instruction(), &a->to, to, true);
  }

  // --- what runs leave behind ---

  // Whether an instruction after `instruction` reads the memory that `state` shares with another variable, or its own.
  bool read_later(const VariableState& state, int instruction) const {
    const std::byte* from = state.array.data();
    const std::byte* to = from + state.array.spec.bytes();
    for (const Use& u : uses_) {
      if (u.ref.scratch || u.instruction <= instruction || place_[u.ref.id].home != Home::variable || u.writes) continue;
      const Array& other = plan_->variables_[place_[u.ref.id].index].state->array;
      if (other.data() < to && from < other.data() + other.spec.bytes()) return true;
    }
    return false;
  }

  // Whether the program at `instruction` may write `out` over `in`: it reads `in` element by element, and no more once
  // it writes.
  bool shareable(int instruction, ValueId out, ValueId in) const {
    for (const Program& p : programs_) {
      if (p.instruction != instruction) continue;
      const TileDraft::Operand* output = nullptr;
      for (const auto& o : p.draft.operands) {
        if (o.tile.is_output && o.value == out) output = &o;
      }
      if (!output) continue;
      bool safe = true;
      for (const auto& o : p.draft.operands) {
        if (!o.tile.is_output && o.value == in) safe &= o.offset == 0 && p.draft.may_share(*output, o);
      }
      return safe;
    }
    return false;
  }

  bool holds_pieces(ValueId v) const {
    return std::any_of(place_.begin(), place_.end(), [v](const Place& p) { return p.inside == v; });
  }

  void write_back();
  void place_memory();

  const Graph& g_;
  const Kernels& kernels_;
  const int threads_;
  Packing* const packing_;
  std::unique_ptr<Plan> plan_;

  std::vector<bool> live_, needed_;
  std::vector<ValueId> root_;
  std::vector<int64_t> offset_;
  std::vector<Group> groups_;
  std::vector<Item> items_;
  std::vector<Place> place_;
  struct Copy {
    ValueId from;
    Home to;
    int index;
  };
  std::vector<Copy> copies_;
  std::vector<Use> uses_;
  std::vector<Scratch> scratch_;
  struct Program {
    int instruction;
    TileDraft draft;
    ValueId product;  // of an epilogue: the matrix it runs on
  };
  std::vector<Program> programs_;
  std::byte* chunk_at_ = nullptr;
  size_t chunk_left_ = 0;

  // Rows shorter than this are reduced faster by the stand-alone kernel.
  static constexpr int64_t kMinTailRow = 512;
};

class Planner::NodeLowering : public Lowering {
 public:
  NodeLowering(Planner& planner, const Node& node, const Item& item)
      : Lowering(planner.g_, node, planner.kernels_, planner.threads_), p_(planner), item_(item) {}

  Ref scratch(int64_t bytes) override { return p_.new_scratch(bytes); }
  std::shared_ptr<VariableState> packed(int i, const PackBArgs& form) override {
    const ValueId v = node().inputs[i];
    const Node& leaf = p_.maker(p_.root_[v]);
    if (!p_.packing_ || (!leaf.variable && !leaf.constant.buffer)) return nullptr;
    return p_.packing_->packed(leaf.variable.get(), leaf.constant, p_.offset_[v], form);
  }
  void bind_variable(const void*& field, const std::shared_ptr<VariableState>& variable) override {
    const int index = p_.variable_index(variable);
    p_.plan_->variables_[index].patches.push_back({const_cast<void**>(&field), 0});
    p_.plan_->infos_.back().bytes += variable->array.spec.bytes();
  }
  bool in_place(int i) const override {
    // An input that comes twice is made in one of its two places; the other is copied.
    const Place& p = p_.place_[p_.root_[node().inputs[i]]];
    return p.inside == node().output() && p.inside_offset == node().op->place_inputs(p_.g_, node())[i];
  }
  const SubPlan* sub_plan(const Graph& body) override {
    p_.plan_->sub_plans_.push_back(std::make_unique<BodyPlan>(body, p_.threads_));
    return p_.plan_->sub_plans_.back().get();
  }
  int32_t* index_error(const std::string& indexed) override {
    const char* name = node().op->known_as ? node().op->known_as : node().op->name;
    const std::string what = indexed.empty() ? join_text("an input of shape ", in_spec(0).shape) : indexed;
    p_.plan_->index_checks_.push_back(
        {std::make_unique<int32_t>(0), join_text("[", name, "] an index is out of range for ", what)});
    return p_.plan_->index_checks_.back().flag.get();
  }
  FusedEpilogue epilogue() const override {
    FusedEpilogue e;
    if (item_.bias != kNoValue) e.bias = {item_.bias};
    e.relu = item_.relu;
    if (item_.destination != kNoValue) e.destination = {item_.destination};
    return e;
  }
  void attach_epilogue(GemmArgs& args) override {
    if (item_.epilogue.empty()) return;
    args.epilogue = run_tile_epilogue;
    args.epilogue_context = p_.epilogue_context(item_);
  }

 protected:
  void* add_instruction(TaskFn task, int64_t units, int64_t unit_cost, size_t args_bytes) override {
    return p_.add_instruction(task, units, unit_cost, args_bytes, node().op->name);
  }
  void describe(const char* name, int64_t flops, int64_t bytes) override {
    InstructionInfo& info = p_.plan_->infos_.back();
    info.name = name;
    info.flops = flops;
    if (bytes >= 0) info.bytes = bytes;
  }
  void bind_pointer(void** field, Ref ref, bool writes) override { p_.use(p_.last_instruction(), field, ref, writes); }
  void* keep_bytes(size_t bytes) override { return p_.keep_bytes(bytes); }

 private:
  Planner& p_;
  const Item& item_;
};

void Planner::lower(const Item& item) {
  if (item.group.pointwise) return lower_program(item);
  const Node& n = g_.node(item.group.nodes[0]);
  bool empty = true;
  for (int o = 0; o < n.num_outputs; ++o) empty &= g_.spec(n.output(o)).size() == 0;
  if (empty) return;  // nothing to compute; kernels may assume sizes of at least 1
  NodeLowering lowering(*this, n, item);
  n.op->lower(lowering);
}

TileProgram* Planner::keep_program(const TileDraft& draft, int instruction, ValueId product) {
  auto* program = new (keep_bytes(sizeof(TileProgram))) TileProgram;
  program->kernels = &kernels_.pointwise;
  program->size = draft.size;
  program->tile = draft.tile;
  program->register_bytes = draft.register_bytes;
  program->num_registers = draft.num_registers;
  program->num_operands = static_cast<int>(draft.operands.size());
  program->num_steps = static_cast<int>(draft.steps.size());
  program->operands = static_cast<TileOperand*>(keep_bytes(sizeof(TileOperand) * std::max<size_t>(1, draft.operands.size())));
  program->steps = static_cast<TileStep*>(keep_bytes(sizeof(TileStep) * std::max<size_t>(1, draft.steps.size())));
  std::copy(draft.steps.begin(), draft.steps.end(), program->steps);
  for (size_t i = 0; i < draft.operands.size(); ++i) {
    const TileDraft::Operand& o = draft.operands[i];
    TileOperand* kept = new (&program->operands[i]) TileOperand(o.tile);
    if (o.is_constant) {
      // A tile of it, made once: steps read it like any other operand.
      const int64_t bytes = lane_bytes(lane_of(o.tile.dtype));
      kept->base = keep_bytes(bytes * draft.tile);
      alignas(8) std::byte value[8] = {};
      if (o.tile.dtype == DType::boolean) {
        const int32_t mask = o.number != 0 ? -1 : 0;
        std::memcpy(value, &mask, sizeof mask);
      } else {
        write_scalar(value, o.tile.dtype, o.number);
      }
      for (int64_t i = 0; i < draft.tile; ++i) std::memcpy(static_cast<std::byte*>(kept->base) + i * bytes, value, bytes);
    } else {
      use(instruction, &kept->base, {o.value, false, o.offset - offset_[o.value]}, o.tile.is_output, true);
    }
  }
  programs_.push_back({instruction, draft, product});
  return program;
}

const void* Planner::epilogue_context(const Item& item) {
  // Called while the product's own instruction is the last one.
  const Shape& shape = g_.spec(item.destination).shape;
  TileBuilder builder(g_, kernels_, root_, offset_, needed_);
  const TileDraft draft = builder.build(item.epilogue, g_.spec(item.destination).size(), kNoValue, false);
  auto* context = new (keep_bytes(sizeof(TileEpilogue))) TileEpilogue;
  context->program = keep_program(draft, last_instruction(), item.destination);
  context->width = shape.empty() ? 1 : shape.back();
  context->height = shape.rank() < 2 ? 1 : shape[-2];
  return context;
}

void Planner::lower_program(const Item& item) {
  if (item.group.size == 0 && item.tail < 0) return;
  const ValueId reduced = item.tail >= 0 ? root_[g_.node(item.tail).inputs[0]] : kNoValue;
  TileBuilder builder(g_, kernels_, root_, offset_, needed_);
  TileDraft draft = builder.build(item.group.nodes, item.group.size, reduced, item.tail < 0);
  std::string name;
  for (int i : item.group.nodes) {
    if (name.size() < 32) name += (name.empty() ? "" : "+") + std::string(g_.node(i).op->name);
  }
  if (item.group.nodes.size() > 4) name += "(" + std::to_string(item.group.nodes.size()) + ")";
  if (item.tail < 0) {
    const int64_t tiles = (draft.size + draft.tile - 1) / draft.tile;
    // The instruction's arguments are the program itself; it is kept first and named by the instruction.
    const int instruction = last_instruction() + 1;
    add_instruction(run_tiles, tiles, draft.tile * (draft.step_cost + static_cast<int64_t>(draft.operands.size())), 1, name);
    plan_->instructions_[instruction].args = keep_program(draft, instruction);
    return;
  }
  const Node& tail = g_.node(item.tail);
  const Lane lane = lane_of(g_.spec(reduced).dtype);
  const int64_t rows = std::max<int64_t>(1, g_.spec(tail.output()).size()), row = draft.size / rows;
  const int64_t blocks = (row + kReduceBlock - 1) / kReduceBlock;
  const ReducePieces& pieces = kernels_.reduce.pieces[tail.op->tail][static_cast<int>(lane)];
  const int instruction = last_instruction() + 1;
  add_instruction(run_tiles_reduce, rows * blocks, std::min(row, kReduceBlock) * (draft.step_cost + static_cast<int64_t>(draft.operands.size())), 1, name + ">" + tail.op->name);
  TileProgram* program = keep_program(draft, instruction);
  plan_->instructions_[instruction].args = program;
  program->reduce.pieces = pieces;
  program->reduce.slot = static_cast<int16_t>(draft.reduce_slot);
  program->reduce.row = row;
  program->reduce.blocks = blocks;
  program->reduce.lane_bytes = lane_bytes(lane);
  if (blocks == 1) {
    use(instruction, &program->reduce.partial, {tail.output()}, true);
    return;
  }
  const Ref partial = new_scratch(rows * blocks * lane_bytes(lane));
  use(instruction, &program->reduce.partial, partial, true);
  auto* c = new (add_instruction(combine_partials, rows, blocks, sizeof(CombineArgs), tail.op->name))
      CombineArgs{pieces.combine, nullptr, nullptr, blocks, lane_bytes(lane)};
  use(last_instruction(), &c->partial, partial, true);
  use(last_instruction(), &c->y, {tail.output()}, true);
}

// Gives updates and outputs that were not made in place their copies. A variable may take its new value where that is
// computed, if nothing reads the old one any more; otherwise the value waits in the arena until everything has run.
void Planner::write_back() {
  for (const auto& u : g_.updates) {
    const ValueId r = root_[u.value];
    Place& place = place_[r];
    const int variable = variable_index(u.variable);
    int made_at = -1, other_writers = 0;
    for (const Use& use : uses_) {
      if (use.ref.scratch || use.ref.id != r || !use.writes) continue;
      if (made_at < 0) made_at = use.instruction;
      other_writers += use.instruction != made_at;
    }
    bool in_place = place.home == Home::arena && place.inside == kNoValue && !holds_pieces(r) && made_at >= 0 && other_writers == 0 &&
                    offset_[u.value] == 0 && g_.spec(r).bytes() == g_.spec(u.value).bytes() &&
                    !read_later(*u.variable, made_at);
    if (in_place) {
      // Within the instruction that makes it, only a tile program that is done with each old element may overwrite it.
      for (const Use& use : uses_) {
        if (use.instruction != made_at || use.ref.scratch || place_[use.ref.id].home != Home::variable || use.writes) continue;
        const Array& other = plan_->variables_[place_[use.ref.id].index].state->array;
        const Array& own = u.variable->array;
        const bool overlaps = other.data() < own.data() + own.spec.bytes() && own.data() < other.data() + other.spec.bytes();
        if (!overlaps) continue;
        in_place &= use.elementwise && other.data() == own.data() && other.spec.bytes() == own.spec.bytes() && shareable(made_at, r, use.ref.id);
      }
    }
    if (in_place) {
      place = {Home::variable, variable};
    } else {
      copies_.push_back({u.value, Home::variable, variable});
    }
  }
  // Two rounds, so that variables may swap their values.
  struct Final {
    Ref from;
    Copy copy;
  };
  std::vector<Final> final_copies;
  for (const Copy& c : copies_) {
    Ref from{c.from};
    if (place_[root_[c.from]].home == Home::variable && c.to == Home::variable) {
      const Ref temporary = new_scratch(g_.spec(c.from).bytes());
      add_copy(from, temporary, g_.spec(c.from).bytes(), "copy");
      from = temporary;
    }
    final_copies.push_back({from, c});
  }
  // Outputs before variables: an output may show a variable's old value.
  std::stable_sort(final_copies.begin(), final_copies.end(), [](const Final& a, const Final& b) { return a.copy.to == Home::output && b.copy.to != Home::output; });
  for (const Final& f : final_copies) {
    const int64_t bytes = g_.spec(f.copy.from).bytes();
    if (bytes == 0) continue;
    auto* a = new (add_instruction(copy_bytes, (bytes + kCopyUnit - 1) / kCopyUnit, kCopyUnit / 4, sizeof(CopyBytes), "copy")) CopyBytes{nullptr, nullptr, bytes};
    use(last_instruction(), const_cast<void**>(&a->from), f.from, false);
    if (f.copy.to == Home::output) {
      plan_->output_patches_[f.copy.index].push_back({&a->to, 0});
    } else {
      plan_->variables_[f.copy.index].patches.push_back({&a->to, 0});
    }
  }
}

void Planner::place_memory() {
  std::vector<Lifetime> lifetimes;
  // Lives of arena values, following pieces into what they are part of.
  const auto base_of = [&](ValueId v) {
    int64_t at = 0;
    while (place_[v].inside != kNoValue) {
      at += place_[v].inside_offset;
      v = root_[place_[v].inside];
    }
    return std::pair<ValueId, int64_t>{v, at};
  };
  std::vector<int> first(g_.num_values(), INT32_MAX), last(g_.num_values(), -1);
  for (const Use& u : uses_) {
    if (u.ref.scratch) continue;
    const ValueId b = base_of(u.ref.id).first;
    first[b] = std::min(first[b], u.instruction);
    last[b] = std::max(last[b], u.instruction);
  }
  // A tile program's output takes over the memory of an input that dies there.
  std::vector<ValueId> shares(g_.num_values(), kNoValue);
  const auto holder = [&](ValueId v) {
    while (shares[v] != kNoValue) v = shares[v];
    return v;
  };
  for (const Program& p : programs_) {
    std::vector<ValueId> given;
    for (const TileDraft::Operand& o : p.draft.operands) {
      if (!o.tile.is_output) continue;
      const ValueId out = root_[o.value];
      if (place_[out].home != Home::arena || place_[out].inside != kNoValue || first[out] != p.instruction) continue;
      for (const TileDraft::Operand& in : p.draft.operands) {
        if (in.tile.is_output || in.is_constant || in.value == kNoValue || in.offset != 0) continue;
        // The product's other blocks may still need what an epilogue would overwrite, except the product itself.
        if (p.product != kNoValue && in.value != p.product) continue;
        const ValueId v = holder(in.value);
        if (v == out || place_[in.value].home != Home::arena || place_[in.value].inside != kNoValue || last[in.value] != p.instruction ||
            last[v] > p.instruction || g_.spec(in.value).bytes() != g_.spec(out).bytes() ||
            std::find(given.begin(), given.end(), v) != given.end() || !shareable(p.instruction, out, in.value)) continue;
        shares[out] = v;
        last[v] = std::max(last[v], last[out]);
        given.push_back(v);
        break;
      }
    }
  }
  for (int v = 0; v < g_.num_values(); ++v) {
    if (last[v] < 0 || place_[v].home != Home::arena || place_[v].inside != kNoValue || shares[v] != kNoValue) continue;
    place_[v].lifetime = static_cast<int>(lifetimes.size());
    lifetimes.push_back({g_.spec(v).bytes(), first[v], last[v]});
  }
  for (Scratch& s : scratch_) {
    if (s.last < 0) continue;
    s.lifetime = static_cast<int>(lifetimes.size());
    lifetimes.push_back({s.bytes, s.first, s.last});
  }
  plan_->arena_bytes_ = assign_offsets(lifetimes);
  for (const Use& u : uses_) {
    if (u.ref.scratch) {
      plan_->arena_patches_.push_back({u.field, lifetimes[scratch_[u.ref.id].lifetime].offset + u.ref.offset});
      continue;
    }
    const auto [base, at] = base_of(u.ref.id);
    const Place& place = place_[base];
    const int64_t offset = u.ref.offset + at;
    switch (place.home) {
      case Home::arena: plan_->arena_patches_.push_back({u.field, lifetimes[place_[holder(base)].lifetime].offset + offset}); break;
      case Home::input: plan_->input_patches_[place.index].push_back({u.field, offset}); break;
      case Home::output: plan_->output_patches_[place.index].push_back({u.field, offset}); break;
      case Home::variable: plan_->variables_[place.index].patches.push_back({u.field, offset}); break;
      case Home::constant: *u.field = plan_->constants_[place.index].data() + offset; break;
    }
  }
}

int64_t parallel_grain(int64_t units, int64_t flops, int64_t bytes, int threads) {
  if (threads == 1 || units <= 1) return 0;
  // What one core does in a nanosecond, roughly: a product's flops, an elementwise chain's bytes from L2 or L3.
  constexpr int64_t kFlops = 100, kBytes = 40;
  constexpr int64_t kWorthwhile = 6'000, kChunk = 1'000, kMostChunks = 64;  // nanoseconds, nanoseconds, a region's
  const int64_t time = std::max(flops / kFlops, bytes / kBytes);
  if (time < kWorthwhile) return 0;
  // Enough chunks that a late thread costs little; each large enough to be worth claiming. As many as threads keep a
  // region to that many of the pool.
  if (threads < pool::num_threads()) return (units + threads - 1) / threads;
  return std::max<int64_t>(1, units / std::min(kMostChunks, time / kChunk));
}

std::unique_ptr<Plan> make_plan(const Graph& graph, std::shared_ptr<Arena> arena, const PlanOptions& options) {
#ifdef FALCONET_VERIFY
  graph.verify();
#endif
  return Planner(graph, std::move(arena), options).run();
}

}  // namespace falconet
