#include "plan/tile_builder.h"

#include <algorithm>
#include <bit>

namespace falconet {

// Emits one node's micro-operations into the builder.
class TileBuilder::Emitter : public TileEmitter {
 public:
  Emitter(TileBuilder& builder, const Node& node)
      : TileEmitter(builder.graph_, node), b_(builder), domain_(graph.spec(node.output()).shape) {}

  int in(int i) override { return b_.operand_for(node.inputs[i], domain_, false); }
  int pointer(int i) override { return b_.operand_for(node.inputs[i], domain_, true); }
  int constant(double value, Lane lane) override { return b_.constant_for(value, lane); }

  int emit(Micro micro, Lane lane, int a, int b, int c) override {
    const MicroFn fn = b_.kernels_.pointwise.micro[static_cast<int>(micro)][static_cast<int>(lane)];
    if (!fn) fail<TypeError>("[", node.op->name, "] is not defined for ", name_of(in_dtype(node.inputs.empty() ? 0 : static_cast<int>(node.inputs.size()) - 1)));
    b_.has_wide_lanes_ |= lane_bytes(lane) == 8;
    return step(fn, micro, true, info(micro).mask_result ? Lane::mask : lane, a, b, c);
  }
  int convert(int a, DType from, DType to) override {
    const Lane f = lane_of(from), t = lane_of(to);
    b_.has_wide_lanes_ |= lane_bytes(t) == 8;
    if (f != t) a = step(b_.kernels_.pointwise.convert[static_cast<int>(t)][static_cast<int>(f)], Micro::copy, false, t, a);
    return narrow(a, to);
  }
  int narrow(int a, DType to) {
    const MicroFn fn = b_.kernels_.pointwise.narrow[static_cast<int>(to)];
    return fn ? step(fn, Micro::copy, false, lane_of(to), a) : a;
  }

