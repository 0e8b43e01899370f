#pragma once

#include <memory>
#include <string>
#include <vector>

#include "torquant/graph/interpreter.h"
#include "torquant/observer/observer_spec.h"
#include "torquant/pass/pass_result.h"
#include "torquant/pt2e/report.h"
#include "torquant/quantizer/quantizer.h"

namespace torquant {

// One observer of a prepared program.
struct PlacedObserver {
  ObserverSpec spec;
  ObserverOptions options;
  ObserverPtr observer = nullptr;
  // Of a derived spec: the observers that it computes from, and how.
  std::vector<size_t> derived_from = {};
  DeriveQParams derive_qparams = nullptr;
  bool derives_bias = false;  // derive_qparams is derive_bias_qparams
};

// A program with observers at the places that a quantizer annotated: ready to be calibrated and converted.
//
// An observer is a node `torquant.observe.default(input, observer=i)`; several nodes with one i share an observer.
class PreparedProgram {
 public:
  PreparedProgram(Program program, std::vector<PlacedObserver> observers, QuantizationReport report);
  PreparedProgram(PreparedProgram&&) noexcept;
  PreparedProgram& operator=(PreparedProgram&&) noexcept;
  ~PreparedProgram();

  // Runs one batch; observers record what they see. Gives the outputs.
  std::vector<c10::IValue> run(std::vector<c10::IValue> inputs);
  // The same for programs of tensors, without autograd.
  std::vector<at::Tensor> forward(const std::vector<at::Tensor>& inputs);

  const Program& program() const;
  const std::vector<PlacedObserver>& observers() const;
  // What was annotated and what was not, with reasons.
  const QuantizationReport& report() const;

  // Gives the program away, with its observers in it; the prepared program is empty afterwards.
  Program release() &&;

 private:
  struct State;  // at a stable address: the interpreter refers to it
  std::unique_ptr<State> state_;
};

// Folds batch norms, lets `quantizer` annotate, and inserts the observers (torchao prepare_pt2e).
// Weights are observed at once: only activations need data. Throws Error when nothing was annotated.
PreparedProgram prepare_pt2e(Program program, Quantizer& quantizer);

}  // namespace torquant
