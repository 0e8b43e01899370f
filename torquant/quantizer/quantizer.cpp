#include "torquant/quantizer/quantizer.h"

namespace torquant {

void Quantizer::transform_for_annotation(Program&) {}
void Quantizer::validate(const Program&, const Annotations&) {}
std::vector<Capability> Quantizer::capabilities() const { return {}; }

}  // namespace torquant
