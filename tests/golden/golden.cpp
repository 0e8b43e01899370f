#include "golden.h"

#include <ATen/ops/scalar_tensor.h>
#include <ATen/ops/tensor.h>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iostream>

#include "torquant/core/error.h"

namespace torquant::golden {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::json;

constexpr size_t kFailuresShown = 20;

double number_of(const Json& value) {
  if (value.is_string()) return std::strtod(value.get<std::string>().c_str(), nullptr);  // "nan", "inf", "-inf"
  return value.get<double>();
}

std::string position(const at::Tensor& tensor, int64_t index) {
  std::string text;
  for (int64_t axis = tensor.dim() - 1; axis >= 0; --axis) {
    text = fmt::format("{}{}{}", index % tensor.size(axis), text.empty() ? "" : ", ", text);
    index /= tensor.size(axis);
  }
  return "[" + text + "]";
}

bool close_enough(double ours, double theirs, const Closeness& closeness) {
  if (std::isnan(ours) || std::isnan(theirs)) return std::isnan(ours) && std::isnan(theirs);
  return ours == theirs || std::abs(ours - theirs) <= closeness.absolute + closeness.relative * std::abs(theirs);
}

std::optional<std::string> compare_case(const Case& golden, const Op& op) {
  Outputs outputs;
  try {
    outputs = op(golden);
  } catch (const std::exception& error) {
    if (golden.error()) return std::nullopt;
    return fmt::format("we raised: {}", error.what());
  }
  if (golden.error()) return fmt::format("PyTorch raised \"{}\", we gave a result", *golden.error());
  const Json& expected = golden.json()["outputs"];
  if (outputs.size() != expected.size()) {
    return fmt::format("{} outputs, PyTorch has {}", outputs.size(), expected.size());
  }
  for (const Output& output : outputs) {
    if (!expected.contains(output.name)) return fmt::format("PyTorch has no output {}", output.name);
    const auto different =
        difference(output.tensor, golden.value(expected[output.name]), output.close, output.compare_where);
    if (different) return output.name + ": " + *different;
  }
  return std::nullopt;
}

}  // namespace

fs::path directory() {
  const char* given = std::getenv("TORQUANT_GOLDEN_DIR");
  return given != nullptr ? given : TORQUANT_GOLDEN_DEFAULT_DIR;
}

Case::Case(Json json, std::shared_ptr<const SafetensorsFile> tensors)
    : json_(std::move(json)), tensors_(std::move(tensors)) {
  id_ = json_.at("id");
  op_ = json_.at("op");
  tag_ = json_.value("tag", "");
  if (json_.contains("error")) error_ = json_["error"].get<std::string>();
  nonfinite_ = json_.value("nonfinite", false);
}

at::Tensor Case::value(const Json& value) const {
  if (value.is_null()) return {};
  if (value.is_string() && tensors_->contains(value.get<std::string>())) {
    return tensors_->tensor(value.get<std::string>());
  }
  if (value.is_number_integer()) return at::scalar_tensor(value.get<int64_t>(), at::kLong);
  if (value.is_number() || value.is_string()) return at::scalar_tensor(number_of(value), at::kDouble);
  std::vector<double> numbers;
  for (const Json& element : value) numbers.push_back(number_of(element));
  return at::tensor(numbers, at::kDouble);
}

at::Tensor Case::input(const std::string& name) const { return value(json_["inputs"].at(name)); }

double Case::number(const char* name) const { return number_of(params().at(name)); }

std::optional<int64_t> Case::optional_integer(const char* name) const {
  if (!params().contains(name) || params()[name].is_null()) return std::nullopt;
  return integer(name);
}

std::optional<double> Case::optional_number(const char* name) const {
  if (!params().contains(name) || params()[name].is_null()) return std::nullopt;
  return number(name);
}

std::optional<std::string> Case::optional_text(const char* name) const {
  if (!params().contains(name) || params()[name].is_null()) return std::nullopt;
  return text(name);
}

c10::ScalarType Case::scalar_type(const char* name) const { return scalar_type_of(text(name)); }

std::optional<c10::ScalarType> Case::optional_scalar_type(const char* name) const {
  const auto given = optional_text(name);
  return given ? std::optional(scalar_type_of(*given)) : std::nullopt;
}

c10::ScalarType scalar_type_of(const std::string& name) {
  static const std::map<std::string, c10::ScalarType> kTypes = {
      {"float32", at::kFloat},
      {"float64", at::kDouble},
      {"float16", at::kHalf},
      {"bfloat16", at::kBFloat16},
      {"int8", at::kChar},
      {"uint8", at::kByte},
      {"int16", at::kShort},
      {"uint16", at::kUInt16},
      {"int32", at::kInt},
      {"uint32", at::kUInt32},
      {"int64", at::kLong},
      {"bool", at::kBool},
      {"qint8", at::kQInt8},
      {"quint8", at::kQUInt8},
      {"qint32", at::kQInt32},
      {"float8_e4m3fn", at::kFloat8_e4m3fn},
      {"float8_e5m2", at::kFloat8_e5m2},
      {"float8_e8m0fnu", at::kFloat8_e8m0fnu},
  };
  const auto found = kTypes.find(name);
  if (found == kTypes.end()) throw Error({.where = "golden case", .what = "dtype " + name + " has no scalar type"});
  return found->second;
}

