#include "torquant/io/pt2_json.h"

#include <fmt/format.h>

#include <cmath>
#include <limits>

#include "torquant/core/error.h"

namespace torquant::pt2 {

void refuse(std::string what) { throw Error({.where = "", .what = std::move(what)}); }

std::string quote(const Json& json) {
  const std::string text = json.dump();
  return text.size() <= 120 ? text : text.substr(0, 117) + "...";
}

const Json& member(const Json& json, const char* key) {
  if (!json.is_object()) refuse(fmt::format("expected an object with \"{}\", found {}", key, quote(json)));
  const auto found = json.find(key);
  if (found == json.end()) refuse(fmt::format("\"{}\" is missing in {}", key, quote(json)));
  return *found;
}

std::pair<std::string, const Json&> union_of(const Json& json) {
  if (!json.is_object() || json.size() != 1) {
    refuse(fmt::format("expected an object of one member, found {}", quote(json)));
  }
  return {json.begin().key(), json.begin().value()};
}

Json tagged(const char* tag, Json value) {
  Json json = Json::object();
  json[tag] = std::move(value);
  return json;
}

int64_t to_int(const Json& json) {
  if (!json.is_number_integer()) refuse(fmt::format("expected an integer, found {}", quote(json)));
  if (json.is_number_unsigned() && json.get<uint64_t>() > static_cast<uint64_t>(std::numeric_limits<int64_t>::max())) {
    refuse(fmt::format("integer {} does not fit 64 bits", quote(json)));
  }
  return json.get<int64_t>();
}

bool to_bool(const Json& json) {
  if (!json.is_boolean()) refuse(fmt::format("expected true or false, found {}", quote(json)));
  return json.get<bool>();
}

std::string to_text(const Json& json) {
  if (!json.is_string()) refuse(fmt::format("expected a string, found {}", quote(json)));
  return json.get<std::string>();
}

double to_double(const Json& json) {
  if (json.is_number()) return json.get<double>();
  if (json == "Infinity") return INFINITY;
  if (json == "-Infinity") return -INFINITY;
  if (json == "NaN") return NAN;
  refuse(fmt::format("expected a number, found {}", quote(json)));
}

Json from_double(double value) {
  if (std::isnan(value)) return "NaN";
  if (std::isinf(value)) return value > 0 ? "Infinity" : "-Infinity";
  return value;
}

std::string string_at(const Json& json, const char* key) { return to_text(member(json, key)); }
int64_t int_at(const Json& json, const char* key) { return to_int(member(json, key)); }
bool bool_at(const Json& json, const char* key) { return to_bool(member(json, key)); }

}  // namespace torquant::pt2
