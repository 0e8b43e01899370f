#pragma once

#include <string_view>

namespace torquant {

// How a camera was held, from the EXIF block of a JPEG file ("Exif\0\0" and a TIFF directory, as an APP1 segment holds
// it): 1 to 8, as the TIFF 6.0 specification numbers them; 1, upright, where the block is malformed or does not say.
int exif_orientation(std::string_view block);

}  // namespace torquant