std::optional<std::string> difference(const at::Tensor& ours, const at::Tensor& theirs, const Closeness& closeness,
                                      const at::Tensor& compare_where) {
  if (!ours.defined() || !theirs.defined()) {
    if (ours.defined() == theirs.defined()) return std::nullopt;
    return ours.defined() ? "a tensor where PyTorch has none" : "none where PyTorch has a tensor";
  }
  if (ours.scalar_type() != theirs.scalar_type()) {
    return fmt::format("dtype {}, PyTorch has {}", c10::toString(ours.scalar_type()),
                       c10::toString(theirs.scalar_type()));
  }
  if (ours.sizes() != theirs.sizes()) {
    return fmt::format("shape [{}], PyTorch has [{}]", fmt::join(ours.sizes(), ", "), fmt::join(theirs.sizes(), ", "));
  }
  const at::Tensor a = ours.detach().contiguous();
  const at::Tensor b = theirs.detach().contiguous();
  const bool exact = closeness.relative == 0 && closeness.absolute == 0;
  if (!compare_where.defined() && a.numel() > 0 &&
      std::memcmp(a.const_data_ptr(), b.const_data_ptr(), a.nbytes()) == 0) {
    return std::nullopt;
  }

  const at::Tensor where = compare_where.defined() ? compare_where.contiguous() : at::Tensor();
  const at::Tensor a_double = a.to(at::kDouble);
  const at::Tensor b_double = b.to(at::kDouble);
  const auto* a_bytes = static_cast<const char*>(a.const_data_ptr());
  const auto* b_bytes = static_cast<const char*>(b.const_data_ptr());
  const auto size = static_cast<size_t>(a.element_size());
  int64_t count = 0;
  int64_t first = -1;
  for (int64_t i = 0; i < a.numel(); ++i) {
    if (where.defined() && !where.const_data_ptr<bool>()[i]) continue;
    const double x = a_double.const_data_ptr<double>()[i];
    const double y = b_double.const_data_ptr<double>()[i];
    const bool same = std::memcmp(a_bytes + i * size, b_bytes + i * size, size) == 0 ||
                      (std::isnan(x) && std::isnan(y)) || (!exact && close_enough(x, y, closeness));
    if (same) continue;
    if (first < 0) first = i;
    ++count;
  }
  if (count == 0) return std::nullopt;
  const double x = a_double.const_data_ptr<double>()[first];
  const double y = b_double.const_data_ptr<double>()[first];
  return fmt::format("{} of {} elements differ, first at {}: ours {:.17g} ({:a}), PyTorch's {:.17g} ({:a})", count,
                     a.numel(), position(a, first), x, x, y, y);
}

void print_line(const std::string& family, const std::string& line) {
  std::cout << line << std::endl;
  fs::create_directories(TORQUANT_GOLDEN_SUMMARY_DIR);
  std::ofstream(fs::path(TORQUANT_GOLDEN_SUMMARY_DIR) / (family + ".txt")) << line << "\n";
}

void report(const Summary& summary) {
  std::string line = fmt::format("golden {}: {} cases, {} equal, {} differ", summary.family, summary.cases,
                                 summary.equal, summary.differ);
  if (!summary.note.empty()) line += " (" + summary.note + ")";
  for (const auto& [reason, count] : summary.intended) {
    line += fmt::format("\n  {} differ on purpose: {}", count, reason);
  }
  print_line(summary.family, line);
}

std::optional<std::string> reason_to_skip(const std::string& family, const std::string& file) {
  if (std::getenv("TORQUANT_GOLDEN_DIR") != nullptr && !fs::is_directory(directory())) {
    throw Error({.where = "TORQUANT_GOLDEN_DIR", .what = directory().string() + " is no directory"});
  }
  if (fs::exists(directory() / family / file)) return std::nullopt;
  const std::string name = family.empty() ? "archives" : family;
  const std::string line = fmt::format("golden {}: skipped, no {}", name, (directory() / family / file).string());
  print_line(name, line);
  return line;
}

void run_table_family(const std::string& family, const std::map<std::string, Op>& ops,
                      const std::vector<IntendedDifference>& intended) {
  const auto compare = [&](const Case& golden) {
    const auto op = ops.find(golden.op());
    return op == ops.end() ? std::optional("the op " + golden.op() + " has no runner: passed over")
                           : compare_case(golden, op->second);
  };
  run_cases(family, compare, intended);
}

void run_cases(const std::string& family, const std::function<std::optional<std::string>(const Case&)>& compare,
               const std::vector<IntendedDifference>& intended) {
  const fs::path folder = directory() / family;
  if (const auto reason = reason_to_skip(family, "cases.json")) GTEST_SKIP() << *reason;
  std::ifstream stream(folder / "cases.json");
  const Json file = Json::parse(stream);
  const auto tensors =
      std::make_shared<const SafetensorsFile>(SafetensorsFile::open((folder / "tensors.safetensors").string()));

  Summary summary{.family = family};
  for (const Json& json : file.at("cases")) {
    const Case golden(json, tensors);
    ++summary.cases;
    const auto different = compare(golden);
    if (!different) {
      ++summary.equal;
      continue;
    }
    const auto reason = std::find_if(intended.begin(), intended.end(),
                                     [&](const IntendedDifference& entry) { return entry.applies(golden); });
    if (reason != intended.end()) {
      ++summary.intended[reason->reason];
      continue;
    }
    if (++summary.differ <= kFailuresShown) {
      ADD_FAILURE() << golden.id() << " " << golden.op() << " (" << golden.tag() << "): " << *different << "\n  "
                    << json.dump();
    }
  }
  EXPECT_GT(summary.cases, 0u) << folder << " lists no case";
  EXPECT_EQ(summary.differ, 0u);
  report(summary);
}

}  // namespace torquant::golden
