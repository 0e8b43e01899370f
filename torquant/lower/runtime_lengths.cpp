#include "torquant/lower/runtime_lengths.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <set>
#include <vector>

#include "torquant/core/error.h"
#include "torquant/format/at_length.h"
#include "torquant/format/tqm_file.h"

namespace torquant::runtime_lowering {
namespace {

using format::Model;

[[noreturn]] void refuse(const Length& length, const std::string& what) {
  throw Error({.where = "lower to the runtime",
               .what = fmt::format("{} for sequences of any length ({})", what, length.symbol),
               .hint = "export the program with that size fixed"});
}

template <class T>
T value_of(Result<T> result) {
  if (!result.ok()) throw Error(result.error());
  return *std::move(result);
}

// What one more of length adds to numbers that are `few` at one length and `many` at a greater one; nothing where that
// is no integer. `many` becomes what they are at the least length.
class Growth {
 public:
  Growth(const Length& length, int64_t few_at) : steps_(length.most - few_at), all_steps_(length.most - length.least) {}

  bool add(int64_t few, int64_t& many) {
    const int64_t growth = (many - few) / steps_;
    if (growth * steps_ != many - few) return false;
    many -= growth * all_steps_;
    numbers_.push_back(growth);
    return true;
  }
  bool add(const std::vector<int64_t>& few, std::vector<int64_t>& many) {
    bool fits = few.size() == many.size();
    for (size_t i = 0; fits && i < few.size(); ++i) fits = add(few[i], many[i]);
    return fits;
  }
  // Empty where nothing grows.
  std::vector<int64_t> numbers() const {
    const bool grows = std::any_of(numbers_.begin(), numbers_.end(), [](int64_t number) { return number != 0; });
    return grows ? numbers_ : std::vector<int64_t>();
  }

 private:
  int64_t steps_, all_steps_;
  std::vector<int64_t> numbers_;
};

// Makes `model`, of the most length, one for all lengths by what it is at another one.
void join(const Length& length, Model& model, const Model& few, int64_t few_at) {
  if (model.values.size() != few.values.size() || model.nodes.size() != few.nodes.size())
    refuse(length, "the network is not the same");
  for (size_t i = 0; i < few.values.size(); ++i) {
    Growth growth(length, few_at);
    if (!growth.add(few.values[i].sizes, model.values[i].sizes))
      refuse(length, fmt::format("the sizes of %{} do not grow evenly", few.values[i].name));
    model.values[i].growth = growth.numbers();
  }
  for (size_t i = 0; i < few.nodes.size(); ++i) {
    auto* most = std::get_if<format::Rearrange>(&model.nodes[i].operation);
    const auto* least = std::get_if<format::Rearrange>(&few.nodes[i].operation);
    if (most == nullptr || least == nullptr) continue;
    Growth growth(length, few_at);
    const bool fits = growth.add(least->begin, most->begin) && growth.add(least->sizes, most->sizes) &&
                      growth.add(least->steps, most->steps);
    if (!fits) refuse(length, fmt::format("{} does not move its numbers in one way", few.nodes[i].name));
    most->growth = growth.numbers();
  }
  model.least_length = length.least, model.most_length = length.most;
}

std::string bytes_at(Model model, int64_t length) {
  model.least_length = model.most_length = length;
  return value_of(format::write_tqm(model));
}

// What of `model` is another in `expected`, which is it for one length.
std::string difference(const Model& model, const Model& expected) {
  for (size_t i = 0; i < expected.values.size(); ++i) {
    const format::Value &a = model.values[i], &b = expected.values[i];
    if (a.sizes != b.sizes) return fmt::format("the sizes of %{} do not grow evenly", b.name);
    if (!std::equal(a.constant.begin(), a.constant.end(), b.constant.begin(), b.constant.end()))
      return fmt::format("the numbers of %{} are not the first of those for longer ones", b.name);
  }
  return "the network is not the same";
}

// The most length, and two that no other size of a network is likely to be: what is worked out from them is then no
// coincidence.
std::set<int64_t> lengths_to_try(const Length& length) {
  std::set<int64_t> lengths = {length.most};
  for (const int64_t prime : {61, 37, 23, 13, 7, 5, 3, 2, 1}) {
    if (lengths.size() < 3 && prime >= length.least && prime < length.most) lengths.insert(prime);
  }
  for (int64_t next = length.most - 1; lengths.size() < 3 && next >= length.least; --next) lengths.insert(next);
  return lengths;
}

}  // namespace

std::optional<Length> find_length(const Program& program) {
  std::set<std::string> symbols, batch;
  for (const Value* input : program.user_inputs()) {
    if (!input->is_tensor()) continue;
    const std::vector<Dim>& sizes = input->tensor().sizes;
    for (size_t i = 0; i < sizes.size(); ++i) {
      const auto* symbolic = std::get_if<SymbolicDim>(&sizes[i]);
      if (symbolic == nullptr) continue;
      const bool is_batch = i == 0 && input == program.user_inputs()[0];
      for (const std::string& symbol : symbolic->expr.symbols()) (is_batch ? batch : symbols).insert(symbol);
    }
  }
  for (const std::string& symbol : batch) symbols.erase(symbol);
  if (symbols.empty()) return std::nullopt;
  if (symbols.size() > 1) {
    throw Error({.where = "lower to the runtime",
                 .what = fmt::format("{} sizes of the inputs vary besides the batch: {}", symbols.size(),
                                     fmt::join(symbols, ", ")),
                 .allowed = "one",
                 .hint = "export the program with the others fixed"});
  }
  const auto range = program.ranges().find(*symbols.begin());
  const SymbolRange allowed = range == program.ranges().end() ? SymbolRange{} : range->second;
  const int64_t least = std::max<int64_t>(1, allowed.min.value_or(1));
  return Length{*symbols.begin(), least, std::max(least, std::min(kMostLength, allowed.max.value_or(kMostLength)))};
}

RuntimeModel lower_for_lengths(const Length& length, c10::function_ref<RuntimeModel(int64_t)> lower) {
  const std::set<int64_t> lengths = lengths_to_try(length);
  RuntimeModel made = lower(length.most);
  if (lengths.size() == 1) return made;
  const std::string most = bytes_at(made.model, length.most);
  const int64_t few_at = *lengths.begin();
  join(length, made.model, lower(few_at).model, few_at);
  for (const int64_t at : lengths) {
    const format::ModelOfLength mine = value_of(format::at_length(made.model, at));
    const RuntimeModel its_own = at == length.most ? RuntimeModel() : lower(at);
    if (bytes_at(mine.model, at) == (at == length.most ? most : bytes_at(its_own.model, at))) continue;
    refuse(length, at == length.most ? "the network is not the same" : difference(mine.model, its_own.model));
  }
  return made;
}

}  // namespace torquant::runtime_lowering
