#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

// Reading JSON that may hold anything. Errors quote the offending value and have no place: the caller adds file and
// node.
namespace torquant::pt2 {

using Json = nlohmann::json;

[[noreturn]] void refuse(std::string what);

// The JSON of that text. Errors for what is none, and for values nested so deeply that they would exhaust the stack:
// no program comes near.
template <class AnyJson>
AnyJson parse(std::string_view text) {
  constexpr int kMaxDepth = 500;
  const auto too_deep = [](int depth, Json::parse_event_t, const auto&) -> bool {
    if (depth > kMaxDepth) refuse("nested too deeply");
    return true;
  };
  try {
    return AnyJson::parse(text, too_deep);
  } catch (const Json::exception& error) {
    refuse(error.what());
  }
}

std::string quote(const Json& json);  // for such an error, not too long

// The member `key` of an object; Errors say what is missing or that `json` is no object.
const Json& member(const Json& json, const char* key);
// The one member of a union, {"as_int": 3}: its tag and its value.
std::pair<std::string, const Json&> union_of(const Json& json);
Json tagged(const char* tag, Json value);

int64_t to_int(const Json& json);
bool to_bool(const Json& json);
std::string to_text(const Json& json);
double to_double(const Json& json);  // a number, or "Infinity", "-Infinity", "NaN"
Json from_double(double value);

std::string string_at(const Json& json, const char* key);
int64_t int_at(const Json& json, const char* key);
bool bool_at(const Json& json, const char* key);

template <class T, class Read>
std::vector<T> read_list(const Json& json, Read read) {
  if (!json.is_array()) refuse("expected a list, found " + quote(json));
  std::vector<T> list;
  list.reserve(json.size());
  for (const Json& item : json) list.push_back(read(item));
  return list;
}

}  // namespace torquant::pt2
