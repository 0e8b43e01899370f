#pragma once

#include <ATen/core/Tensor.h>

#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "torquant/io/safetensors.h"

// Runs the golden data: cases computed by PyTorch and torchao, kept outside the repository. The format is described
// in that directory's README.md; no case is hard-coded here, any directory of the format runs.
namespace torquant::golden {

// TORQUANT_GOLDEN_DIR, else the directory given at configure time (../shared/golden).
std::filesystem::path directory();

// A null input or output is an undefined tensor; other values are numbers, lists or names of tensors.
class Case {
 public:
  Case(nlohmann::json json, std::shared_ptr<const SafetensorsFile> tensors);

  const std::string& id() const { return id_; }
  const std::string& op() const { return op_; }
  const std::string& tag() const { return tag_; }
  const std::optional<std::string>& error() const { return error_; }  // what PyTorch raised instead of a result
  bool nonfinite() const { return nonfinite_; }

  const nlohmann::json& params() const { return json_["params"]; }
  const nlohmann::json& json() const { return json_; }
  bool has_input(const std::string& name) const { return json_["inputs"].contains(name); }
  at::Tensor input(const std::string& name) const;

  // Parameters, converted. An absent or null parameter is `nothing` (optional forms) or an error.
  int64_t integer(const char* name) const { return params().at(name).get<int64_t>(); }
  double number(const char* name) const;
  bool boolean(const char* name) const { return params().at(name).get<bool>(); }
  std::vector<int64_t> integers(const char* name) const { return params().at(name).get<std::vector<int64_t>>(); }
  std::optional<int64_t> optional_integer(const char* name) const;
  std::optional<double> optional_number(const char* name) const;
  std::string text(const char* name) const { return params().at(name).get<std::string>(); }
  std::optional<std::string> optional_text(const char* name) const;
  c10::ScalarType scalar_type(const char* name) const;  // of a dtype that a tensor can have
  std::optional<c10::ScalarType> optional_scalar_type(const char* name) const;

  at::Tensor value(const nlohmann::json& name_or_literal) const;

 private:
  nlohmann::json json_;
  std::shared_ptr<const SafetensorsFile> tensors_;
  std::string id_, op_, tag_;
  std::optional<std::string> error_;
  bool nonfinite_ = false;
};

c10::ScalarType scalar_type_of(const std::string& dtype_name);

// |ours - theirs| <= absolute + relative * |theirs|. Exact (the default) compares bit for bit, any NaN equal to any.
struct Closeness {
  double relative = 0;
  double absolute = 0;
};

struct Output {
  std::string name;  // as in the case's "outputs"
  at::Tensor tensor;
  at::Tensor compare_where = {};  // bool, the positions that PyTorch defines; undefined: all
  Closeness close = {};
};
using Outputs = std::vector<Output>;

using Op = std::function<Outputs(const Case&)>;

// Where we differ from PyTorch on purpose. A difference that no entry covers is a failure.
struct IntendedDifference {
  std::string reason;
  std::function<bool(const Case&)> applies;
};

struct Summary {
  std::string family;
  size_t cases = 0;
  size_t equal = 0;
  size_t differ = 0;
  std::map<std::string, size_t> intended = {};  // reason → cases
  std::string note = {};                        // the mode the family ran in, if there are several
};

// Prints the line, now and, from a plain `ctest`, after the run. One line (or more) a family; the last one stays.
void print_line(const std::string& family, const std::string& line);

// print_line("golden FAMILY: … cases, … equal, … differ") and what differs on purpose.
void report(const Summary& summary);

// For GTEST_SKIP: says that directory()/FAMILY/FILE is not there (FAMILY "": the data of all families), and leaves that
// line for ctest too. Nothing where it is. A TORQUANT_GOLDEN_DIR that does not exist is an Error.
std::optional<std::string> reason_to_skip(const std::string& family, const std::string& file);

// In the body of a TEST: runs every case of FAMILY/cases.json and fails the test on the first differences, which
// `compare` tells in words. Skips, saying why, where the directory lacks the family.
void run_cases(const std::string& family, const std::function<std::optional<std::string>(const Case&)>& compare,
               const std::vector<IntendedDifference>& intended = {});

// The same for families whose cases are calls with `inputs` and `outputs`.
void run_table_family(const std::string& family, const std::map<std::string, Op>& ops,
                      const std::vector<IntendedDifference>& intended = {});

// Nothing where equal, else the first difference in words. dtype and shape count as well.
std::optional<std::string> difference(const at::Tensor& ours, const at::Tensor& theirs, const Closeness& closeness = {},
                                      const at::Tensor& compare_where = {});

}  // namespace torquant::golden
