#include "torquant/io/safetensors.h"

#include <ATen/ops/arange.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/scalar_tensor.h>
#include <ATen/ops/zeros.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "tests/support/temp_folder.h"
#include "torquant/core/error.h"

namespace torquant {
namespace {

namespace fs = std::filesystem;

class SafetensorsTest : public testing::Test {
 protected:
  void write(const std::string& header, size_t data_bytes, std::optional<uint64_t> claimed = {}) {
    std::ofstream file(path_, std::ios::binary);
    const uint64_t length = claimed.value_or(header.size());
    file.write(reinterpret_cast<const char*>(&length), 8);
    file << header << std::string(data_bytes, '\0');
  }

  std::string error_of_open() {
    try {
      SafetensorsFile::open(path_);
    } catch (const Error& error) {
      EXPECT_NE(error.where().find(path_), std::string::npos) << error.what();
      return error.what();
    }
    return "no error";
  }

  void expect_refused(const std::string& header, size_t data_bytes, const std::string& message) {
    write(header, data_bytes);
    EXPECT_NE(error_of_open().find(message), std::string::npos) << error_of_open();
  }

  const TempFolder folder_;
  const std::string path_ = folder_.path("x.safetensors");
};

TEST_F(SafetensorsTest, ReadsBackWhatWasWritten) {
  const at::Tensor codes = at::arange(-3, 4, at::kChar);
  const at::Tensor weight = at::arange(6, at::kFloat).reshape({2, 3});
  const at::Tensor scalar = at::scalar_tensor(2.5, at::kDouble);
  const at::Tensor nothing = at::empty({0, 8}, at::kBFloat16);
  save_safetensors(path_, {{"codes", codes}, {"weight.t", weight.t()}, {"s", scalar}, {"nothing", nothing}},
                   {{"format", "pt"}});

  const SafetensorsFile file = SafetensorsFile::open(path_);

  EXPECT_EQ(file.names(), (std::vector<std::string>{"codes", "weight.t", "s", "nothing"}));
  EXPECT_EQ(file.metadata(), (std::map<std::string, std::string>{{"format", "pt"}}));
  EXPECT_TRUE(file.tensor("codes").equal(codes));
  EXPECT_TRUE(file.tensor("weight.t").equal(weight.t()));
  EXPECT_TRUE(file.tensor("s").equal(scalar));
  EXPECT_EQ(file.tensor("s").dim(), 0);
  EXPECT_EQ(file.tensor("nothing").sizes(), nothing.sizes());
  EXPECT_EQ(file.tensor("nothing").scalar_type(), at::kBFloat16);
  EXPECT_TRUE(file.contains("s"));
  EXPECT_FALSE(file.contains("t"));
}

TEST_F(SafetensorsTest, AnyByteButZeroIsTrue) {
  const std::string header = R"({"mask":{"dtype":"BOOL","shape":[3],"data_offsets":[0,3]}})";
  write(header, 3);
  std::fstream file(path_, std::ios::binary | std::ios::in | std::ios::out);
  file.seekp(static_cast<std::streamoff>(8 + header.size()));
  file << "\x01" << "\x02";
  file.close();
  const at::Tensor mask = SafetensorsFile::open(path_).tensor("mask");
  EXPECT_EQ(mask.scalar_type(), at::kBool);
  EXPECT_EQ(mask.sum().item<int64_t>(), 2);
}

TEST_F(SafetensorsTest, TensorsAreAlignedAndOutliveTheFile) {
  save_safetensors(path_, {{"a", at::ones({3}, at::kChar)}, {"b", at::ones({3}, at::kDouble)}});
  const at::Tensor b = SafetensorsFile::open(path_).tensor("b");
  fs::remove(path_);
  EXPECT_EQ(reinterpret_cast<uintptr_t>(b.const_data_ptr()) % 64, 0u);
  EXPECT_TRUE(b.equal(at::ones({3}, at::kDouble)));
}

TEST_F(SafetensorsTest, WritingToATensorDoesNotChangeTheFile) {
  save_safetensors(path_, {{"a", at::ones({3})}});
  SafetensorsFile::open(path_).tensor("a").zero_();
  EXPECT_TRUE(SafetensorsFile::open(path_).tensor("a").equal(at::ones({3})));
}

TEST_F(SafetensorsTest, ReadsMisalignedTensors) {
  write(R"({"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},"b":{"dtype":"F32","shape":[2],"data_offsets":[1,9]}})",
        9);
  EXPECT_TRUE(SafetensorsFile::open(path_).tensor("b").equal(at::zeros({2})));
}

