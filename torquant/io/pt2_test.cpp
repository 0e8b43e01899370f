#include "torquant/io/pt2.h"

#include <ATen/core/Tensor.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/ones.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "tests/support/file_size_limit.h"
#include "tests/support/pt2_test.h"
#include "torquant/graph/interpreter.h"
#include "torquant/graph/verifier.h"

namespace torquant {
namespace {

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

TEST_F(Pt2Test, APathThatCannotBeWrittenIsAnErrorThatNamesIt) {
  const Program program = parse_program(kNet);
  const auto error = [&](const std::string& path) { return error_text([&] { save_pt2(program, path); }); };
  EXPECT_EQ(error(folder_.path("none/x.pt2")),
            folder_.path("none/x.pt2") + ": cannot be written: folder " + folder_.path("none") +
                ": No such file or directory\n  to go on: give a path in an existing folder that you may write to");
  std::filesystem::create_directory(folder_.path("folder.pt2"));
  EXPECT_EQ(error(folder_.path("folder.pt2")),
            folder_.path("folder.pt2") + ": cannot be written: it is a folder\n  to go on: give the path of a file");
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(folder_.path()), {}), 1);
}

// A file size limit stands in for a full disk: the system refuses the write in the same way.
TEST_F(Pt2Test, AFullDiskLeavesTheOldFileIntact) {
  const std::string path = folder_.write("net.pt2", "old");
  const Program program = parse_program("buffer %b : f32[100000] = \"b\"\nreturn");
  for (const rlim_t bytes : {0, 10, 1000, 100000, 400000}) {
    const std::string error = error_text([&] {
      const FileSizeLimit limit(bytes);
      save_pt2(program, path);
    });
    EXPECT_EQ(error,
              path + ": cannot write the file: File too large\n  to go on: a file that was there before is unchanged")
        << bytes;
    EXPECT_EQ(read_file(path), "old");
    EXPECT_EQ(std::distance(std::filesystem::directory_iterator(folder_.path()), {}), 1);
  }
  save_pt2(program, path);
  EXPECT_EQ(load_pt2(path).state().size(), 1u);
}

}  // namespace
}  // namespace torquant
