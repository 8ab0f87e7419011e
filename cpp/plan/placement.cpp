#include "plan/placement.h"

#include <algorithm>

#include "plan/memory.h"

namespace falconet {

Placement::Placement(const Graph& graph, const Values& values, const std::vector<Item>& items, Plan& plan)
    : g_(graph), values_(values), plan_(plan), place_(graph.num_values()), shares_(graph.num_values(), kNoValue) {
  plan_.input_patches_.resize(g_.inputs.size());
  plan_.output_patches_.resize(g_.outputs.size());
  for (size_t i = 0; i < g_.inputs.size(); ++i) {
    place_[g_.inputs[i]] = {Home::input, static_cast<int>(i)};
    plan_.input_specs_.push_back(g_.spec(g_.inputs[i]));
  }
  for (size_t i = 0; i < g_.nodes().size(); ++i) {
    const Node& n = g_.node(static_cast<int>(i));
    if (!values_.live[i]) continue;
    if (n.variable) {
      place_[n.output()] = {Home::variable, variable_index(n.variable)};
    } else if (n.constant.buffer) {
      place_[n.output()] = {Home::constant, static_cast<int>(plan_.constants_.size())};
      plan_.constants_.push_back(n.constant);
    }
  }
  // A value that is an output is made where the caller wants it, if it is the first to ask and made here.
  for (size_t i = 0; i < g_.outputs.size(); ++i) {
    plan_.output_specs_.push_back(g_.spec(g_.outputs[i]));
    const ValueId v = g_.outputs[i], r = values_.root[v];
    if (place_[r].home == Home::arena && !is_leaf(r) && g_.spec(r).bytes() == g_.spec(v).bytes()) {
      place_[r] = {Home::output, static_cast<int>(i)};
    } else {
      copies_.push_back({v, false, static_cast<int>(i)});
    }
  }
  // Pieces of a concatenation along the outermost axis are made inside it.
  for (const Item& item : items) {
    const Node& n = g_.node(item.group.nodes[0]);
    if (!n.op->place_inputs || item.group.pointwise) continue;
    const std::vector<int64_t> offsets = n.op->place_inputs(g_, n);
    for (size_t k = 0; k < offsets.size(); ++k) {
      const ValueId v = n.inputs[k], r = values_.root[v];
      Place& p = place_[r];
      if (p.home == Home::arena && p.inside == kNoValue && !is_leaf(r) && r != n.output() && values_.offset[v] == 0 &&
          g_.spec(r).bytes() == g_.spec(v).bytes() && g_.spec(r).dtype == g_.spec(n.output()).dtype) {
        p.inside = n.output();
        p.inside_offset = offsets[k];
      }
    }
  }
}

int Placement::variable_index(const std::shared_ptr<VariableState>& state) {
  for (size_t i = 0; i < plan_.variables_.size(); ++i) {
    if (plan_.variables_[i].state == state) return static_cast<int>(i);
  }
  plan_.variables_.push_back({state, nullptr, {}});
  return static_cast<int>(plan_.variables_.size() - 1);
}

void Placement::use(int instruction, void** field, Ref ref, bool writes, bool elementwise) {
  if (!ref.scratch) {
    ref.offset += values_.offset[ref.id];
    ref.id = values_.root[ref.id];
    plan_.infos_[instruction].bytes += g_.spec(ref.id).bytes();
  } else {
    Scratch& s = scratch_[ref.id];
    s.first = std::min(s.first, instruction);
    s.last = std::max(s.last, instruction);
  }
  uses_.push_back({instruction, field, ref, writes, elementwise});
}

Ref Placement::new_scratch(int64_t bytes) {
  scratch_.push_back({bytes, INT32_MAX, -1});
  return {static_cast<int32_t>(scratch_.size() - 1), true};
}

// Whether an instruction after `instruction` reads the memory that `state` shares with another variable, or its own.
bool Placement::read_later(const VariableState& state, int instruction) const {
  const std::byte* from = state.array.data();
  const std::byte* to = from + state.array.spec.bytes();
  for (const Use& u : uses_) {
    if (u.ref.scratch || u.instruction <= instruction || place_[u.ref.id].home != Home::variable || u.writes) continue;
    const Array& other = plan_.variables_[place_[u.ref.id].index].state->array;
    if (other.data() < to && from < other.data() + other.spec.bytes()) return true;
  }
  return false;
}

// Whether the program at `instruction` may write `out` over `in`: it reads `in` element by element, and no more once
// it writes.
bool Placement::shareable(int instruction, ValueId out, ValueId in) const {
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

bool Placement::holds_pieces(ValueId v) const {
  return std::any_of(place_.begin(), place_.end(), [v](const Place& p) { return p.inside == v; });
}

int64_t Placement::offset_inside(ValueId value, ValueId whole) const {
  const Place& p = place_[values_.root[value]];
  return p.inside == whole ? p.inside_offset : -1;
}

bool Placement::is_made_in_place(const Graph::Update& update) const {
  const ValueId r = values_.root[update.value];
  const Place& place = place_[r];
  int made_at = -1, other_writers = 0;
  for (const Use& use : uses_) {
    if (use.ref.scratch || use.ref.id != r || !use.writes) continue;
    if (made_at < 0) made_at = use.instruction;
    other_writers += use.instruction != made_at;
  }
  if (place.home != Home::arena || place.inside != kNoValue || holds_pieces(r) || made_at < 0 || other_writers != 0 ||
      values_.offset[update.value] != 0 || g_.spec(r).bytes() != g_.spec(update.value).bytes() ||
      read_later(*update.variable, made_at)) {
    return false;
  }
  // Within the instruction that makes it, only a tile program that is done with each old element may overwrite it.
  for (const Use& use : uses_) {
    if (use.instruction != made_at || use.ref.scratch || place_[use.ref.id].home != Home::variable || use.writes)
      continue;
    const Array& other = plan_.variables_[place_[use.ref.id].index].state->array;
    const Array& own = update.variable->array;
    const bool overlaps =
        other.data() < own.data() + own.spec.bytes() && own.data() < other.data() + other.spec.bytes();
    if (!overlaps) continue;
    const bool same = other.data() == own.data() && other.spec.bytes() == own.spec.bytes();
    if (!use.elementwise || !same || !shareable(made_at, r, use.ref.id)) return false;
  }
  return true;
}

std::vector<Placement::Copy> Placement::settle_updates() {
  for (const Graph::Update& u : g_.updates) {
    const int variable = variable_index(u.variable);
    if (is_made_in_place(u)) {
      place_[values_.root[u.value]] = {Home::variable, variable};
    } else {
      copies_.push_back({u.value, true, variable});
    }
  }
  std::stable_partition(copies_.begin(), copies_.end(), [](const Copy& c) { return !c.to_variable; });
  return copies_;
}

void Placement::bind_target(void** field, const Copy& copy) {
  (copy.to_variable ? plan_.variables_[copy.index].patches : plan_.output_patches_[copy.index]).push_back({field, 0});
}

std::pair<ValueId, int64_t> Placement::base_of(ValueId v) const {
  int64_t at = 0;
  while (place_[v].inside != kNoValue) {
    at += place_[v].inside_offset;
    v = values_.root[place_[v].inside];
  }
  return {v, at};
}

ValueId Placement::holder(ValueId v) const {
  while (shares_[v] != kNoValue) v = shares_[v];
  return v;
}

std::vector<std::vector<Access>> Placement::accesses() const {
  // Memories by number: of variables, which may overlap one another, by address; of values; of scratch.
  constexpr int64_t kVariables = -1;
  std::vector<std::vector<Access>> accesses(plan_.instructions_.size());
  for (const Use& u : uses_) {
    std::vector<Access>& of = accesses[u.instruction];
    if (u.ref.scratch) {
      of.push_back({g_.num_values() + u.ref.id, 0, scratch_[u.ref.id].bytes, u.writes});
      continue;
    }
    const auto [base, at] = base_of(u.ref.id);
    int64_t memory = base, begin = at;
    if (place_[base].home == Home::variable) {
      memory = kVariables;
      begin += reinterpret_cast<intptr_t>(plan_.variables_[place_[base].index].state->array.data());
    }
    of.push_back({memory, begin, begin + g_.spec(u.ref.id).bytes(), u.writes});
  }
  return accesses;
}

void Placement::reorder(const std::vector<size_t>& order) {
  std::vector<int> now(order.size());
  for (size_t i = 0; i < order.size(); ++i) now[order[i]] = static_cast<int>(i);
  for (Program& p : programs_) p.instruction = now[p.instruction];
  for (Scratch& s : scratch_) s.first = INT32_MAX, s.last = -1;
  for (Use& u : uses_) {
    u.instruction = now[u.instruction];
    if (!u.ref.scratch) continue;
    Scratch& s = scratch_[u.ref.id];
    s.first = std::min(s.first, u.instruction);
    s.last = std::max(s.last, u.instruction);
  }
}

// A tile program's output takes over the memory of an input that dies there, unless an instruction beside it reads it.
void Placement::share_memory(const std::vector<int>& stage_of, const std::vector<int>& first, std::vector<int>& last) {
  const auto used_beside = [&](int instruction, ValueId v) {
    return std::any_of(uses_.begin(), uses_.end(), [&](const Use& u) {
      return !u.ref.scratch && u.instruction != instruction && stage_of[u.instruction] == stage_of[instruction] &&
             base_of(u.ref.id).first == v;
    });
  };
  for (const Program& p : programs_) {
    std::vector<ValueId> given;
    for (const TileDraft::Operand& o : p.draft.operands) {
      if (!o.tile.is_output) continue;
      const ValueId out = values_.root[o.value];
      if (place_[out].home != Home::arena || place_[out].inside != kNoValue || first[out] != p.instruction) continue;
      for (const TileDraft::Operand& in : p.draft.operands) {
        if (in.tile.is_output || in.is_constant || in.value == kNoValue || in.offset != 0) continue;
        // The product's other blocks may still need what an epilogue would overwrite, except the product itself.
        if (p.product != kNoValue && in.value != p.product) continue;
        const ValueId v = holder(in.value);
        if (v == out || place_[in.value].home != Home::arena || place_[in.value].inside != kNoValue ||
            last[in.value] != p.instruction || last[v] > p.instruction ||
            g_.spec(in.value).bytes() != g_.spec(out).bytes() ||
            std::find(given.begin(), given.end(), v) != given.end() || used_beside(p.instruction, in.value) ||
            !shareable(p.instruction, out, in.value)) {
          continue;
        }
        shares_[out] = v;
        last[v] = std::max(last[v], last[out]);
        given.push_back(v);
        break;
      }
    }
  }
}

void Placement::finish(const std::vector<int>& stage_of) {
  // Lives of arena values, following pieces into what they are part of.
  std::vector<int> first(g_.num_values(), INT32_MAX), last(g_.num_values(), -1);
  for (const Use& u : uses_) {
    if (u.ref.scratch) continue;
    const ValueId b = base_of(u.ref.id).first;
    first[b] = std::min(first[b], u.instruction);
    last[b] = std::max(last[b], u.instruction);
  }
  share_memory(stage_of, first, last);
  std::vector<Lifetime> lifetimes;
  for (int v = 0; v < g_.num_values(); ++v) {
    if (last[v] < 0 || place_[v].home != Home::arena || place_[v].inside != kNoValue || shares_[v] != kNoValue)
      continue;
    place_[v].lifetime = static_cast<int>(lifetimes.size());
    lifetimes.push_back({g_.spec(v).bytes(), stage_of[first[v]], stage_of[last[v]]});
  }
  for (Scratch& s : scratch_) {
    if (s.last < 0) continue;
    s.lifetime = static_cast<int>(lifetimes.size());
    lifetimes.push_back({s.bytes, stage_of[s.first], stage_of[s.last]});
  }
  plan_.arena_bytes_ = assign_offsets(lifetimes);
  for (const Use& u : uses_) {
    if (u.ref.scratch) {
      plan_.arena_patches_.push_back({u.field, lifetimes[scratch_[u.ref.id].lifetime].offset + u.ref.offset});
      continue;
    }
    const auto [base, at] = base_of(u.ref.id);
    const Place& place = place_[base];
    const int64_t offset = u.ref.offset + at;
    switch (place.home) {
      case Home::arena:
        plan_.arena_patches_.push_back({u.field, lifetimes[place_[holder(base)].lifetime].offset + offset});
        break;
      case Home::input:
        plan_.input_patches_[place.index].push_back({u.field, offset});
        break;
      case Home::output:
        plan_.output_patches_[place.index].push_back({u.field, offset});
        break;
      case Home::variable:
        plan_.variables_[place.index].patches.push_back({u.field, offset});
        break;
      case Home::constant:
        *u.field = plan_.constants_[place.index].data() + offset;
        break;
    }
  }
}

}  // namespace falconet
