// The loop over the steps of a plan: what it does beside calling operators is the interpreter's overhead a node
// (interpreter_bench.cpp).
#include <ATen/core/dispatch/Dispatcher.h>
#include <fmt/format.h>

#include <cassert>
#include <stdexcept>

#include "torquant/core/error.h"
#include "torquant/graph/execution_plan.h"
#include "torquant/graph/wrapped_number.h"

namespace torquant {
namespace {

using c10::IValue;

IValue& at(Slots& slots, int slot) { return slots[static_cast<size_t>(slot)]; }

}  // namespace

IValue fetch(const ArgumentSource& source, Slots& slots, bool take) {
  switch (source.kind) {
    case ArgumentSource::Kind::kConstant:
      return source.constant;
    case ArgumentSource::Kind::kSlot: {
      IValue& value = at(slots, source.slots[0]);
      if (source.scalar_to_tensor && !value.isTensor() && !value.isNone()) return wrapped_number(value.toScalar());
      return take && source.last_use ? std::move(value) : value;
    }
    case ArgumentSource::Kind::kTensorList: {
      c10::List<at::Tensor> list;
      list.reserve(source.slots.size());
      for (const int slot : source.slots) list.push_back(at(slots, slot).toTensor());
      return list;
    }
    case ArgumentSource::Kind::kOptionalTensorList: {
      c10::List<std::optional<at::Tensor>> list;
      for (const int slot : source.slots) {
        list.push_back(slot == SlotTable::kNone ? std::nullopt : std::optional(at(slots, slot).toTensor()));
      }
      return list;
    }
    case ArgumentSource::Kind::kIntList: {
      c10::List<int64_t> list;
      for (size_t i = 0; i < source.slots.size(); ++i) {
        const int slot = source.slots[i];
        list.push_back(slot == SlotTable::kNone ? source.integers[i] : at(slots, slot).toInt());
      }
      return list;
    }
  }
  return {};
}

namespace {

void call(const ExecutionStep& step, Stack& stack) {
  if (step.op != nullptr) {
    step.op->callBoxed(stack);
  } else {
    step.handler(*step.node, stack);
  }
}

// Rethrows what a step threw as an Error that names the node.
[[noreturn]] void rethrow_from(const ExecutionStep& step) {
  try {
    throw;
  } catch (const Error& error) {
    throw error.within(step.node->describe());
  } catch (const c10::Error& error) {
    throw Error({.where = step.node->describe(), .what = error.what_without_backtrace()});
  } catch (const std::out_of_range&) {  // a handler of ours asked for an argument that is not there
    throw Error({.where = step.node->describe(), .what = fmt::format("called with {} arguments", step.args.size())});
  }
}

void store(const ExecutionStep& step, Stack& results, Slots& slots) {
  if (results.size() < step.results.size()) {
    throw Error({.where = step.node->describe(),
                 .what = fmt::format("gave {} outputs, the program expects {}", results.size(), step.results.size())});
  }
  for (size_t i = 0; i < step.results.size(); ++i) {
    const std::vector<int>& targets = step.results[i];
    if (!results[i].isList()) {
      if (!targets.empty()) at(slots, targets[0]) = std::move(results[i]);
      continue;
    }
    const c10::ArrayRef<IValue> list = results[i].toListRef();
    if (list.size() != targets.size()) {
      throw Error({.where = step.node->describe(),
                   .what = fmt::format("gave a list of {}, the program expects {}", list.size(), targets.size())});
    }
    for (size_t j = 0; j < targets.size(); ++j) at(slots, targets[j]) = list[j];
  }
}

}  // namespace

Slots begin_run(const ExecutionPlan& plan, Stack inputs) {
  assert(inputs.size() == plan.inputs.size());
  Slots slots(plan.slot_count);
  for (size_t i = 0; i < inputs.size(); ++i) {
    if (plan.inputs[i] != SlotTable::kNone) at(slots, plan.inputs[i]) = std::move(inputs[i]);
  }
  return slots;
}

void run_step(const ExecutionStep& step, const NodeHook& after_node, Slots& slots, Stack& stack) {
  stack.clear();
  try {
    for (const ArgumentSource& arg : step.args) stack.push_back(fetch(arg, slots));
    call(step, stack);
  } catch (...) {
    rethrow_from(step);
  }
  if (after_node) after_node(*step.node, stack);
  store(step, stack, slots);
  for (const int slot : step.dead) at(slots, slot) = IValue();
}

Stack run_plan(const ExecutionPlan& plan, const NodeHook& after_node, Stack inputs) {
  Slots slots = begin_run(plan, std::move(inputs));
  Stack stack;
  for (const ExecutionStep& step : plan.steps) run_step(step, after_node, slots, stack);
  Stack outputs;
  for (const ArgumentSource& output : plan.outputs) outputs.push_back(fetch(output, slots));
  return outputs;
}

}  // namespace torquant
