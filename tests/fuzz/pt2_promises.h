#pragma once

#include <string>

namespace torquant::fuzz {

// Loads a .pt2 archive. What loads prints, and is written to an archive that reads back as the same program.
void check_pt2(const std::string& path);

}  // namespace torquant::fuzz
