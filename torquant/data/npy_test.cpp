#include "torquant/data/npy.h"

#include <ATen/ops/arange.h>
#include <gtest/gtest.h>

#include <fstream>
#include <string>

#include "tests/support/error_text.h"
#include "tests/support/temp_folder.h"

namespace torquant {
namespace {

using namespace std::string_literals;

// Made by NumPy: tests/data/numpy/make.py says what each file holds.
std::string numpy(const std::string& name) { return TORQUANT_TEST_DATA "/numpy/" + name; }

at::Tensor counting() { return at::arange(12, at::kFloat).reshape({3, 4}).div(4); }

std::string bytes_of(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

// A float32 file of format 1.0 with this header and 48 bytes of values.
std::string with_header(const std::string& header) {
  return "\x93NUMPY\x01\x00"s + static_cast<char>(header.size()) + '\0' + header + std::string(48, '\0');
}

void expect_array(const std::string& name, const at::Tensor& expected) {
  const at::Tensor array = read_npy(numpy(name));
  EXPECT_EQ(array.scalar_type(), expected.scalar_type()) << name;
  EXPECT_TRUE(array.is_contiguous()) << name;
  EXPECT_TRUE(array.equal(expected)) << name;
}

TEST(Npy, ReadsWhatNumPyWrites) {
  expect_array("float32.npy", counting());
  expect_array("float32_version2.npy", counting());
  expect_array("float16.npy", counting().to(at::kHalf));
  expect_array("float64.npy", counting().to(at::kDouble));
  expect_array("bool.npy", counting().gt(1));
  expect_array("int64.npy", at::arange(2).mul((int64_t{1} << 40) + 3).sub(3));  // -3 and 2^40
  expect_array("uint8.npy", at::arange(2, at::kByte).mul(255));
  expect_array("float32_fortran.npy", at::arange(24, at::kFloat).reshape({2, 3, 4}));
  expect_array("float32_scalar.npy", at::arange(1, at::kFloat).add(2.5).reshape({}));
}

TEST(Npy, RefusesOtherDTypes) {
  const std::string known = "'\n  allowed here: |b1, |u1, |i1, <i2, <i4, <i8, <f2, <f4, <f8";
  EXPECT_EQ(error_text([] { read_npy(numpy("uint16.npy")); }),
            numpy("uint16.npy") + ": holds values of dtype '<u2" + known);
  EXPECT_EQ(error_text([] { read_npy(numpy("float32_big_endian.npy")); }),
            numpy("float32_big_endian.npy") + ": holds values of dtype '>f4" + known);
  EXPECT_NE(error_text([] { read_npy(numpy("record.npy")); }).find("header \"{'descr': [('a', '<f4')]"),
            std::string::npos);
}

TEST(Npy, RefusesEveryTruncation) {
  const TempFolder folder;
  const std::string whole = bytes_of(numpy("float32.npy"));
  for (size_t length = 0; length < whole.size(); ++length) {
    const std::string cut = folder.write("cut.npy", whole.substr(0, length));
    EXPECT_NE(error_text([&] { read_npy(cut); }), "") << length << " bytes";
  }
  const std::string values = folder.write("values.npy", whole.substr(0, whole.size() - 4));
  EXPECT_EQ(error_text([&] { read_npy(values); }), values + ": 44 bytes of values, shape [3, 4] of Float needs 48");
  const std::string longer = folder.write("longer.npy", whole + "1234");
  EXPECT_EQ(error_text([&] { read_npy(longer); }), longer + ": 52 bytes of values, shape [3, 4] of Float needs 48");
  const std::string header = folder.write("header.npy", whole.substr(0, 60));
  EXPECT_EQ(error_text([&] { read_npy(header); }), header + ": ends within its header of 118 bytes");
}

TEST(Npy, RefusesMoreAxesThanNumPyHas) {
  const TempFolder folder;
  std::string axes;
  for (int axis = 0; axis < 65; ++axis) axes += "1,";
  const std::string path =
      folder.write("axes.npy", with_header("{'descr': '<f4', 'fortran_order': False, 'shape': (" + axes + "), }"));
  EXPECT_EQ(error_text([&] { read_npy(path); }), path + ": an array of 65 axes\n  allowed here: 64");
}

TEST(Npy, RefusesMalformedHeaders) {
  const TempFolder folder;
  for (const char* header : {"", "{}", "{'descr': '<f4'}", "{'descr': '<f4, 'fortran_order': False, 'shape': (3, 4), }",
                             "{'descr': '<f4', 'fortran_order': Maybe, 'shape': (3, 4), }",
                             "{'descr': '<f4', 'fortran_order': False, 'shape': (3, -4), }",
                             "{'descr': '<f4', 'fortran_order': False, 'shape': (3, 99999999999999999999), }",
                             "{'descr': '<f4', 'fortran_order': False, 'shape': (3 4), }",
                             "{'descr': '<f4', 'fortran_order': False, 'shape': (3, 4), } more"}) {
    const std::string path = folder.write("malformed.npy", with_header(header));
    EXPECT_EQ(error_text([&] { read_npy(path); }),
              path + ": header \"" + header +
                  "\"\n  allowed here: {'descr': '<f4', 'fortran_order': False, 'shape': (3, 4), }");
  }
  const std::string good = folder.write("good.npy", with_header("{'descr':'<f4','fortran_order':False,'shape':(3,4)}"));
  EXPECT_EQ(read_npy(good).sizes(), at::IntArrayRef({3, 4}));
  const std::string overflow = folder.write(
      "overflow.npy", with_header("{'descr': '<f4', 'fortran_order': False, 'shape': (4294967296, 4294967296), }"));
  EXPECT_EQ(error_text([&] { read_npy(overflow); }),
            overflow + ": shape (4294967296, 4294967296, …) overflows 64 bits");
  const std::string nothing = folder.write(
      "nothing.npy", with_header("{'descr': '<f4', 'fortran_order': False, 'shape': (0, 4294967296, 4294967296), }"));
  EXPECT_EQ(error_text([&] { read_npy(nothing); }),
            nothing + ": shape (0, 4294967296, 4294967296, …) overflows 64 bits");
  const std::string huge =
      folder.write("huge.npy", with_header("{'descr': '<f4', 'fortran_order': False, 'shape': (1000000000000,), }"));
  EXPECT_EQ(error_text([&] { read_npy(huge); }),
            huge + ": 48 bytes of values, shape [1000000000000] of Float needs 4000000000000");
}

TEST(Npy, RefusesOtherKindsOfFiles) {
  const TempFolder folder;
  const std::string none = folder.write("none.npy", "PK\3\4 not an array");
  EXPECT_EQ(error_text([&] { read_npy(none); }), none + ": not a NumPy array\n  allowed here: \\x93NUMPY at the start");
  const std::string version = folder.write("version.npy", "\x93NUMPY\x04\x00\x00\x00"s);
  EXPECT_EQ(error_text([&] { read_npy(version); }), version + ": NumPy format 4.0\n  allowed here: 1.0 to 3.0");
  const std::string header = folder.write("long.npy", "\x93NUMPY\x02\x00\xff\xff\xff\xff"s);
  EXPECT_EQ(error_text([&] { read_npy(header); }), header + ": ends within its header of 4294967295 bytes");
  EXPECT_EQ(error_text([] { read_npy("nowhere.npy"); }), "nowhere.npy: cannot be opened: No such file or directory");
}

}  // namespace
}  // namespace torquant
