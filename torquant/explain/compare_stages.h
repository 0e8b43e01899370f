#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "torquant/format/model.h"
#include "torquant/graph/program.h"

namespace torquant {

// How far the runtime is from what the converted program gives, over all elements of one value.
struct Difference {
  int64_t differing = 0;  // codes; of floats: elements
  int64_t steps = 0;      // of codes: the largest difference
  double sqnr = 0;  // dB, of the reals: 10 log10(Σ program² / Σ (program - runtime)²); infinite where all are equal
};

// One node of a model.
struct Stage {
  std::string node;       // its name in the model
  std::string operation;  // "Layer", …
  std::string value;      // the name of its output
  std::vector<int64_t> sizes;
  bool is_codes = true;        // else of floats
  bool has_attention = false;  // it, or what ran with it: on integers where the program computes in float (K10)
  // Run by itself on the program's own values. Nothing where the program has no such value.
  std::optional<Difference> alone = std::nullopt;
  std::vector<size_t> with = {};  // nodes before it that ran with it, since the program does not have what they give
  // In a run of the whole model.
  std::optional<Difference> in_chain = std::nullopt;

  // At most one step, as docs/semantics.md promises of a node alone; floats: least_sqnr(). True where nothing is
  // compared.
  bool holds() const;
  // 80 dB, since float32 adds up the same products in another order; 20 with attention.
  double least_sqnr() const { return has_attention ? 20 : 80; }
};

// Runs `converted` on LibTorch, and of `model`, which lower_to_runtime made of it, each node by itself on the values of
// that run, then the whole model. One stage a node, in order. Values are found by their names: those of the program.
// Throws Error where the model does not fit the inputs or cannot run.
std::vector<Stage> compare_stages(const Program& converted, const format::Model& model,
                                  const std::vector<at::Tensor>& inputs);

}  // namespace torquant
