#pragma once

#include <nlohmann/json_fwd.hpp>

#include "torquant/observer/observer_spec.h"
#include "torquant/pt2e/report.h"

namespace torquant {

// Observer settings and reports as JSON, for prepared programs and the command line.

nlohmann::json to_json(const ObserverOptions& options);
ObserverOptions observer_options_from_json(const nlohmann::json& json);

// Throws Error for a CustomObserverSpec, which has no form in a file.
nlohmann::json to_json(const ObserverSpec& spec);
ObserverSpec observer_spec_from_json(const nlohmann::json& json);

nlohmann::json to_json(const QuantizationReport& report);
QuantizationReport report_from_json(const nlohmann::json& json);

}  // namespace torquant
