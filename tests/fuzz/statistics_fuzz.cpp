// What observers saw, as a file: its settings ("observers") and its tensors ("header" and "data") are records here
// (records.h). What loads is saved and read back as it is; it may be merged, and restored into a prepared program that
// then goes on and gives scales.
#include <ATen/core/Tensor.h>
#include <ATen/ops/ones.h>
#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "tests/fuzz/input.h"
#include "tests/fuzz/records.h"
#include "tests/fuzz/small_net.h"
#include "tests/support/zip_file.h"
#include "torquant/core/error.h"
#include "torquant/io/mapped_file.h"
#include "torquant/pt2e/observer_statistics.h"

namespace torquant::fuzz {
namespace {

std::string safetensors_of(const Records& records) {
  std::string header;
  std::string settings;
  std::string data;
  for (const auto& [name, bytes] : records) {
    (name == "header" ? header : name == "observers" ? settings : data) = bytes;
  }
  using Json = nlohmann::json;
  const std::string quoted = Json(settings).dump(-1, ' ', false, Json::error_handler_t::replace);
  const std::string text = fmt::format(R"({{"__metadata__":{{"torquant_observers":{}}},{})", quoted,
                                       std::string_view(header).substr(header.empty() ? 0 : 1));
  return zip_file::number(text.size(), 8) + text + data;
}

void use(ObserverStatistics statistics) {
  static PreparedProgram prepared = prepared_net(HistogramSpec{16});
  static const ObserverStatistics untouched = collect_statistics(prepared, "untouched", 0);
  restore_statistics(prepared, untouched, "untouched");
  statistics.weights = untouched.weights;
  statistics.graph = untouched.graph;
  try {
    restore_statistics(prepared, statistics, "fuzz");
    prepared.forward({at::ones({2, 4})});
    for (const PlacedObserver& placed : prepared.observers()) placed.observer->calculate_qparams();
  } catch (const Error&) {
  }
}

void check_statistics(const std::string& path) {
  const OutputFile once;
  const OutputFile twice;
  ObserverStatistics statistics;
  try {
    statistics = load_statistics(path);
  } catch (const Error&) {
    return;
  }
  try {
    save_statistics(statistics, once.path());
    save_statistics(load_statistics(once.path()), twice.path());
  } catch (const Error& error) {
    expect_that(false, fmt::format("what was loaded does not save and load: {}", error.what()));
  }
  expect_that(MappedFile(once.path()).bytes() == MappedFile(twice.path()).bytes(), "load, save, load gives others");
  try {
    merge_statistics({statistics, statistics}, {"one", "the same"});
  } catch (const Error&) {
  }
  use(std::move(statistics));
}

}  // namespace
}  // namespace torquant::fuzz

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace torquant;
  const fuzz::InputFile file(fuzz::safetensors_of(fuzz::split_records(fuzz::as_text(data, size))));
  fuzz::check_statistics(file.path());
  return 0;
}
