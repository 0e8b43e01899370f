#pragma once

#include <memory>
#include <nlohmann/json.hpp>

#include "torquant/quantizer/quantizer.h"

namespace torquant::golden {

// The quantizer that a case's "quantizer" JSON describes (generators/graph_util.py, build and SpecQuantizer).
// `source` is the float program as exported: rules of a SpecQuantizer name
// operators in its spelling.
std::unique_ptr<Quantizer> make_quantizer(const nlohmann::json& json, const Program& source);

}  // namespace torquant::golden
