#pragma once

#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "torquant/quantizer/quantizer.h"
#include "torquant/recipe/recipe.h"

namespace torquant {

// Annotates what a recipe asks for.
class RecipeQuantizer : public Quantizer {
 public:
  // Throws Error for a recipe that check_recipe refuses.
  explicit RecipeQuantizer(Recipe recipe);

  void transform_for_annotation(Program& program) override;
  // Throws Error for a rule that selects no node, and for a program that is quantized already.
  void annotate(const Program& program, Annotations& annotations) override;
  std::vector<Capability> capabilities() const override;  // of the schemes that the recipe names
  std::string name() const override { return recipe_.name; }

  // What decided over a node, by its name: the scheme, and the rule that gave it.
  struct Decision {
    std::string scheme;
    std::string source;                         // "rule 2 (module head.*)", or "recipe"
    std::optional<size_t> rule = std::nullopt;  // its index in the recipe
    bool served = false;  // the scheme quantizes operators of this kind: a node left in float is less than asked
  };
  // After annotate(). Null for a node that the program did not have then.
  const Decision* decision(const std::string& node_name) const;
  // How many nodes each rule decided over: none where later rules took all that it selects.
  std::vector<size_t> decided_by_rule() const;
  const Recipe& recipe() const { return recipe_; }

 private:
  using RuleOfNode = std::unordered_map<const Node*, size_t>;
  Decision decide(const Node& node, const RuleOfNode& rules) const;

  Recipe recipe_;
  std::unordered_map<std::string, Decision> decisions_;  // by node name
};

}  // namespace torquant
