#pragma once

#include <gtest/gtest.h>

#include <fstream>
#include <functional>
#include <iterator>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "tests/support/error_text.h"
#include "tests/support/temp_folder.h"
#include "tests/support/zip_file.h"
#include "torquant/graph/text.h"
#include "torquant/io/pt2.h"
#include "torquant/io/zip_archive.h"

namespace torquant {

inline constexpr const char* kNet = R"(
range s0 1..64 example 2
parameter %p_fc_weight : f32[4, 3] = "fc.weight"
parameter %p_tied : f32[4, 3] = "tied.weight" tied "fc.weight"
buffer %b_count : i64[] = "count"
buffer %b_mask : b8[2, 2] = "mask" non-persistent
constant %c_lifted : f32[] = "lifted_tensor_0"
input %x : f32[s0, 3]
%linear = aten.linear.default(%x, %p_fc_weight) @ fc(torch.nn.modules.linear.Linear)
%n = aten.sym_size.int(%x, 0)
%view = aten.view.default(%linear, [%n, 2, 2])
[%a, %b] = aten.chunk.default(%view, 2, 1) as %chunk
%mul = aten.mul.Tensor(%a, %c_lifted)
%clamp = aten.clamp.default(%mul, -inf, 1.0)
%add = aten.add.Tensor(%b_count, 1)
return buffer_mutation("count") %add, %clamp, %b
)";

// For tests of .pt2: a good archive, and copies of it with one thing changed.
class Pt2Test : public testing::Test {
 protected:
  using Json = nlohmann::json;

  std::string saved(const Program& program, const std::string& name = "net.pt2") const {
    save_pt2(program, folder_.path(name));
    return folder_.path(name);
  }
  std::string good() const { return saved(parse_program(kNet)); }

  using Records = std::vector<std::pair<std::string, std::string>>;

  Records good_records() const {
    Records records;
    const ZipArchive zip = ZipArchive::open_below_root(good());
    for (const std::string& name : zip.names()) records.emplace_back(name, zip.bytes(name));
    return records;
  }
  std::string write_records(const Records& records) const {
    std::vector<zip_file::Entry> entries;
    for (const auto& [name, bytes] : records) entries.push_back(zip_file::stored("bad/" + name, bytes));
    return folder_.write("bad.pt2", zip_file::zip_of(entries));
  }

  // The message of loading a copy of the good archive whose records `edit` changed; without the path.
  std::string error_after(const std::function<void(Records&)>& edit) const {
    Records records = good_records();
    edit(records);
    return error_of(write_records(records));
  }
  // The same for one JSON record.
  std::string error_after_json(const std::string& record, const std::function<void(Json&)>& edit) const {
    return error_after([&](Records& records) {
      for (auto& [name, bytes] : records) {
        if (name != record) continue;
        Json json = Json::parse(bytes);
        edit(json);
        bytes = json.dump();
        return;
      }
      FAIL() << "no record " << record;
    });
  }
  std::string error_after_model(const std::function<void(Json&)>& edit) const {
    return error_after_json("models/model.json", edit);
  }
  std::string error_after_weights(const std::function<void(Json&)>& edit) const {
    return error_after_json("data/weights/model_weights_config.json", [&](Json& json) { edit(json["config"]); });
  }
  static Json& node(Json& model, size_t index) { return model["graph_module"]["graph"]["nodes"][index]; }

  static std::string read_file(const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
  }

  // The message of loading that file, without its path; "" for none.
  static std::string error_of(const std::string& path) {
    const std::string text = error_text([&] { load_pt2(path); });
    return text.starts_with(path + ": ") ? text.substr(path.size() + 2) : text;
  }

  TempFolder folder_;
};

}  // namespace torquant
