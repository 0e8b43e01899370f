#pragma once

#include "torquant/graph/program.h"
#include "torquant/io/pt2_json.h"

// The signature of an archive's program: what each graph input and output stands for.
namespace torquant::pt2 {

// Fills the specs of a program whose graph is read; an Error where their numbers do not fit it.
void read_signature(Program& program, const Json& signature);
Json write_signature(const Program& program);

}  // namespace torquant::pt2
