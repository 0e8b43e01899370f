#pragma once

#include <memory>
#include <string>

#include "torquant/data/dataset.h"
#include "torquant/data/image_options.h"

namespace torquant {

// Does it end in .jpg, .jpeg or .png, in any case, and is no hidden file?
bool is_image_name(const std::string& name);

// Is it a folder of images or of class folders: does it hold a .jpg, .jpeg or .png file, or another folder?
bool is_image_folder(const std::string& path);

// A folder of class folders of images: the label of an image is the place of its folder in the order of their names (by
// bytes, as Python sorts them). Or a folder of images alone: they have no labels. Samples are sorted by class, then by
// name; each is float32 [1, C, H, W], decoded and preprocessed when it is asked for.
//
// Images end in .jpg, .jpeg or .png in any case; what they are is read from their first bytes. Hidden files and folders
// (.DS_Store), Thumbs.db and desktop.ini do not count. Anything else is an Error that names it.
// `options` are complete: fit_to_program made them.
std::unique_ptr<Dataset> open_image_folder(const std::string& path, const ImageOptions& options);

}  // namespace torquant
