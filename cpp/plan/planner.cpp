#include "plan/planner.h"

#include <algorithm>
#include <cstring>
#include <numeric>

#include "base/thread_pool.h"
#include "graph/lowering.h"
#include "graph/simplify.h"
#include "plan/placement.h"
#include "plan/stages.h"
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

// Nanoseconds of one core, roughly: a product's flops, an elementwise chain's bytes from L2 or L3.
int64_t work_time(int64_t flops, int64_t bytes) {
  constexpr int64_t kFlops = 100, kBytes = 40;
  return std::max(flops / kFlops, bytes / kBytes);
}
// An op's operands may be far larger than what it touches of them (rows of a table): by the convention of Lowering::emit
// its cost says how much.
int64_t touched_bytes(const InstructionInfo& info) { return std::min(info.bytes, 4 * info.cost); }
int64_t work_time(const InstructionInfo& info) { return work_time(info.cost, touched_bytes(info)); }

// Units of a chunk: enough chunks that a late thread costs little, each large enough to be worth claiming.
int64_t shared_grain(int64_t units, int64_t time) {
  constexpr int64_t kChunk = 1'000, kMostChunks = 64;  // nanoseconds; of an instruction
  return std::max<int64_t>(1, units / std::clamp<int64_t>(time / kChunk, 1, kMostChunks));
}

void copy_bytes(const void* args, int64_t begin, int64_t end) {
  const CopyBytes& a = *static_cast<const CopyBytes*>(args);
  const int64_t from = begin * kCopyUnit, to = std::min(end * kCopyUnit, a.bytes);
  if (to > from) std::memcpy(static_cast<std::byte*>(a.to) + from, static_cast<const std::byte*>(a.from) + from, to - from);
}

}  // namespace

class Planner {
 public:
  Planner(const Graph& graph, std::shared_ptr<Arena> arena, const PlanOptions& options)
      : g_(graph), kernels_(kernels()), threads_(threads_for(options)), packing_(options.packing), plan_(new Plan),
        values_(find_values(graph)), items_(make_items(graph, values_, kernels_)),
        needed_(find_needed(graph, values_, items_)), placement_(graph, values_, items_, *plan_) {
    plan_->arena_ = std::move(arena);
  }

  std::unique_ptr<Plan> run() {
    for (const Item& item : items_) lower(item);
    const size_t copies = plan_->instructions_.size();
    write_back();
    for (size_t i = copies; i < plan_->instructions_.size(); ++i) alone_.push_back(i);
    for (const InstructionInfo& i : plan_->infos_) plan_->cost_ += i.cost;
    share_out();
    make_stages();
    placement_.finish(plan_->stage_of_);
    return std::move(plan_);
  }

 private:
  class NodeLowering;

  static int threads_for(const PlanOptions& options) {
    const int all = pool::num_threads();
    return options.threads > 0 ? std::min(options.threads, all) : all;
  }

  void lower(const Item& item);
  void lower_program(const Item& item);
  TileProgram* keep_program(const TileDraft& draft, int instruction, ValueId product = kNoValue);
  const void* epilogue_context(const Item& item);

  // --- instructions ---
  void* add_instruction(TaskFn task, int64_t units, int64_t unit_cost, size_t args_bytes, std::string name) {
    if (!task) fail("[", name, "] takes part in training, and this library was built for inference only");
    void* args = keep_bytes(args_bytes);
    plan_->instructions_.push_back({task, args, units, 0});
    plan_->infos_.push_back({std::move(name), units * unit_cost, 0, units * unit_cost});
    return args;
  }

  // Decides which instructions the threads share, now that their operands are known.
  void share_out() {
    for (size_t i = 0; i < plan_->instructions_.size(); ++i) {
      const InstructionInfo& info = plan_->infos_[i];
      Instruction& instruction = plan_->instructions_[i];
      instruction.grain = parallel_grain(instruction.units, info.cost, touched_bytes(info), threads_);
    }
  }
  // Decides which run at the same time, and puts them in that order.
  void make_stages();

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

  CopyBytes& add_copy(int64_t bytes) {
    const int64_t units = (bytes + kCopyUnit - 1) / kCopyUnit;
    return *new (add_instruction(copy_bytes, units, kCopyUnit / 4, sizeof(CopyBytes), "copy")) CopyBytes{nullptr, nullptr, bytes};
  }
  void use(void** field, Ref ref, bool writes, bool elementwise = false) {
    placement_.use(last_instruction(), field, ref, writes, elementwise);
  }

  void write_back();

