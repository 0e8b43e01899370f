// A quantizer on top of another: XNNPACKQuantizer, but only for linear layers whose input has three dimensions (the
// projections of a transformer, say, and not its classifier).
//
//   only_3d_inputs MODEL.pt2 OUT.pt2
//
// XNNPACKQuantizer knows the patterns (a linear layer with the ReLU behind it is one); a filter function chooses among
// them. Shapes are known for every value without running the program.
#include "quantize_archive.h"
#include "torquant/graph/ops.h"
#include "torquant/quantizer/xnnpack_quantizer.h"

namespace tq = torquant;

namespace {

// ReLU belongs to the layer in front of it.
bool has_3d_input(const tq::Node& node) {
  const tq::Value* input = node.op() == tq::ops::kLinear ? node.input("input") : node.input("self");
  return input != nullptr && input->is_tensor() && input->tensor().rank() == 3;
}

}  // namespace

int main(int argc, char** argv) {
  tq::XNNPACKQuantizer quantizer;
  quantizer.set_operator_type("aten.linear.default", tq::get_symmetric_quantization_config({.is_per_channel = true}))
      .set_filter_function(has_3d_input);
  return example::quantize_archive(argc, argv, quantizer);
}
