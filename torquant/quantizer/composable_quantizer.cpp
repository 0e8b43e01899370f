#include "torquant/quantizer/composable_quantizer.h"

#include <fmt/format.h>

#include <algorithm>

#include "torquant/core/error.h"

namespace torquant {

ComposableQuantizer::ComposableQuantizer(std::vector<std::shared_ptr<Quantizer>> quantizers)
    : quantizers_(std::move(quantizers)) {
  if (!quantizers_.empty() && std::ranges::find(quantizers_, nullptr) == quantizers_.end()) return;
  throw Error({.where = "ComposableQuantizer",
               .what = quantizers_.empty() ? "it is given no quantizer" : "one of its quantizers is null",
               .allowed = "one quantizer or more"});
}

void ComposableQuantizer::transform_for_annotation(Program& program) {
  for (const auto& quantizer : quantizers_) quantizer->transform_for_annotation(program);
}

void ComposableQuantizer::annotate(const Program& program, Annotations& annotations) {
  for (size_t i = 0; i < quantizers_.size(); ++i) {
    const Annotations::Author author(annotations,
                                     fmt::format("{} ({} of {})", quantizers_[i]->name(), i + 1, quantizers_.size()));
    quantizers_[i]->annotate(program, annotations);
  }
}

void ComposableQuantizer::validate(const Program& program, const Annotations& annotations) {
  for (const auto& quantizer : quantizers_) quantizer->validate(program, annotations);
}

std::vector<Capability> ComposableQuantizer::capabilities() const {
  std::vector<Capability> all;
  for (const auto& quantizer : quantizers_) std::ranges::copy(quantizer->capabilities(), std::back_inserter(all));
  return all;
}

std::string ComposableQuantizer::name() const {
  std::string text;
  for (const auto& quantizer : quantizers_) text += (text.empty() ? "" : " + ") + quantizer->name();
  return text;
}

}  // namespace torquant
