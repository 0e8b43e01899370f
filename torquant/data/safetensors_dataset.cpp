#include "torquant/data/safetensors_dataset.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <map>
#include <vector>

#include "torquant/core/error.h"
#include "torquant/io/safetensors.h"

namespace torquant {
namespace {

bool is_digit(char c) { return std::isdigit(static_cast<unsigned char>(c)) != 0; }

// "2" before "10", "image9" before "image10": runs of digits by value, all else by byte.
struct NaturalLess {
  bool operator()(const std::string& a, const std::string& b) const {
    size_t i = 0;
    size_t j = 0;
    while (i < a.size() && j < b.size()) {
      if (is_digit(a[i]) && is_digit(b[j])) {
        const std::string x = digits(a, i);
        const std::string y = digits(b, j);
        if (x != y) return x.size() != y.size() ? x.size() < y.size() : x < y;
      } else {
        if (a[i] != b[j]) return a[i] < b[j];
        ++i;
        ++j;
      }
    }
    // Equal so far ("01" and "1" too): the shorter rest first, then the bytes, so that no two names are equal.
    return a.size() - i != b.size() - j ? a.size() - i < b.size() - j : a < b;
  }

 private:
  // The run of digits at `at`, without leading zeros; moves `at` behind it.
  static std::string digits(const std::string& text, size_t& at) {
    while (at < text.size() && text[at] == '0') ++at;
    const size_t begin = at;
    while (at < text.size() && is_digit(text[at])) ++at;
    return text.substr(begin, at - begin);
  }
};

struct TensorNames {
  std::map<std::string, std::string, NaturalLess> inputs;  // "x0" → tensor name
  std::string labels;                                      // empty: none
};
using SampleNames = std::map<std::string, TensorNames, NaturalLess>;

bool is_input(const std::string& part) {
  return part.size() >= 2 && part[0] == 'x' && part.find_first_not_of("0123456789", 1) == part.npos;
}

SampleNames group_by_sample(const std::string& path, const SafetensorsFile& file) {
  SampleNames samples;
  for (const std::string& name : file.names()) {
    const size_t dot = name.rfind('.');
    const std::string part = dot == name.npos ? "" : name.substr(dot + 1);
    if (is_input(part)) {
      samples[name.substr(0, dot)].inputs[part] = name;
    } else if (part == "y") {
      samples[name.substr(0, dot)].labels = name;
    } else {
      throw Error({.where = path,
                   .what = fmt::format("tensor \"{}\" belongs to no sample", name),
                   .allowed = "<sample>.x<input>, as in 0.x0, and <sample>.y for labels"});
    }
  }
  return samples;
}

// Every sample has x0 … x<n-1>, and labels as all the others do.
void check_samples(const std::string& path, const SampleNames& samples) {
  if (samples.empty()) return;  // Dataset refuses that
  const auto& [first_name, first] = *samples.begin();
  for (const auto& [name, tensors] : samples) {
    const std::string where = fmt::format("{}: sample {}", path, name);
    for (size_t i = 0; i < std::max(first.inputs.size(), tensors.inputs.size()); ++i) {
      const std::string input = fmt::format("x{}", i);
      if (!tensors.inputs.contains(input))
        throw Error({.where = where, .what = fmt::format("has no {}.{}", name, input)});
    }
    if (tensors.inputs.size() != first.inputs.size()) {
      throw Error({.where = where,
                   .what = fmt::format("has {} inputs, sample {} has {}", tensors.inputs.size(), first_name,
                                       first.inputs.size())});
    }
    if (tensors.labels.empty() != first.labels.empty()) {
      throw Error({.where = where,
                   .what = fmt::format("has {}, sample {} has {}", tensors.labels.empty() ? "no labels" : "labels",
                                       first_name, first.labels.empty() ? "no labels" : "labels")});
    }
  }
}

class SafetensorsDataset : public Dataset {
 public:
  SafetensorsDataset(const std::string& path, SafetensorsFile file, const SampleNames& samples)
      : Dataset(path, static_cast<int64_t>(samples.size())), file_(std::move(file)) {
    for (const auto& [name, tensors] : samples) samples_.push_back(tensors);
  }

 private:
  Sample load(int64_t index) const override {
    const TensorNames& names = samples_[static_cast<size_t>(index)];
    Sample sample;
    for (const auto& [input, name] : names.inputs) sample.inputs.push_back(file_.tensor(name));
    if (!names.labels.empty())
      sample.labels = checked_labels(fmt::format("{}: {}", this->name(), names.labels), file_.tensor(names.labels));
    return sample;
  }

  SafetensorsFile file_;
  std::vector<TensorNames> samples_;
};

}  // namespace

std::unique_ptr<Dataset> open_safetensors_dataset(const std::string& path) {
  SafetensorsFile file = SafetensorsFile::open(path);
  const SampleNames samples = group_by_sample(path, file);
  check_samples(path, samples);
  return std::make_unique<SafetensorsDataset>(path, std::move(file), samples);
}

}  // namespace torquant