  const Graph& g_;
  const Kernels& kernels_;
  const int threads_;
  Packing* const packing_;
  std::unique_ptr<Plan> plan_;
  const Values values_;
  const std::vector<Item> items_;
  const std::vector<bool> needed_;
  Placement placement_;
  std::vector<size_t> alone_;  // instructions that share no stage
  std::byte* chunk_at_ = nullptr;
  size_t chunk_left_ = 0;
};

class Planner::NodeLowering : public Lowering {
 public:
  NodeLowering(Planner& planner, const Node& node, const Item& item)
      : Lowering(planner.g_, node, planner.kernels_, planner.threads_), p_(planner), item_(item) {}

  Ref scratch(int64_t bytes) override { return p_.placement_.new_scratch(bytes); }
  std::shared_ptr<VariableState> packed(int i, const PackBArgs& form) override {
    const ValueId v = node().inputs[i];
    const Node& leaf = p_.g_.producer(p_.values_.root[v]);
    if (!p_.packing_ || (!leaf.variable && !leaf.constant.buffer)) return nullptr;
    return p_.packing_->packed(leaf.variable.get(), leaf.constant, p_.values_.offset[v], form);
  }
  void bind_variable(const void*& field, const std::shared_ptr<VariableState>& variable) override {
    const int index = p_.placement_.variable_index(variable);
    p_.plan_->variables_[index].patches.push_back({const_cast<void**>(&field), 0});
    p_.plan_->infos_.back().bytes += variable->array.spec.bytes();
  }
  bool in_place(int i) const override {
    // An input that comes twice is made in one of its two places; the other is copied.
    const int64_t offset = p_.placement_.offset_inside(node().inputs[i], node().output());
    return offset >= 0 && offset == node().op->place_inputs(p_.g_, node())[i];
  }
  const SubPlan* sub_plan(const Graph& body) override {
    has_sub_plan_ = true;
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
    if (item_.gate != kNoValue) e.gate = {item_.gate};
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
  void bind_pointer(void** field, Ref ref, bool writes) override { p_.use(field, ref, writes); }
  void* keep_bytes(size_t bytes) override { return p_.keep_bytes(bytes); }

 private:
  Planner& p_;
  const Item& item_;
  bool has_sub_plan_ = false;

 public:
  bool has_sub_plan() const { return has_sub_plan_; }
};

void Planner::lower(const Item& item) {
  if (item.group.pointwise) return lower_program(item);
  const Node& n = g_.node(item.group.nodes[0]);
  bool empty = true;
  for (int o = 0; o < n.num_outputs; ++o) empty &= g_.spec(n.output(o)).size() == 0;
  if (empty) return;  // nothing to compute; kernels may assume sizes of at least 1
  NodeLowering lowering(*this, n, item);
  const size_t first = plan_->instructions_.size();
  n.op->lower(lowering);
  if (!lowering.has_sub_plan()) return;
  for (size_t i = first; i < plan_->instructions_.size(); ++i) alone_.push_back(i);
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
      placement_.use(instruction, &kept->base, {o.value, false, o.offset - values_.offset[o.value]}, o.tile.is_output, true);
    }
  }
  placement_.add_program(instruction, draft, product);
  return program;
}

const void* Planner::epilogue_context(const Item& item) {
  // Called while the product's own instruction is the last one.
  const Shape& shape = g_.spec(item.destination).shape;
  TileBuilder builder(g_, kernels_, values_.root, values_.offset, needed_);
  const TileDraft draft = builder.build(item.epilogue, g_.spec(item.destination).size(), kNoValue, false);
  auto* context = new (keep_bytes(sizeof(TileEpilogue))) TileEpilogue;
  context->program = keep_program(draft, last_instruction(), item.destination);
  context->width = shape.empty() ? 1 : shape.back();
  context->height = shape.rank() < 2 ? 1 : shape[-2];
  return context;
}

void Planner::lower_program(const Item& item) {
  if (item.group.size == 0 && item.tail < 0) return;
  const ValueId reduced = item.tail >= 0 ? values_.root[g_.node(item.tail).inputs[0]] : kNoValue;
  TileBuilder builder(g_, kernels_, values_.root, values_.offset, needed_);
  TileDraft draft = builder.build(item.group.nodes, item.group.size, reduced, item.tail < 0);
  std::string name;
  for (int i : item.group.nodes) {
    if (name.size() >= 32) break;
    if (!name.empty()) name += '+';
    name += g_.node(i).op->name;
  }
  if (item.group.nodes.size() > 4) name.append("(").append(std::to_string(item.group.nodes.size())).append(")");
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
    placement_.use(instruction, &program->reduce.partial, {tail.output()}, true);
    return;
  }
  const Ref partial = placement_.new_scratch(rows * blocks * lane_bytes(lane));
  placement_.use(instruction, &program->reduce.partial, partial, true);
  auto* c = new (add_instruction(combine_partials, rows, blocks, sizeof(CombineArgs), tail.op->name))
      CombineArgs{pieces.combine, nullptr, nullptr, blocks, lane_bytes(lane)};
  use(&c->partial, partial, true);
  use(&c->y, {tail.output()}, true);
}