 private:
  int step(MicroFn fn, Micro micro, bool is_micro, Lane result, int a, int b = -1, int c = -1) {
    const int y = b_.new_register(result);
    // Slots travel to ops as numbers >= 0: operands are 2 i + 1, registers 2 r.
    const auto decode = [&](int s) { return s == -1 ? kUnused : (s & 1) ? ~(s >> 1) : s >> 1; };
    b_.steps_.push_back({fn, micro, is_micro, y, decode(a), decode(b), decode(c)});
    return 2 * y;
  }
  TileBuilder& b_;
  const Shape domain_;
};

int TileBuilder::operand_for(ValueId v, const Shape& domain, bool pointer) {
  const ValueId memory = root_[v];
  if (!pointer) {
    for (const auto& [value, slot] : made_) {
      if (value == memory) return slot;
    }
  }
  // A number fixed when the graph was recorded becomes part of the program.
  const Node& maker = graph_.producer(memory);
  const Lane lane = lane_of(graph_.spec(v).dtype);
  if (!pointer && maker.constant.buffer && maker.constant.spec.size() == 1 && lane != Lane::i64 && lane != Lane::u64) {
    return constant_for(read_scalar(maker.constant.data(), maker.constant.spec.dtype), lane);
  }
  // Strides of v's own shape, stretched to the domain.
  const Spec& spec = graph_.spec(v);
  Shape strides = domain;
  const Shape own = contiguous_strides(spec.shape);
  const int lead = domain.rank() - spec.shape.rank();
  for (int d = 0; d < domain.rank(); ++d) {
    strides[d] = d < lead || spec.shape[d - lead] == 1 ? 0 : own[d - lead];
  }
  TileDraft::Operand operand;
  operand.tile.dtype = spec.dtype;
  operand.value = memory;
  operand.offset = root_offset_[v];
  if (pointer) {
    operand.tile.access = TileAccess::whole;
  } else {
    set_tile_access(operand.tile, domain, strides);
  }
  for (size_t i = 0; i < operands_.size(); ++i) {
    const TileDraft::Operand& o = operands_[i];
    const bool same_walk = o.tile.access == operand.tile.access && o.tile.rank == operand.tile.rank &&
                           std::equal(o.tile.dims, o.tile.dims + o.tile.rank, operand.tile.dims) &&
                           std::equal(o.tile.strides, o.tile.strides + o.tile.rank, operand.tile.strides);
    if (!o.is_constant && !o.tile.is_output && o.value == memory && o.offset == operand.offset &&
        (same_walk || (o.tile.access == TileAccess::direct && operand.tile.access == TileAccess::direct))) {
      return 2 * static_cast<int>(i) + 1;
    }
  }
  operands_.push_back(operand);
  return 2 * static_cast<int>(operands_.size() - 1) + 1;
}

int TileBuilder::constant_for(double value, Lane lane) {
  static constexpr DType kOf[kNumLanes] = {DType::float32, DType::float64, DType::int32,
                                           DType::int64,   DType::uint64,  DType::boolean};
  const DType dtype = kOf[static_cast<int>(lane)];
  for (size_t i = 0; i < operands_.size(); ++i) {
    const TileDraft::Operand& o = operands_[i];
    if (o.is_constant && o.tile.dtype == dtype && std::bit_cast<uint64_t>(o.number) == std::bit_cast<uint64_t>(value)) {
      return 2 * static_cast<int>(i) + 1;
    }
  }
  TileDraft::Operand operand;
  operand.tile.dtype = dtype;
  operand.tile.access = TileAccess::whole;
  operand.is_constant = true;
  operand.number = value;
  operands_.push_back(operand);
  return 2 * static_cast<int>(operands_.size() - 1) + 1;
}

// Joins a product with the one sum that uses it, a difference with its square: the same roundings, one pass over L1 less.
void TileBuilder::fuse_pairs() {
  std::vector<int> uses(num_virtual_, 0), maker(num_virtual_, -1);
  for (size_t i = 0; i < steps_.size(); ++i) {
    for (int s : {steps_[i].a, steps_[i].b, steps_[i].c}) {
      if (s >= 0 && s != kUnused) ++uses[s];
    }
    maker[steps_[i].y] = static_cast<int>(i);
  }
  std::vector<bool> gone(steps_.size(), false);
  const auto lane_of_step = [&](const Virtual& v) {
    for (int l = 0; l < kNumLanes; ++l) {
      if (kernels_.pointwise.micro[static_cast<int>(v.micro)][l] == v.fn) return l;
    }
    return -1;
  };
  const auto is_made_by = [&](int s, Micro micro, int count) {
    return s >= 0 && s != kUnused && uses[s] == count && !pinned_[s] && maker[s] >= 0 && !gone[maker[s]] &&
           steps_[maker[s]].is_micro && steps_[maker[s]].micro == micro;
  };
  for (Virtual& v : steps_) {
    if (!v.is_micro) continue;
    const int lane = lane_of_step(v);
    // Replaces v, and the step that made `from`, by one step.
    const auto become = [&](Micro micro, int from, int a, int b, int c) {
      const MicroFn fn = kernels_.pointwise.micro[static_cast<int>(micro)][lane];
      if (!fn) return;
      gone[maker[from]] = true;
      v = {fn, micro, true, v.y, a, b, c};
    };
    const auto made = [&](int s) -> const Virtual& { return steps_[maker[s]]; };
    if (v.micro == Micro::add) {
      if (const int p = is_made_by(v.a, Micro::mul, 1) ? v.a : is_made_by(v.b, Micro::mul, 1) ? v.b : kUnused; p != kUnused) {
        become(Micro::muladd, p, made(p).a, made(p).b, p == v.a ? v.b : v.a);
      } else if (const int r = is_made_by(v.a, Micro::sqrt, 1) ? v.a : is_made_by(v.b, Micro::sqrt, 1) ? v.b : kUnused; r != kUnused) {
        become(Micro::sqrtadd, r, made(r).a, r == v.a ? v.b : v.a, kUnused);
      }
    } else if (v.micro == Micro::sub && is_made_by(v.a, Micro::mul, 1)) {
      become(Micro::mulsub, v.a, made(v.a).a, made(v.a).b, v.b);
    } else if (v.micro == Micro::sub && is_made_by(v.b, Micro::mul, 1)) {
      become(Micro::submul, v.b, made(v.b).a, made(v.b).b, v.a);
    } else if (v.micro == Micro::div && is_made_by(v.a, Micro::mul, 1)) {
      become(Micro::muldiv, v.a, made(v.a).a, made(v.a).b, v.b);
    } else if (v.micro == Micro::square && is_made_by(v.a, Micro::sub, 1)) {
      become(Micro::subsquare, v.a, made(v.a).a, made(v.a).b, kUnused);
    } else if (v.micro == Micro::mul && v.a == v.b && is_made_by(v.a, Micro::sub, 2)) {
      become(Micro::subsquare, v.a, made(v.a).a, made(v.a).b, kUnused);
    }
    // A step of the way from a running mean (of squares) to a new value: a + (b - a) c.
    if (v.micro == Micro::muladd) {
      const int d = is_made_by(v.a, Micro::sub, 1) ? v.a : is_made_by(v.b, Micro::sub, 1) ? v.b : kUnused;
      if (d != kUnused && made(d).b == v.c) {
        const int rate = d == v.a ? v.b : v.a, target = made(d).a;
        become(Micro::lerp, d, v.c, target, rate);
        if (v.micro == Micro::lerp && is_made_by(target, Micro::square, 1)) {
          become(Micro::lerp_square, target, v.a, made(target).a, v.c);
        }
      }
    }
  }
  std::vector<Virtual> kept;
  for (size_t i = 0; i < steps_.size(); ++i) {
    if (!gone[i]) kept.push_back(steps_[i]);
  }
  steps_ = std::move(kept);
}

void TileBuilder::assign_registers(TileDraft& draft, bool hoist_periodic) {
  // Tile length: a multiple of the longest short period, so that what repeats is loaded once.
  int64_t period = 1;
  bool wide = has_wide_lanes_;
  for (const auto& o : operands_) {
    wide |= lane_bytes(lane_of(o.tile.dtype)) == 8;
    if (hoist_periodic && o.tile.access == TileAccess::periodic && o.tile.period <= kMaxTileElements / 2) {
      period = std::max(period, o.tile.period);
    }
  }
  int num_loaded = 0;
  for (auto& o : operands_) {
    if (o.tile.access == TileAccess::whole || o.tile.is_output) continue;
    if (o.tile.access != TileAccess::direct || !is_native(o.tile.dtype)) o.tile.reg = static_cast<int16_t>(num_loaded++);
  }
  // Linear scan over the steps for the others.
  const int num_steps = static_cast<int>(steps_.size());
  std::vector<int> last_use(num_virtual_, -1), physical(num_virtual_, -1), free_list;
  for (int i = 0; i < num_steps; ++i) {
    for (int s : {steps_[i].a, steps_[i].b, steps_[i].c}) {
      if (s >= 0 && s != kUnused) last_use[s] = i;
    }
  }
  for (int v = 0; v < num_virtual_; ++v) {
    if (pinned_[v]) last_use[v] = num_steps;
  }
  int num_registers = num_loaded;
  for (int i = 0; i < num_steps; ++i) {
    Virtual& s = steps_[i];
    // A register whose last reader is this step may take its result, if its elements have the size of the result's:
    // micro-operations allow that, and no more.
    std::vector<int> ending, free_after;
    for (int v : {s.a, s.b, s.c}) {
      if (v >= 0 && v != kUnused && last_use[v] == i && std::find(ending.begin(), ending.end(), v) == ending.end()) {
        ending.push_back(v);
        const bool fits = s.y < 0 || lane_bytes_[v] == lane_bytes_[s.y];
        (fits ? free_list : free_after).push_back(physical[v]);
      }
    }
    if (s.y >= 0) {
      if (free_list.empty()) {
        physical[s.y] = num_registers++;
      } else {
        physical[s.y] = free_list.back();
        free_list.pop_back();
      }
      if (last_use[s.y] < 0) free_list.push_back(physical[s.y]);  // a result nobody reads
    }
    free_list.insert(free_list.end(), free_after.begin(), free_after.end());
  }
  draft.num_registers = num_registers;
  // The tile is as long as L1 allows for the registers and what streams by.
  const int64_t lane = wide ? 8 : 4;
  const int64_t resident = num_registers + static_cast<int64_t>(operands_.size()) - num_loaded;
  int64_t tile = std::min<int64_t>(kMaxTileElements, kTileBytes / std::max<int64_t>(1, resident) / lane / 64 * 64);
  if (tile < kMinTileElements) tile = kTileBytes / std::max(1, num_registers) / lane / 64 * 64;
  if (tile < kMinTileElements) fail<InternalError>("a tile program of ", num_registers, " registers does not fit");
  if (period > 1 && period <= tile) tile = tile / period * period;
  draft.tile = std::min(tile, std::max<int64_t>(draft.size, 1));
  draft.register_bytes = (draft.tile * lane + 63) / 64 * 64;
  for (auto& o : operands_) {
    o.tile.hoisted = o.tile.access == TileAccess::scalar ||
                     (hoist_periodic && o.tile.access == TileAccess::periodic && draft.tile % o.tile.period == 0);
  }
  const auto slot = [&](int s) {
    return static_cast<int16_t>(s == kUnused ? 0 : s >= 0 ? physical[s] : num_registers + ~s);
  };
  for (const Virtual& s : steps_) draft.steps.push_back({s.fn, slot(s.y), slot(s.a), slot(s.b), slot(s.c)});
  if (draft.reduce_slot != -1) draft.reduce_slot = slot((draft.reduce_slot & 1) ? ~(draft.reduce_slot >> 1) : draft.reduce_slot >> 1);
  for (auto& o : operands_) {
    if (o.tile.is_output && o.tile.reg < -1) o.tile.reg = slot(-(o.tile.reg + 2));
  }
}

TileDraft TileBuilder::build(const std::vector<int>& nodes, int64_t size, ValueId reduced, bool hoist_periodic) {
  TileDraft draft;
  draft.size = size;
  std::vector<std::pair<ValueId, int>> outputs;  // value, slot
  for (int i : nodes) {
    const Node& n = graph_.node(i);
    Emitter emitter(*this, n);
    has_wide_lanes_ |= lane_bytes(lane_of(emitter.out_dtype())) == 8;
    const Lane lane = lane_of(n.inputs.empty() ? emitter.out_dtype() : emitter.in_dtype(static_cast<int>(n.inputs.size()) - 1));
    int slot;
    if (n.op->tile) {
      slot = n.op->tile(emitter);
    } else {
      int operand[3] = {-1, -1, -1};
      for (size_t k = 0; k < n.inputs.size(); ++k) operand[k] = emitter.in(static_cast<int>(k));
      if (lane == Lane::mask && !kernels_.pointwise.micro[static_cast<int>(n.op->micro)][static_cast<int>(lane)]) {
        // Arithmetic on bool: on 0 and 1, and what is not 0 is true.
        for (size_t k = 0; k < n.inputs.size(); ++k) operand[k] = emitter.convert(operand[k], DType::boolean, DType::int32);
        slot = emitter.emit(n.op->micro, Lane::i32, operand[0], operand[1], operand[2]);
        if (!info(n.op->micro).mask_result) slot = emitter.convert(slot, DType::int32, DType::boolean);
      } else {
        slot = emitter.emit(n.op->micro, lane, operand[0], operand[1], operand[2]);
      }
    }
    slot = emitter.narrow(slot, emitter.out_dtype());
    // A result must be a register of its own before it can be stored: an op may hand an operand through, or what
    // another output already has.
    const bool stored = std::any_of(outputs.begin(), outputs.end(), [=](const auto& o) { return o.second == slot; });
    if (((slot & 1) && (is_output_[n.output()] || n.output() == reduced)) || (stored && is_output_[n.output()])) {
      slot = emitter.emit(Micro::copy, lane_of(emitter.out_dtype()), slot, -1, -1);
    }
    made_.push_back({n.output(), slot});
    if (is_output_[n.output()]) outputs.push_back({n.output(), slot});
  }
  pinned_.assign(num_virtual_, false);
  for (const auto& [value, slot] : outputs) pinned_[slot >> 1] = true;
  if (reduced != kNoValue) {
    for (const auto& [value, slot] : made_) {
      if (value == reduced) draft.reduce_slot = slot;
    }
    pinned_[draft.reduce_slot >> 1] = true;
  }
  fuse_pairs();

  // Native outputs are written where they belong by the step that makes them, and read back from there.
  for (const auto& [value, slot] : outputs) {
    TileDraft::Operand o;
    o.tile.dtype = graph_.spec(value).dtype;
    o.tile.is_output = true;
    o.value = value;
    const int reg = slot >> 1;
    if (is_native(o.tile.dtype)) {
      const int as_operand = ~static_cast<int>(operands_.size());
      bool taken = false;
      for (Virtual& s : steps_) taken |= s.y == reg;
      for (size_t i = 0; taken && i < steps_.size(); ++i) {
        Virtual& s = steps_[i];
        if (s.y == reg) {
          s.y = as_operand;
          o.first_write = static_cast<int>(i);
        }
        for (int* r : {&s.a, &s.b, &s.c}) {
          if (*r == reg) *r = as_operand;
        }
      }
      if (draft.reduce_slot == slot) draft.reduce_slot = 2 * static_cast<int>(operands_.size()) + 1;
      pinned_[reg] = false;
    } else {
      o.tile.reg = static_cast<int16_t>(-2 - reg);  // resolved with the registers
      o.first_write = static_cast<int>(steps_.size());
    }
    operands_.push_back(o);
  }
  for (size_t i = 0; i < steps_.size(); ++i) {
    for (int s : {steps_[i].a, steps_[i].b, steps_[i].c}) {
      if (s < 0) operands_[~s].last_read = static_cast<int>(i);
    }
  }
  assign_registers(draft, hoist_periodic);
  draft.operands = std::move(operands_);
  draft.step_cost = 0;
  for (const Virtual& s : steps_) draft.step_cost += s.is_micro && s.micro >= Micro::exp && s.micro <= Micro::softplus ? 16 : 1;
  if (static_cast<int>(draft.operands.size()) + draft.num_registers > kMaxTileSlots) {
    fail<InternalError>("a tile program needs ", draft.operands.size() + draft.num_registers, " slots");
  }
  return draft;
}

bool TileDraft::may_share(const Operand& output, const Operand& input) const {
  return input.tile.access == TileAccess::direct && size_of(input.tile.dtype) == size_of(output.tile.dtype) &&
         (input.last_read <= output.first_write);
}

}  // namespace falconet
