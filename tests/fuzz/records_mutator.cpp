// Changes the JSON of records as JSON: bytes changed at random would seldom leave a text that parses.
#include <algorithm>
#include <cstring>
#include <nlohmann/json.hpp>
#include <random>

#include "tests/fuzz/input.h"
#include "tests/fuzz/records.h"

extern "C" size_t LLVMFuzzerMutate(uint8_t* data, size_t size, size_t max_size);

namespace torquant::fuzz {
namespace {

using Json = nlohmann::json;

class JsonMutator {
 public:
  explicit JsonMutator(unsigned seed) : random_(seed) {}

  size_t below(size_t end) { return random_() % end; }

  void mutate(Json& root) {
    std::vector<Json*> values;
    collect(root, values);
    Json& target = *values[below(values.size())];
    switch (below(5)) {
      case 0:
        target = interesting();
        break;
      case 1:
        target = Json(*values[below(values.size())]);  // a copy: it may lie inside the target
        break;
      case 2:
        if (!target.empty() && target.is_structured()) target.erase(std::next(target.begin(), at(target)));
        break;
      case 3:
        if (target.is_array() && !target.empty()) target.insert(target.begin() + at(target), Json(target[at(target)]));
        break;
      case 4:
        if (target.is_array() && !target.empty()) std::swap(target[at(target)], target[at(target)]);
        break;
    }
  }

 private:
  static void collect(Json& json, std::vector<Json*>& values) {
    values.push_back(&json);
    if (!json.is_structured()) return;
    for (Json& item : json) collect(item, values);
  }

  int at(const Json& list) { return static_cast<int>(below(list.size())); }

  Json interesting() {
    static const Json kValues = {0,
                                 1,
                                 -1,
                                 2,
                                 3,
                                 7,
                                 2147483647,
                                 INT64_MAX,
                                 INT64_MIN,
                                 UINT64_MAX,
                                 1.5,
                                 1e308,
                                 true,
                                 false,
                                 "NaN",
                                 "-Infinity",
                                 "",
                                 "self",
                                 "x",
                                 nullptr,
                                 Json::object(),
                                 Json::array(),
                                 "Mul(Symbol('s0'), Integer(2))"};
    return kValues[below(kValues.size())];
  }

  std::minstd_rand random_;
};

}  // namespace
}  // namespace torquant::fuzz

extern "C" size_t LLVMFuzzerCustomMutator(uint8_t* data, size_t size, size_t max_size, unsigned seed) {
  using namespace torquant::fuzz;
  JsonMutator mutator(seed);
  Records records = split_records(as_text(data, size));
  if (records.empty() || mutator.below(4) == 0) return LLVMFuzzerMutate(data, size, max_size);
  auto& [name, bytes] = records[mutator.below(records.size())];
  Json json = Json::parse(bytes, nullptr, /*allow_exceptions=*/false);
  if (json.is_discarded()) return LLVMFuzzerMutate(data, size, max_size);
  for (size_t changes = 1 + mutator.below(3); changes > 0; --changes) mutator.mutate(json);
  bytes = json.dump(-1, ' ', false, Json::error_handler_t::replace);
  const std::string text = join_records(records);
  if (text.size() > max_size) return LLVMFuzzerMutate(data, size, max_size);
  std::memcpy(data, text.data(), text.size());
  return text.size();
}
