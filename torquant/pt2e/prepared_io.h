#pragma once

#include <string>

#include "torquant/pt2e/prepare.h"

namespace torquant {

// Saves a prepared program with everything its observers have seen, as a .pt2 archive with observer nodes, so that
// calibration can go on later or elsewhere. Throws Error for observers and derivations of the user's own, which have no
// form in a file.
void save_prepared(const PreparedProgram& prepared, const std::string& path);

// Goes on where save_prepared stopped. Throws Error for an archive that holds no prepared program.
PreparedProgram load_prepared(const std::string& path);

}  // namespace torquant
