#pragma once

#include <cstdint>
#include <string_view>

#include "torquant/format/model.h"

// What tools say of the nodes of a model.
namespace torquant::format {

// "Layer", "MaxPool", …: as in tqm.fbs.
std::string_view kind_of(const Operation& operation);

// Products of an image's codes and weights; 0 of a node that has no weights.
int64_t multiply_accumulates(const Model& model, const Operation& operation);

// Of the data segment.
int64_t weight_bytes(const Operation& operation);

}  // namespace torquant::format