// In two rounds, so that variables may swap their values.
void Planner::write_back() {
  const std::vector<Placement::Copy> copies = placement_.settle_updates();
  std::vector<Ref> sources;
  for (const Placement::Copy& copy : copies) {
    Ref from{copy.from};
    if (copy.to_variable && placement_.is_variable(copy.from)) {
      const int64_t bytes = g_.spec(copy.from).bytes();
      const Ref waiting = placement_.new_scratch(bytes);
      CopyBytes& args = add_copy(bytes);
      use(const_cast<void**>(&args.from), from, false);
      use(&args.to, waiting, true);
      from = waiting;
    }
    sources.push_back(from);
  }
  for (size_t i = 0; i < copies.size(); ++i) {
    const int64_t bytes = g_.spec(copies[i].from).bytes();
    if (bytes == 0) continue;
    CopyBytes& args = add_copy(bytes);
    use(const_cast<void**>(&args.from), sources[i], false);
    placement_.bind_target(&args.to, copies[i]);
  }
}

void Planner::make_stages() {
  std::vector<Instruction>& instructions = plan_->instructions_;
  const size_t count = instructions.size();
  std::vector<int> stage_of(count);
  std::iota(stage_of.begin(), stage_of.end(), 0);
  // A plan that is to use fewer threads than there are has one chunk for each, and a stage would have more.
  const bool shares = threads_ > 1 && threads_ == pool::num_threads();
  if (shares) {
    const std::vector<std::vector<Access>> accesses = placement_.accesses();
    std::vector<StageInput> inputs(count);
    for (size_t i = 0; i < count; ++i) inputs[i] = {accesses[i], work_time(plan_->infos_[i]), false};
    for (size_t i : alone_) inputs[i].alone = true;
    stage_of = find_stages(instructions, inputs);
  }
  std::vector<size_t> order(count);
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) { return stage_of[a] < stage_of[b]; });
  const std::vector<Instruction> unordered_instructions = instructions;
  const std::vector<InstructionInfo> unordered_infos = plan_->infos_;
  for (size_t i = 0; i < count; ++i) {
    instructions[i] = unordered_instructions[order[i]];
    plan_->infos_[i] = unordered_infos[order[i]];
    plan_->stage_of_.push_back(stage_of[order[i]]);
  }
  placement_.reorder(order);
  for (size_t first = 0, last; first < count; first = last) {
    std::vector<Instruction> together;
    for (last = first; last < count && plan_->stage_of_[last] == plan_->stage_of_[first]; ++last) {
      together.push_back(instructions[last]);
      together.back().grain = shared_grain(instructions[last].units, work_time(plan_->infos_[last]));
    }
    const bool alone = std::find(alone_.begin(), alone_.end(), order[first]) != alone_.end();
    if (last == count && shares && !alone) plan_->last_stage_ = together;
    if (together.size() == 1) {
      plan_->stages_.push_back(instructions[first]);
      continue;
    }
    std::copy(together.begin(), together.end(), instructions.begin() + first);
    const std::vector<StageChunk> chunks = stage_chunks(together);
    void* kept = keep_bytes(sizeof(StageChunk) * chunks.size());
    std::memcpy(kept, chunks.data(), sizeof(StageChunk) * chunks.size());
    plan_->stages_.push_back({run_stage_chunks, kept, static_cast<int64_t>(chunks.size()), 1});
  }
}

int64_t parallel_grain(int64_t units, int64_t flops, int64_t bytes, int threads) {
  // Nanoseconds of which it pays to hand half over.
  constexpr int64_t kWorthwhile = 6'000;
  const int64_t time = work_time(flops, bytes);
  if (threads == 1 || units <= 1 || time < kWorthwhile) return 0;
  // As many chunks as threads keep a region to that many of the pool.
  if (threads < pool::num_threads()) return (units + threads - 1) / threads;
  return shared_grain(units, time);
}

std::unique_ptr<Plan> make_plan(const Graph& graph, std::shared_ptr<Arena> arena, const PlanOptions& options) {
#ifdef FALCONET_VERIFY
  graph.verify();
#endif
  return Planner(graph, std::move(arena), options).run();
}

}  // namespace falconet
