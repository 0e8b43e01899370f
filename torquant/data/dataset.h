#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace torquant {

// What a program is called with once. Every tensor has the batch on axis 0.
struct Sample {
  std::vector<at::Tensor> inputs;  // one a user input of the program, in its order
  at::Tensor labels;               // int64 [batch]; undefined where the data has none
};

// Data to calibrate or judge with: a numbered list of samples, the same at every reading.
// Derive from it to bring data of your own; the const members may be called from several threads.
class Dataset {
 public:
  virtual ~Dataset() = default;

  const std::string& name() const { return name_; }  // where it comes from, for messages: mostly a path
  int64_t size() const { return size_; }             // samples, at least 1

  // Of label 0, 1, …; empty where the data do not name them.
  virtual std::vector<std::string> class_names() const { return {}; }

  // Throws Error for an index outside [0, size()).
  Sample sample(int64_t index) const;

 protected:
  // Throws Error for a size below 1: there is nothing to learn from no data.
  Dataset(std::string name, int64_t size);

 private:
  virtual Sample load(int64_t index) const = 0;

  std::string name_;
  int64_t size_;
};

// Samples first, first + 1, …, at most `count` of them, joined along axis 0. Throws Error where they do not fit
// together.
Sample load_batch(const Dataset& dataset, int64_t first, int64_t count);

// Samples that are rows of arrays: row i of each input, axis 0 kept.
class ArrayDataset : public Dataset {
 public:
  // labels: integers [rows], or undefined. Throws Error where row counts differ.
  ArrayDataset(const std::string& name, std::vector<at::Tensor> inputs, const at::Tensor& labels);

 private:
  Sample load(int64_t index) const override;

  std::vector<at::Tensor> inputs_;
  at::Tensor labels_;
};

// Labels as the field passes them around: int64 [batch]. Throws Error, beginning with `where`, unless `labels` holds
// integers ≥ 0 in one axis (or none: a single label).
at::Tensor checked_labels(const std::string& where, const at::Tensor& labels);

}  // namespace torquant
