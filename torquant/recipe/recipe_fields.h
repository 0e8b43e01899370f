#pragma once

namespace torquant {

// The entries of a recipe file: what the parser knows and what its JSON Schema says of them.
struct RecipeField {
  enum class Kind { kScheme, kRules, kSelect, kPattern, kShape, kIndex, kText };
  const char* name;
  Kind kind;
  bool required;
  const char* description;
};

inline constexpr RecipeField kRecipeFields[] = {
    {"$schema", RecipeField::Kind::kText, false, "For editors: the JSON Schema of this file."},
    {"scheme", RecipeField::Kind::kScheme, false,
     "For everything that no rule selects; without it only what rules select is quantized."},
    {"rules", RecipeField::Kind::kRules, false,
     "Of several rules that select a layer the last one wins, and any rule wins over the scheme above. A rule that "
     "selects nothing of the program is an error."},
};

inline constexpr RecipeField kRuleFields[] = {
    {"select", RecipeField::Kind::kSelect, true, "What the rule is for. All that is given must hold."},
    {"scheme", RecipeField::Kind::kScheme, true, "What becomes of it."},
};

inline constexpr RecipeField kSelectFields[] = {
    {"module", RecipeField::Kind::kPattern, false,
     "Path of a module; selects all that lies inside it: layer1.0, features.*"},
    {"module_type", RecipeField::Kind::kPattern, false, "Type of a module, or the last part of it: Conv2d"},
    {"op", RecipeField::Kind::kPattern, false, "Operator: aten.linear.default"},
    {"parameter", RecipeField::Kind::kPattern, false, "A parameter or buffer that a layer reads: layer1.0.weight"},
    {"weight_shape", RecipeField::Kind::kShape, false,
     "Shape of a layer's weight, a condition an axis; \"...\" at the end for any axes more: [\"*\", \"<16\", \"...\"]"},
    {"index", RecipeField::Kind::kIndex, false,
     "Which of the layers that the rest selects, from 0, or from the end: -1. [0, -1]: the first and the last one."},
};

}  // namespace torquant
