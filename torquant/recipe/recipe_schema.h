#pragma once

#include <string>

namespace torquant {

// The JSON Schema (draft 2020-12) of recipe files, made from the tables that the parser uses; recipe.schema.json beside
// this file is this text.
std::string recipe_schema();

}  // namespace torquant
