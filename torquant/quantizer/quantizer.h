#pragma once

#include "torquant/quantizer/annotation.h"
#include "torquant/quantizer/capability.h"

namespace torquant {

// Decides what of a program is quantized, and how. Write your own to serve an accelerator or to try a scheme:
// annotate() is all that is needed (examples/).
//
// Called in this order by prepare_pt2e, on a program whose batch norms are folded and whose operators are canonical.
class Quantizer {
 public:
  virtual ~Quantizer() = default;

  // Rewrites that annotate() relies on.
  virtual void transform_for_annotation(Program& program);
  // Says, by node, which inputs and outputs are quantized. A place may refer to any other place of the program, in any
  // order.
  virtual void annotate(const Program& program, Annotations& annotations) = 0;
  // Throws Error where the annotations are not what the target can run.
  virtual void validate(const Program& program, const Annotations& annotations);

  // What it can do. A quantizer that leaves this empty still works; it says nothing in `torquant capabilities`.
  virtual std::vector<Capability> capabilities() const;

  virtual std::string name() const = 0;
};

}  // namespace torquant