TEST_F(SafetensorsTest, RefusesDamagedFiles) {
  EXPECT_NE(error_of_open().find("cannot be opened: No such file"), std::string::npos);
  std::ofstream(path_) << "";
  EXPECT_NE(error_of_open().find("has 0 bytes, too few"), std::string::npos);
  std::ofstream(path_) << "abc";
  EXPECT_NE(error_of_open().find("has 3 bytes, too few"), std::string::npos);
  write("{}", 0, 1000);
  EXPECT_NE(error_of_open().find("asks for a header of 1000 bytes, the file has 10"), std::string::npos);
  write("{}", 0, UINT64_MAX);
  EXPECT_NE(error_of_open().find("asks for a header of 18446744073709551615 bytes"), std::string::npos);
  expect_refused("{\"a\"", 0, "the header is no JSON");
  expect_refused("[]", 0, "the header is no JSON object");
  const std::string deep = std::string(100'000, '[') + std::string(100'000, ']');
  expect_refused(R"({"w":{"dtype":"F32","data_offsets":[0,0],"shape":)" + deep + "}}", 0,
                 "the header is nested too deeply");
  expect_refused("{}", 4, "the tensors end at byte 0, the file has 4");
  expect_refused(R"({"__metadata__":{"a":1}})", 0, "__metadata__.a is no string");
  expect_refused(R"({"__metadata__":[]})", 0, "__metadata__ is no object");
}

TEST_F(SafetensorsTest, RefusesDamagedEntriesNamingTheTensor) {
  const auto refused = [&](const std::string& entry, size_t bytes, const std::string& message) {
    expect_refused("{\"w\":" + entry + "}", bytes, "tensor \"w\": " + message);
  };
  refused("3", 0, "no dtype");
  refused(R"({"dtype":"F32"})", 0, "no shape");
  refused(R"({"dtype":"F32","shape":[1]})", 0, "no data_offsets");
  refused(R"({"dtype":1,"shape":[1],"data_offsets":[0,4]})", 4, "dtype is no string");
  refused(R"({"dtype":"F33","shape":[1],"data_offsets":[0,4]})", 4, "dtype F33 is unknown");
  refused(R"({"dtype":"F32","shape":1,"data_offsets":[0,4]})", 4, "shape is no list");
  refused(R"({"dtype":"F32","shape":[-1],"data_offsets":[0,4]})", 4, "shape holds -1");
  refused(R"({"dtype":"F32","shape":[1.5],"data_offsets":[0,4]})", 4, "shape holds 1.5");
  refused(R"({"dtype":"F32","shape":[4294967296,4294967296],"data_offsets":[0,4]})", 4,
          "shape [4294967296,4294967296]");
  refused(R"({"dtype":"F32","shape":[0,9223372036854775807],"data_offsets":[0,0]})", 0,
          "shape [0,9223372036854775807]");
  refused(R"({"dtype":"F32","shape":[1],"data_offsets":[0]})", 4, "data_offsets is no list of two");
  refused(R"({"dtype":"F32","shape":[1],"data_offsets":[4,0]})", 4, "data_offsets [4, 0] are outside the file");
  refused(R"({"dtype":"F32","shape":[2],"data_offsets":[0,8]})", 4, "data_offsets [0, 8] are outside the file");
  refused(R"({"dtype":"F32","shape":[2],"data_offsets":[0,4]})", 4, "data_offsets span 4 bytes, dtype F32");
  refused(R"({"dtype":"F32","shape":[1],"data_offsets":[4,8]})", 8,
          "starts at byte 4 where the one before it ends at 0");
}

TEST_F(SafetensorsTest, RefusesDuplicatesAndOverlaps) {
  const std::string f32 = R"({"dtype":"F32","shape":[1],"data_offsets":[0,4]})";
  expect_refused("{\"a\":" + f32 + ",\"a\":" + f32 + "}", 4, "\"a\" occurs twice");
  expect_refused("{\"a\":" + f32 + ",\"b\":" + f32 + "}", 4, "tensor \"b\": starts at byte 0");
}

TEST_F(SafetensorsTest, RefusesToWriteWhatTheFormatCannotHold) {
  const auto error_of_save = [&](const std::string& name, const at::Tensor& tensor) -> std::string {
    try {
      save_safetensors(path_, {{"a", at::ones({1})}, {name, tensor}});
    } catch (const Error& error) {
      return error.what();
    }
    return "no error";
  };
  EXPECT_NE(error_of_save("a", at::ones({1})).find("the name is given twice"), std::string::npos);
  EXPECT_NE(error_of_save("__metadata__", at::ones({1})).find("reserved"), std::string::npos);
  EXPECT_NE(error_of_save("b", at::Tensor()).find("tensor \"b\": is undefined"), std::string::npos);
  EXPECT_NE(error_of_save("b", at::ones({1}, at::kComplexDouble)).find("has no place in the format"),
            std::string::npos);
  EXPECT_FALSE(fs::exists(path_));
}

TEST_F(SafetensorsTest, NamesTheTensorThatIsMissing) {
  save_safetensors(path_, {{"a", at::ones({1})}});
  try {
    SafetensorsFile::open(path_).tensor("b");
    FAIL() << "no error";
  } catch (const Error& error) {
    EXPECT_EQ(error.reason(), "no tensor \"b\"");
    EXPECT_EQ(error.allowed(), "a");
  }
}

}  // namespace
}  // namespace torquant
