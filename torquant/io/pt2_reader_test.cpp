// Which archives are read, and what is said of the others.
#include <gtest/gtest.h>

#include "tests/support/pt2_test.h"

namespace torquant {
namespace {

using Pt2Reader = Pt2Test;

TEST_F(Pt2Reader, OtherKindsOfArchivesAreNamed) {
  const auto zip = [&](std::vector<std::string> names) {
    std::vector<zip_file::Entry> entries;
    for (const std::string& name : names)
      entries.push_back(zip_file::stored("m/" + name, name == "m/archive_format" ? "pt2" : "0"));
    return error_of(folder_.write("other.pt2", zip_file::zip_of(entries)));
  };
  EXPECT_EQ(
      zip({"data.pkl", "constants.pkl", "code/__torch__.py"}),
      "is a TorchScript archive, not an exported program\n  allowed here: an archive of torch.export.save from PyTorch "
      "2.9 to 2.13\n  to go on: export the model with torch.export.export and torch.export.save");
  EXPECT_EQ(zip({"data.pkl", "version"}).substr(0, 71),
            "is a torch.save file (a state dict?), not an exported program\n  allowed");
  EXPECT_EQ(zip({"serialized_exported_program.json", "serialized_state_dict.pt"}).substr(0, 79),
            "is an exported program in the container that PyTorch up to 2.8 wrote\n  allowed ");
  EXPECT_EQ(zip({"readme.txt"}).substr(0, 70),
            "is a zip archive, but not of torch.export (it has no archive_format \"p");
  EXPECT_EQ(error_of(folder_.write("text.pt2", std::string(100, 'x'))), "not a zip archive");
  EXPECT_EQ(error_of(folder_.write("empty.pt2", "")), "not a zip archive: the file has 0 bytes");
  EXPECT_EQ(error_of(folder_.path("none.pt2")), "cannot be opened: No such file or directory");
  EXPECT_EQ(
      error_after([](Records& records) {
        std::erase_if(records, [](auto& record) { return record.first.starts_with("models/"); });
        records.emplace_back("data/aotinductor/model/model.so", "elf");
      }),
      "is an AOTInductor package: compiled code without a graph\n  allowed here: an archive of torch.export.save");
}

TEST_F(Pt2Reader, MissingAndForeignRecordsAreNamed) {
  const auto without = [&](const std::string& name) {
    return error_after(
        [&](Records& records) { std::erase_if(records, [&](auto& record) { return record.first == name; }); });
  };
  const auto with = [&](const std::string& name, const std::string& bytes) {
    return error_after([&](Records& records) {
      for (auto& record : records) {
        if (record.first == name) record.second = bytes;
      }
    });
  };
  EXPECT_EQ(without("models/model.json"),
            "holds no exported program (no models/*.json)\n  allowed here: an archive of torch.export.save");
  EXPECT_EQ(without("data/weights/model_weights_config.json"), "has no record data/weights/model_weights_config.json");
  EXPECT_EQ(without("data/constants/model_constants_config.json"),
            "has no record data/constants/model_constants_config.json");
  EXPECT_NE(without("data/weights/weight_0").find("has no member data/weights/weight_0"), std::string::npos);
  EXPECT_EQ(without("archive_version"), "has no archive_version\n  allowed here: 0");
  EXPECT_EQ(with("archive_version", "1"), "has archive_version 1\n  allowed here: 0");
  EXPECT_EQ(with("archive_format", "pt3").substr(0, 40), "is a zip archive, but not of torch.expor");
  EXPECT_EQ(with("byteorder", "big"), "has byte order \"big\"\n  allowed here: little");
  EXPECT_NE(with("models/model.json", "{").find("models/model.json: [json.exception.parse_error.101]"),
            std::string::npos);
  EXPECT_EQ(with("models/model.json", std::string(5000, '[')), "models/model.json: nested too deeply");
}

TEST_F(Pt2Reader, SeveralProgramsNeedAName) {
  Records records;
  const ZipArchive zip = ZipArchive::open_below_root(good());
  std::vector<zip_file::Entry> entries;
  for (const std::string& name : zip.names())
    entries.push_back(zip_file::stored("two/" + name, std::string(zip.bytes(name))));
  for (const std::string record :
       {"models/model.json", "data/weights/model_weights_config.json", "data/constants/model_constants_config.json"}) {
    std::string other = record;
    other.replace(other.find("model", record.starts_with("models") ? 7 : 0), 5, "other");
    entries.push_back(zip_file::stored("two/" + other, std::string(zip.bytes(record))));
  }
  const std::string path = folder_.write("two.pt2", zip_file::zip_of(entries));
  EXPECT_EQ(error_of(path),
            "holds several programs\n  allowed here: one of model, other\n  to go on: name one in C++: load_pt2(path, "
            "{.model_name = …})");
  EXPECT_EQ(load_pt2(path, {.model_name = "other"}).remainder().model_name, "other");
  EXPECT_NE(error_text([&] { load_pt2(path, {.model_name = "third"}); }).find("holds no program \"third\""),
            std::string::npos);
}

TEST_F(Pt2Reader, ANewerSchemaIsRefused) {
  EXPECT_EQ(error_after_model([](Json& model) {
              model["schema_version"] = {{"major", 9}, {"minor", 1}};
              model["torch_version"] = "3.0.0";
            }),
            "models/model.json: schema_version: 9.1 (written by PyTorch 3.0.0)\n  allowed here: 8.x");
  EXPECT_EQ(error_after_model([](Json& model) { model["schema_version"]["minor"] = 99; }), "");
  EXPECT_EQ(error_after_model([](Json& model) { model.erase("schema_version"); }).substr(0, 46),
            "models/model.json: \"schema_version\" is missing");
}

TEST_F(Pt2Reader, AnUnknownOperatorNamesOperatorNodeAndModule) {
  const auto rename = [](Json& model) { node(model, 0)["target"] = "torch.ops.mylib.fancy.default"; };
  EXPECT_EQ(
      error_after_model(rename),
      "fc (%linear, mylib.fancy.default): operator mylib.fancy.default is not known to this process\n  to go on: load "
      "the library that registers it, or update LibTorch");
  const Program program = load_pt2(folder_.path("bad.pt2"), {.allow_unknown_operators = true});
  EXPECT_EQ(program.graph().begin()->op().name(), "mylib.fancy.default");
}

}  // namespace
}  // namespace torquant
