#pragma once

#include "torquant/graph/program.h"
#include "torquant/lower/onednn_epilogue.h"
#include "torquant/lower/onednn_layer.h"

// Writes oneDNN's operators. Private to onednn*.cpp.
namespace torquant::onednn {

// Throws Error where this LibTorch lacks one of the operators.
void check_operators();

// A layer on integers, and what stands behind it: one of the operators that replace_by_operator() inserts.
bool is_operator(const OpId& op);

// Puts one operator in the place of the layer and of the nodes behind it that the epilogue computes.
void replace_by_operator(Program& program, const Layer& layer, const Epilogue& epilogue);

// replace_by_operator() copies the codes over which a sum is written. Takes away the copies that nobody needs.
void overwrite_residuals(Graph& graph);

}  // namespace torquant::onednn
