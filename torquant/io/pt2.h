#pragma once

#include <string>

#include "torquant/graph/program.h"

namespace torquant {

struct Pt2LoadOptions {
  // Which program of an archive that holds several; "" takes the only one.
  std::string model_name = {};
  // Accept operators that this process does not have: enough to inspect a program, not to run it.
  bool allow_unknown_operators = false;
};

// Reads a torch.export archive (.pt2 of torch.export.save, schema 8; reference: torch/_export/serde/schema.py).
// Weights are memory-mapped. Throws Error, naming file, record and node, for anything that is not such an archive, and
// for a program that verify() (graph/verifier.h) does not accept.
Program load_pt2(const std::string& path, const Pt2LoadOptions& options = {});

// Writes an archive that torch.export.load reads. The file appears under `path` only when it is whole.
void save_pt2(const Program& program, const std::string& path);

}  // namespace torquant
