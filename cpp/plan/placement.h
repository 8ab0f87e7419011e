// Where every value of a plan lives: in the arena, in memory of the caller's, in a constant or a variable; and what is
// copied when all has run.
#pragma once

#include <vector>

#include "plan/fusion.h"
#include "plan/plan.h"
#include "plan/stages.h"
#include "plan/tile_builder.h"

namespace falconet {

class Placement {
 public:
  // Values that are inputs, outputs, constants or variables, or pieces of others, get their homes at once.
  Placement(const Graph& graph, const Values& values, const std::vector<Item>& items, Plan& plan);

  // A field of an instruction's arguments that is to hold a value's address.
  void use(int instruction, void** field, Ref ref, bool writes, bool elementwise = false);
  Ref new_scratch(int64_t bytes);
  int variable_index(const std::shared_ptr<VariableState>& state);
  // The bytes of `whole` at which the value is made; -1 where it is made elsewhere.
  int64_t offset_inside(ValueId value, ValueId whole) const;
  // A tile program of the instruction; `product`: the matrix it runs on as an epilogue.
  void add_program(int instruction, const TileDraft& draft, ValueId product) {
    programs_.push_back({instruction, draft, product});
  }

  // What runs leave behind and was not made in place: a value to an output or, where `to_variable`, a variable.
  struct Copy {
    ValueId from;
    bool to_variable;
    int index;
  };
  // Once all uses are known. A variable may take its new value where that is computed, if nothing reads the old one any
  // more; otherwise the value waits in the arena until everything has run. Outputs come before variables: an output may
  // show a variable's old value.
  std::vector<Copy> settle_updates();
  bool is_variable(ValueId value) const { return place_[values_.root[value]].home == Home::variable; }
  // The field holds an output's or variable's address at each run.
  void bind_target(void** field, const Copy& copy);

  // By instruction, what it touches. After settle_updates.
  std::vector<std::vector<Access>> accesses() const;
  // The instructions were put in another order: number i is now what was number order[i].
  void reorder(const std::vector<size_t>& order);
  // Lays out the arena and tells the plan where every field points. `stage_of`: by instruction, ascending; what runs at
  // the same time shares no memory.
  void finish(const std::vector<int>& stage_of);

 private:
  // Where a root value's memory is.
  enum class Home : uint8_t { arena, input, output, constant, variable };
  struct Place {
    Home home = Home::arena;
    int index = 0;
    ValueId inside = kNoValue;  // arena: part of this other value, at inside_offset
    int64_t inside_offset = 0;
    int lifetime = -1;  // arena
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
  struct Program {
    int instruction;
    TileDraft draft;
    ValueId product;
  };

  bool is_leaf(ValueId v) const { return g_.producer(v).op->is_leaf; }
  bool holds_pieces(ValueId v) const;
  bool read_later(const VariableState& state, int instruction) const;
  bool shareable(int instruction, ValueId out, ValueId in) const;
  bool is_made_in_place(const Graph::Update& update) const;
  // The value whose memory holds v, and where.
  std::pair<ValueId, int64_t> base_of(ValueId v) const;
  // The value whose memory v takes over from it.
  ValueId holder(ValueId v) const;
  void share_memory(const std::vector<int>& stage_of, const std::vector<int>& first, std::vector<int>& last);

  const Graph& g_;
  const Values& values_;
  Plan& plan_;
  std::vector<Place> place_;
  std::vector<ValueId> shares_;  // by value: whose memory it takes over
  std::vector<Copy> copies_;
  std::vector<Use> uses_;
  std::vector<Scratch> scratch_;
  std::vector<Program> programs_;
};

}  // namespace falconet
