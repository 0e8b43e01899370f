// The reader and writer of .pt2: round trips, and what is refused in which words.
#include "torquant/io/pt2.h"

#include <ATen/core/Tensor.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/ones.h>
#include <gtest/gtest.h>
#include <sys/resource.h>

#include <csignal>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iterator>
#include <nlohmann/json.hpp>
#include <random>

#include "tests/support/error_text.h"
#include "tests/support/temp_folder.h"
#include "tests/support/zip_file.h"
#include "torquant/graph/interpreter.h"
#include "torquant/graph/text.h"
#include "torquant/graph/verifier.h"
#include "torquant/io/zip_archive.h"

namespace torquant {
namespace {

using Json = nlohmann::json;

constexpr const char* kNet = R"(
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

std::string read_file(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

class Pt2Test : public testing::Test {
 protected:
  std::string saved(const Program& program, const std::string& name = "net.pt2") const {
    save_pt2(program, folder_.path(name));
    return folder_.path(name);
  }
  std::string good() const { return saved(parse_program(kNet)); }

  using Records = std::vector<std::pair<std::string, std::string>>;

  // The message of loading a copy of the good archive whose records `edit` changed; without the path.
  std::string error_after(const std::function<void(Records&)>& edit) const {
    Records records;
    const ZipArchive zip = ZipArchive::open_below_root(good());
    for (const std::string& name : zip.names()) records.emplace_back(name, zip.bytes(name));
    edit(records);
    std::vector<zip_file::Entry> entries;
    for (const auto& [name, bytes] : records) entries.push_back(zip_file::stored("bad/" + name, bytes));
    return error_of(folder_.write("bad.pt2", zip_file::zip_of(entries)));
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
  static std::string error_of(const std::string& path) {
    const std::string text = error_text([&] { load_pt2(path); });
    return text.starts_with(path + ": ") ? text.substr(path.size() + 2) : text;
  }

  // What a damaged archive may still be used for, when it loads: each step ends or throws Error. True for an error.
  static bool use(const std::string& path) {
    bool failed = false;
    const auto step = [&](const auto& call) { failed |= !error_text(call).empty(); };
    step([&] {
      const Program program = load_pt2(path, {.allow_unknown_operators = true});
      step([&] { verify(program); });
      step([&] { to_text(program); });
      step([&] {
        const at::NoGradGuard no_grad;
        Interpreter(program).run({at::ones({2, 3})});
      });
    });
    return failed;
  }

  TempFolder folder_;
};

Json& node(Json& model, size_t index) { return model["graph_module"]["graph"]["nodes"][index]; }

TEST_F(Pt2Test, RoundTripKeepsProgramTensorsAndRemainder) {
  Program program = parse_program(kNet);
  program.remainder().extra_files = {{"notes.txt", std::string("a\0b", 3)}};
  program.remainder().json["guards_code"] = "[\"x\"]";
  program.remainder().sample_inputs = "bytes";
  const Program read = load_pt2(saved(program));
  EXPECT_EQ(to_text(read), to_text(program));
  verify(read);
  EXPECT_EQ(read.remainder().extra_files, program.remainder().extra_files);
  EXPECT_EQ(read.remainder().json.at("guards_code"), "[\"x\"]");
  EXPECT_EQ(read.remainder().sample_inputs, "bytes");
  for (const StateTensor& entry : program.state()) {
    EXPECT_TRUE(read.find_state(entry.name)->equal(entry.tensor)) << entry.name;
    EXPECT_EQ(read.find_state(entry.name)->requires_grad(), entry.tensor.requires_grad()) << entry.name;
  }
  EXPECT_EQ(read.find_state("fc.weight")->data_ptr(), read.find_state("tied.weight")->data_ptr());
  const at::NoGradGuard no_grad;
  const at::Tensor x = at::ones({3, 3});
  EXPECT_TRUE(Interpreter(read).forward({x})[0].equal(Interpreter(program).forward({x})[0]));
}

TEST_F(Pt2Test, ASecondRoundTripWritesTheSameBytesOfText) {
  const std::string first = good();
  const Program program = load_pt2(first);
  const ZipArchive a = ZipArchive::open_below_root(first);
  const ZipArchive b = ZipArchive::open_below_root(saved(program, "second.pt2"));
  EXPECT_EQ(a.bytes("models/model.json"), b.bytes("models/model.json"));
}

TEST_F(Pt2Test, ManyDtypesAndStridesSurvive) {
  std::string text;
  for (const char* dtype :
       {"f16", "bf16", "f64", "i8", "u8", "i16", "u16", "i32", "u32", "u64", "b8", "f8e4m3fn", "f8e8m0fnu", "c64"}) {
    text += std::string("buffer %") + dtype + " : " + dtype + "[2, 3] = \"" + dtype + "\"\n";
  }
  text += "buffer %strided : f32[2, 3] strides [1, 2] = \"strided\"\nbuffer %empty : f32[0, 3] = \"empty\"\nreturn\n";
  const Program program = parse_program(text);
  EXPECT_EQ(to_text(load_pt2(saved(program))), to_text(program));
}

TEST_F(Pt2Test, WeightsAreMappedNotTheFile) {
  const std::string path = good();
  const std::string before = read_file(path);
  const Program program = load_pt2(path);
  const at::NoGradGuard no_grad;
  program.find_state("fc.weight")->fill_(7);
  EXPECT_EQ(read_file(path), before);
  std::filesystem::remove(path);
  EXPECT_EQ(program.find_state("fc.weight")->sum().item<float>(), 84);
}

// ---- archives of other kinds

TEST_F(Pt2Test, OtherKindsOfArchivesAreNamed) {
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

TEST_F(Pt2Test, MissingAndForeignRecordsAreNamed) {
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

TEST_F(Pt2Test, SeveralProgramsNeedAName) {
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
  EXPECT_EQ(error_of(path), "holds several programs\n  allowed here: one of model, other");
  EXPECT_EQ(load_pt2(path, {.model_name = "other"}).remainder().model_name, "other");
  EXPECT_NE(error_text([&] { load_pt2(path, {.model_name = "third"}); }).find("holds no program \"third\""),
            std::string::npos);
}

// ---- the program

TEST_F(Pt2Test, ANewerSchemaIsRefused) {
  EXPECT_EQ(error_after_model([](Json& model) {
              model["schema_version"] = {{"major", 9}, {"minor", 1}};
              model["torch_version"] = "3.0.0";
            }),
            "models/model.json: schema_version: 9.1 (written by PyTorch 3.0.0)\n  allowed here: 8.x");
  EXPECT_EQ(error_after_model([](Json& model) { model["schema_version"]["minor"] = 99; }), "");
  EXPECT_EQ(error_after_model([](Json& model) { model.erase("schema_version"); }).substr(0, 46),
            "models/model.json: \"schema_version\" is missing");
}

TEST_F(Pt2Test, AnUnknownOperatorNamesOperatorNodeAndModule) {
  const auto rename = [](Json& model) { node(model, 0)["target"] = "torch.ops.mylib.fancy.default"; };
  EXPECT_EQ(
      error_after_model(rename),
      "fc (%linear, mylib.fancy.default): operator mylib.fancy.default is not known to this process\n  to go on: load "
      "the library that registers it, or update LibTorch");
  const Program program = load_pt2(folder_.path("bad.pt2"), {.allow_unknown_operators = true});
  EXPECT_EQ(program.graph().begin()->op().name(), "mylib.fancy.default");
}

TEST_F(Pt2Test, BrokenGraphsNameTheNode) {
  EXPECT_EQ(error_after_model([](Json& model) { node(model, 0)["inputs"][0]["arg"]["as_tensor"]["name"] = "ghost"; }),
            "models/model.json: node %linear (torch.ops.aten.linear.default): %ghost: is read before it is defined");
  EXPECT_EQ(error_after_model([](Json& model) { node(model, 0)["inputs"][0]["arg"] = {{"as_what", 1}}; }),
            "models/model.json: node %linear (torch.ops.aten.linear.default): unknown or unsupported argument kind "
            "\"as_what\"");
  EXPECT_EQ(error_after_model([](Json& model) { node(model, 0)["outputs"][0]["as_tensor"]["name"] = "x"; }),
            "models/model.json: node %linear (torch.ops.aten.linear.default): graph: two values are named %x");
  EXPECT_NE(error_after_model([](Json& model) {
              model["graph_module"]["graph"]["tensor_values"].erase("linear");
            }).find("%linear: tensor_values has no entry for it"),
            std::string::npos);
  EXPECT_NE(error_after_model([](Json& model) {
              model["graph_module"]["graph"]["nodes"][0].erase("target");
            }).find("\"target\" is missing"),
            std::string::npos);
  EXPECT_NE(error_after_model([](Json& model) { model["graph_module"]["graph"]["nodes"] = 3; }), "");
  EXPECT_NE(error_after_model([](Json& model) {
              std::swap(node(model, 0), node(model, 2));
            }).find("is read before it is defined"),
            std::string::npos);
}

TEST_F(Pt2Test, SizesOutOfBoundsAreRefused) {
  const auto with_size = [&](const Json& size) {
    return error_after_model(
        [&](Json& model) { model["graph_module"]["graph"]["tensor_values"]["linear"]["sizes"][1] = size; });
  };
  EXPECT_NE(with_size({{"as_int", -4}}).find("size -4 is negative"), std::string::npos);
  EXPECT_NE(with_size({{"as_int", 18446744073709551615ULL}}).find("integer 18446744073709551615 does not fit 64 bits"),
            std::string::npos);
  EXPECT_NE(with_size({{"as_int", 1.5}}).find("expected an integer, found 1.5"), std::string::npos);
  EXPECT_NE(with_size({{"as_expr", {{"expr_str", "Add("}, {"hint", nullptr}}}}).find("symbolic expression"),
            std::string::npos);
}

TEST_F(Pt2Test, ASignatureThatDoesNotFitIsRefused) {
  EXPECT_EQ(error_after_model([](Json& model) { model["graph_module"]["signature"]["input_specs"].erase(0); }),
            "models/model.json: signature: 5 input specs for a graph of 6 inputs");
  EXPECT_NE(error_after_model([](Json& model) {
              model["graph_module"]["signature"]["output_specs"].erase(0);
            }).find("2 output specs for a graph of 3 outputs"),
            std::string::npos);
  EXPECT_NE(error_after_model([](Json& model) {
              model["graph_module"]["signature"]["input_specs"][5] = {{"token", {{"arg", {{"name", "t"}}}}}};
            }).find("inputs of kind \"token\" are not supported"),
            std::string::npos);
}

// ---- the weights

TEST_F(Pt2Test, WeightsAndGraphMustAgree) {
  EXPECT_EQ(error_after_weights([](Json& config) { config.erase("count"); }),
            "count: the signature names this tensor, but the archive does not hold it");
  EXPECT_EQ(error_after_weights([](Json& config) { config["fc.weight"]["tensor_meta"]["dtype"] = 4; }),
            "fc.weight: is Int[4, 3] in the weights and Float[4, 3] in the graph");
  EXPECT_EQ(error_after_weights([](Json& config) { config["fc.weight"]["tensor_meta"]["sizes"][0] = {{"as_int", 2}}; }),
            "fc.weight: is Float[2, 3] in the weights and Float[4, 3] in the graph");
}

TEST_F(Pt2Test, ViewsOutsideTheStorageAreRefused) {
  const auto with_meta = [&](const char* key, const Json& value) {
    return error_after_weights([&](Json& config) { config["fc.weight"]["tensor_meta"][key] = value; });
  };
  const std::string where = "data/weights/model_weights_config.json: fc.weight: data/weights/weight_0: ";
  const Json huge = {{{"as_int", int64_t{1} << 62}}, {{"as_int", int64_t{1} << 62}}};
  EXPECT_EQ(with_meta("sizes", huge), where + "sizes [4611686018427387904, 4611686018427387904] overflow");
  EXPECT_EQ(
      with_meta("sizes", Json{{{"as_int", 5}}, {{"as_int", 3}}}),
      where + "a Float tensor of sizes [5, 3], strides [3, 1], offset 0 needs 15 elements, the record has 48 bytes");
  EXPECT_EQ(
      with_meta("storage_offset", {{"as_int", 1}}),
      where + "a Float tensor of sizes [4, 3], strides [3, 1], offset 1 needs 13 elements, the record has 48 bytes");
  EXPECT_EQ(with_meta("storage_offset", {{"as_int", INT64_MAX}}).substr(0, where.size()), where);
  EXPECT_EQ(with_meta("storage_offset", {{"as_int", -1}}),
            where + "storage offset -1 of a stored tensor\n  allowed here: whole numbers from 0");
  EXPECT_EQ(with_meta("strides", Json{{{"as_int", -3}}, {{"as_int", 1}}}),
            where + "stride -3 of a stored tensor\n  allowed here: whole numbers from 0");
  EXPECT_NE(with_meta("dtype", 99).find("unknown dtype code 99"), std::string::npos);
  EXPECT_NE(with_meta("layout", 1).find("a sparse tensor\n  allowed here: dense tensors"), std::string::npos);
  EXPECT_NE(with_meta("device", {{"type", "toaster"}, {"index", nullptr}}).find("unknown device \"toaster\""),
            std::string::npos);
}

TEST_F(Pt2Test, PickledPayloadsAreRefused) {
  EXPECT_EQ(
      error_after_weights([](Json& config) { config["fc.weight"]["use_pickle"] = true; }),
      "data/weights/model_weights_config.json: fc.weight: data/weights/weight_0: is a pickled Python object (a tensor "
      "subclass)\n  allowed here: plain tensors\n  to go on: call torchao.utils.unwrap_tensor_subclass(model) before "
      "torch.export.export");
}

// ---- damage

TEST_F(Pt2Test, TruncatedAnywhereIsAnError) {
  const std::string bytes = read_file(good());
  for (size_t length = 0; length < bytes.size(); length += 1 + bytes.size() / 400) {
    EXPECT_NE(error_of(folder_.write("cut.pt2", bytes.substr(0, length))), "") << length;
  }
}

TEST_F(Pt2Test, ADamagedTensorIsFound) {
  std::string bytes = read_file(good());
  const at::Tensor weight = *parse_program(kNet).find_state("fc.weight");
  const size_t at = bytes.find(std::string(static_cast<const char*>(weight.const_data_ptr()), 48));
  ASSERT_NE(at, std::string::npos);
  bytes[at + 20] ^= 4;
  EXPECT_NE(error_of(folder_.write("bad.pt2", bytes)).find("corrupted: member data/weights/weight_0 has CRC-32"),
            std::string::npos);
}

// Whatever the bytes, the answer is a program or an Error: bytes of the file, and of the texts inside with a right CRC.
TEST_F(Pt2Test, RandomDamageNeverCrashes) {
  const std::string bytes = read_file(good());
  std::mt19937 random(1);
  int errors = 0;
  for (int round = 0; round < 1500; ++round) {
    std::string bad = bytes;
    for (int flips = 0; flips < 1 + round % 4; ++flips) bad[random() % bad.size()] = static_cast<char>(random());
    errors += static_cast<int>(use(folder_.write("bad.pt2", bad)));
  }
  EXPECT_GT(errors, 500);
}

TEST_F(Pt2Test, RandomDamageOfTheTextsNeverCrashes) {
  Records records;
  const ZipArchive zip = ZipArchive::open_below_root(good());
  for (const std::string& name : zip.names()) records.emplace_back(name, zip.bytes(name));
  std::mt19937 random(2);
  constexpr std::string_view kLetters = "0123456789-{}[]\":,.eE_ truefalsnux";
  int errors = 0;
  for (int round = 0; round < 1500; ++round) {
    std::vector<zip_file::Entry> entries;
    for (const auto& [name, bytes] : records) {
      std::string changed = bytes;
      if (name.ends_with(".json") && changed.size() > 2) {
        for (int edits = 0; edits < 1 + round % 3; ++edits)
          changed[random() % changed.size()] = kLetters[random() % kLetters.size()];
      }
      entries.push_back(zip_file::stored("bad/" + name, changed));
    }
    errors += static_cast<int>(use(folder_.write("bad.pt2", zip_file::zip_of(entries))));
  }
  EXPECT_GT(errors, 500);
}

// ---- writing

TEST_F(Pt2Test, APathThatCannotBeWrittenIsAnErrorThatNamesIt) {
  const Program program = parse_program(kNet);
  const auto error = [&](const std::string& path) { return error_text([&] { save_pt2(program, path); }); };
  EXPECT_EQ(error(folder_.path("none/x.pt2")), folder_.path("none/x.pt2") +
                                                   ": cannot create the file: No such file or directory\n  to go on: "
                                                   "give a path in an existing folder that you may write to");
  std::filesystem::create_directory(folder_.path("folder.pt2"));
  EXPECT_EQ(error(folder_.path("folder.pt2")),
            folder_.path("folder.pt2") +
                ": cannot rename the file: Is a directory\n  to go on: a file that was there before is unchanged");
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(folder_.path()), {}), 1);
}

// A file size limit stands in for a full disk: the system refuses the write in the same way.
TEST_F(Pt2Test, AFullDiskLeavesTheOldFileIntact) {
  const std::string path = folder_.write("net.pt2", "old");
  const Program program = parse_program("buffer %b : f32[100000] = \"b\"\nreturn");
  rlimit old_limit{};
  getrlimit(RLIMIT_FSIZE, &old_limit);
  const auto old_handler = std::signal(SIGXFSZ, SIG_IGN);
  for (const rlim_t bytes : {0, 10, 1000, 100000, 400000}) {
    const rlimit limit{bytes, old_limit.rlim_max};
    setrlimit(RLIMIT_FSIZE, &limit);
    const std::string error = error_text([&] { save_pt2(program, path); });
    setrlimit(RLIMIT_FSIZE, &old_limit);
    EXPECT_EQ(error,
              path + ": cannot write the file: File too large\n  to go on: a file that was there before is unchanged")
        << bytes;
    EXPECT_EQ(read_file(path), "old");
    EXPECT_EQ(std::distance(std::filesystem::directory_iterator(folder_.path()), {}), 1);
  }
  std::signal(SIGXFSZ, old_handler);
  save_pt2(program, path);
  EXPECT_EQ(load_pt2(path).state().size(), 1u);
}

}  // namespace
}  // namespace torquant
