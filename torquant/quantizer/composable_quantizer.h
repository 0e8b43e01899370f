#pragma once

#include <memory>
#include <vector>

#include "torquant/quantizer/quantizer.h"

namespace torquant {

// Several quantizers on one program, in order: what one annotated, those behind it leave alone.
//
//   ComposableQuantizer quantizer({std::make_shared<EmbeddingQuantizer>(), xnnpack});
//
// A quantizer that annotates a node of an earlier one is an Error that names both and the node.
class ComposableQuantizer : public Quantizer {
 public:
  // Throws Error when there is none, or one is null.
  explicit ComposableQuantizer(std::vector<std::shared_ptr<Quantizer>> quantizers);

  void transform_for_annotation(Program& program) override;
  void annotate(const Program& program, Annotations& annotations) override;
  void validate(const Program& program, const Annotations& annotations) override;
  std::vector<Capability> capabilities() const override;  // of all, in order
  std::string name() const override;                      // "EmbeddingQuantizer + XNNPACKQuantizer"

 private:
  std::vector<std::shared_ptr<Quantizer>> quantizers_;
};

}  // namespace torquant
