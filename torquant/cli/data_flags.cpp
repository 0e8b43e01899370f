#include "torquant/cli/data_flags.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "torquant/cli/output.h"
#include "torquant/cli/usage.h"
#include "torquant/core/error.h"
#include "torquant/data/synthetic.h"
#include "torquant/graph/parse_number.h"

namespace torquant::cli {
namespace {

constexpr const char* kSynthetic = "synthetic";  // a folder of that name is ./synthetic
constexpr int64_t kSyntheticSamples = 32;        // more noise says nothing new

std::optional<ImageSize> parse_crop(const std::string& text) {
  const size_t cross = text.find('x');
  const auto height = parse_number<int64_t>(text.substr(0, cross));
  const auto width = cross == text.npos ? height : parse_number<int64_t>(text.substr(cross + 1));
  return height && width ? std::optional(ImageSize{.height = *height, .width = *width}) : std::nullopt;
}

std::string check_crop(const std::string& text) {
  return parse_crop(text) ? "" : fmt::format("{} is no size such as 224 or 192x320 (height x width)", text);
}

std::string check_seed(const std::string& text) {
  return parse_number<uint64_t>(text) ? "" : fmt::format("{} is no seed, which is a whole number from 0", text);
}

}  // namespace

bool DataFlags::is_synthetic() const { return path == kSynthetic; }

CLI::Option* add_data_flags(CLI::App& command, DataFlags& flags, const std::string& data, const std::string& samples) {
  CLI::Option* path = command.add_option("--data", flags.path, data);
  command.add_option("--samples", flags.samples, samples)->check(at_least_one());
  command
      .add_option("--shuffle", flags.shuffle,
                  "Seed of the order of samples. If absent: images by seed 0, other data in their order")
      ->check(check_seed);
  std::vector<std::string> names;
  std::string presets = "How the program wants its images; the flags below win over it.";
  for (const ImagePreset& preset : image_presets()) {
    names.emplace_back(preset.name);
    presets += fmt::format("\n{}: {}", preset.name, preset.meaning);
  }
  const char* group = "For folders of images";
  command.add_option("--preprocess", flags.preset, presets)
      ->check(CLI::IsMember(names))
      ->type_name("PRESET")
      ->group(group);
  command
      .add_option("--resize", flags.resize,
                  "Pixels of the shorter side, before the crop; in the preset's proportion to the crop if absent")
      ->check(at_least_one())
      ->group(group);
  command.add_option("--crop", flags.crop, "The part in the middle; what the program takes if absent")
      ->check(check_crop)
      ->type_name("224|192x320")
      ->group(group);
  const auto add_numbers = [&](const char* name, std::vector<double>& values, const char* help) {
    command.add_option(name, values, help)
        ->delimiter(',')
        ->allow_extra_args(false)
        ->type_name("NUMBER[,NUMBER,NUMBER]")
        ->group(group);
  };
  add_numbers("--mean", flags.mean, "Subtracted from pixels / 255: one number a channel, or one for all");
  add_numbers("--std", flags.std, "Divides what is left: one number a channel, or one for all");
  return path;
}

std::optional<ImageOptions> image_options(const DataFlags& flags, const Program& program) {
  const bool says_nothing =
      flags.preset.empty() && !flags.resize && flags.crop.empty() && flags.mean.empty() && flags.std.empty();
  if (says_nothing) return std::nullopt;
  if (flags.preset.empty() && (flags.mean.empty() || flags.std.empty())) {
    throw Error({.where = flags.path,
                 .what = "how to normalise images was not said",
                 .allowed = "--preprocess PRESET, or both --mean and --std"});
  }
  ImageOptions options = flags.preset.empty() ? ImageOptions() : image_preset(flags.preset);
  if (flags.resize) options.resize = flags.resize;
  if (!flags.crop.empty()) options.crop = parse_crop(flags.crop);
  if (!flags.mean.empty()) options.mean = flags.mean;
  if (!flags.std.empty()) options.std = flags.std;
  return fit_to_program(std::move(options), program);
}

std::unique_ptr<Dataset> open_data(const DataFlags& flags, const Program& program, Split split) {
  if (flags.is_synthetic()) return make_synthetic_dataset(program, flags.samples.value_or(kSyntheticSamples));
  return open_dataset(flags.path, split, {.images = image_options(flags, program), .shuffle = flags.shuffle});
}

void note_subset(const char* doing, int64_t samples, const Dataset& data, bool json) {
  if (samples == data.size()) return;
  print_note(fmt::format("{} {} of the {} samples of {} (--samples)", doing, with_commas(samples),
                         with_commas(data.size()), data.name()),
             json);
}

}  // namespace torquant::cli
