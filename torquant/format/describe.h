#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "torquant/format/model.h"

// What tools say of the nodes of a model.
namespace torquant::format {

// "Layer", "MaxPool", …: as in tqm.fbs.
std::string_view kind_of(const Operation& operation);

// "clamp", "gelu_tanh"; "add", "subtract".
std::string_view name_of(FloatFunction function);
std::string_view name_of(ValueType type);  // "float32"
std::string_view name_of(FloatArithmetic arithmetic);

// What stays in float of a network: layers in float, functions, sums and products of floats, means, softmax. Quantize,
// Dequantize and layers that end in floats compute on codes; moving floats computes nothing.
bool computes_in_float(const Operation& operation);

// "FloatMap sigmoid", "Layer": kind_of() and the function.
std::string full_name(const Operation& operation);

// What a node gives for one image, in numbers.
int64_t elements_of(const Model& model, const Operation& operation);

// Products of an image's codes and weights; 0 of a node that has no weights.
int64_t multiply_accumulates(const Model& model, const Operation& operation);

// Of the data segment.
int64_t weight_bytes(const Operation& operation);

}  // namespace torquant::format
