#include "torquant/pass/canonicalize.h"

namespace torquant {

PassResult canonicalize(Program&) { return {}; }

}  // namespace torquant
