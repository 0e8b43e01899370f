#include "torquant/io/zip_archive.h"

#include <gtest/gtest.h>

#include "tests/support/error_text.h"
#include "tests/support/temp_folder.h"
#include "tests/support/zip_file.h"

namespace torquant {
namespace {

using namespace zip_file;

class ZipArchiveTest : public testing::Test {
 protected:
  std::string path(const std::string& bytes) const { return folder_.write("x.zip", bytes); }
  // The message of opening and reading all members, without the path; "" when all went well.
  std::string error_of(const std::string& bytes) const {
    const std::string file = path(bytes);
    const std::string text = error_text([&] {
      const ZipArchive zip = ZipArchive::open(file);
      for (const std::string& name : zip.names()) zip.bytes(name);
    });
    return text.empty() ? "" : text.substr(file.size() + 2);
  }
  TempFolder folder_;
};

TEST_F(ZipArchiveTest, ReadsStoredAndDeflatedMembersBelowOneRoot) {
  const std::string text(5000, 'a');
  const ZipArchive zip = ZipArchive::open_below_root(
      path(zip_of({stored("root/a", "hello"), packed("root/b/c", text), stored("root/e", "")})));
  EXPECT_EQ(zip.names(), (std::vector<std::string>{"a", "b/c", "e"}));
  EXPECT_EQ(zip.bytes("a"), "hello");
  EXPECT_EQ(zip.bytes("b/c"), text);
  EXPECT_EQ(zip.size("b/c"), 5000u);
  EXPECT_EQ(zip.bytes("e"), "");
  EXPECT_FALSE(zip.contains("root/a"));
  EXPECT_NE(error_text([&] { zip.bytes("none"); }).find("has no member none"), std::string::npos);
}

TEST_F(ZipArchiveTest, TakesOnlyARootThatAllMembersShare) {
  using Names = std::vector<std::string>;
  const std::string shared = path(zip_of({stored("a/x", ""), stored("a/a/x", "")}));
  EXPECT_EQ(ZipArchive::open(shared).names(), (Names{"a/x", "a/a/x"}));
  EXPECT_EQ(ZipArchive::open_below_root(shared).names(), (Names{"x", "a/x"}));
  EXPECT_EQ(ZipArchive::open_below_root(path(zip_of({stored("a/x", ""), stored("b/x", "")}))).names(),
            (Names{"a/x", "b/x"}));
}

TEST_F(ZipArchiveTest, ReadsZip64AndComments) {
  Entry big = stored("r/big", "abc");
  big.zip64 = true;
  EXPECT_EQ(ZipArchive::open(path(zip_of({big, stored("r/b", "d")}, /*zip64_end=*/true))).bytes("r/big"), "abc");
  EXPECT_EQ(ZipArchive::open(path(zip_of({stored("r/a", "x")}, false, "a comment"))).bytes("r/a"), "x");
}

TEST_F(ZipArchiveTest, WritingToTheMappingLeavesTheFileAlone) {
  const std::string file = path(zip_of({stored("r/a", "hello")}));
  const ZipArchive zip = ZipArchive::open(file);
  const_cast<char*>(zip.bytes("r/a").data())[0] = 'J';
  EXPECT_EQ(ZipArchive::open(file).bytes("r/a"), "hello");
}

TEST_F(ZipArchiveTest, MappingOutlivesTheArchive) {
  std::shared_ptr<void> mapping;
  std::string_view bytes;
  {
    const ZipArchive zip = ZipArchive::open(path(zip_of({stored("r/a", "hello")})));
    bytes = zip.bytes("r/a");
    mapping = zip.mapping();
  }
  EXPECT_EQ(bytes, "hello");
}

TEST_F(ZipArchiveTest, TruncatedAtEveryLengthIsAnError) {
  const std::string good = zip_of({stored("root/a", "hello"), packed("root/b", std::string(300, 'x'))});
  for (size_t length = 0; length < good.size(); ++length) EXPECT_NE(error_of(good.substr(0, length)), "") << length;
  EXPECT_EQ(error_of(""), "not a zip archive: the file has 0 bytes");
  EXPECT_EQ(error_of("PK\3\4"), "not a zip archive: the file has 4 bytes");
  EXPECT_EQ(
      error_of(good.substr(0, 60)),
      "truncated: the zip directory at the end of the file is missing\n  to go on: copy or download the file again");
  EXPECT_EQ(error_of(std::string(100, 'x')), "not a zip archive");
}

TEST_F(ZipArchiveTest, FlippedBitsAreFoundOrHarmless) {
  const std::string good = zip_of({stored("root/a", "hello"), packed("root/b", std::string(300, 'x'))});
  const size_t data = good.find("hello");
  for (size_t byte = 0; byte < good.size(); ++byte) {
    for (int bit = 0; bit < 8; ++bit) {
      std::string bad = good;
      bad[byte] = static_cast<char>(bad[byte] ^ (1 << bit));
      const std::string error = error_of(bad);
      if (byte < data || byte >= data + 5) continue;
      EXPECT_NE(error.find("CRC-32"), std::string::npos) << byte;
    }
  }
}

TEST_F(ZipArchiveTest, NamesTheMemberThatIsDamaged) {
  Entry wrong = stored("root/a", "hello");
  wrong.crc = 1;
  EXPECT_EQ(error_of(zip_of({wrong})),
            "corrupted: member root/a has CRC-32 3610a686, the directory says 00000001\n  to go on: copy or download "
            "the file again");
  EXPECT_EQ(error_of(zip_of({stored("r/a", "1"), stored("r/a", "2")})), "corrupted: two members are named r/a");
  EXPECT_EQ(error_of(zip_of({})), "an empty zip archive");
  Entry encrypted = stored("r/a", "hello");
  encrypted.flags = 1;
  EXPECT_EQ(error_of(zip_of({encrypted})), "member r/a is encrypted");
  Entry lzma = stored("r/a", "hello");
  lzma.method = 14;
  EXPECT_EQ(error_of(zip_of({lzma})), "member r/a is packed by method 14\n  allowed here: 0 (stored) and 8 (deflate)");
  Entry short_by_one = stored("r/a", "hello");
  short_by_one.size = 6;
  EXPECT_EQ(error_of(zip_of({short_by_one})), "corrupted: member r/a has 6 bytes packed by method 0 in 5");
  Entry garbage = packed("r/a", std::string(100, 'x'));
  garbage.packed[0] = '\xff';
  EXPECT_EQ(error_of(zip_of({garbage})), "corrupted: member r/a cannot be unpacked");
  Entry longer = packed("r/a", std::string(100, 'x'));
  longer.size = 101;
  EXPECT_EQ(error_of(zip_of({longer})), "corrupted: member r/a cannot be unpacked");
}

TEST_F(ZipArchiveTest, RefusesNamesThatLeadOutOfTheArchive) {
  for (const std::string name : {"..", "../a", "r/../../a", "r/..", "/etc/passwd", "r\\a"}) {
    EXPECT_EQ(error_of(zip_of({stored(name, "x")})), "member \"" + name +
                                                         "\" has a name that leads out of the archive\n  allowed here: "
                                                         "relative paths without ..");
  }
  EXPECT_NE(error_of(zip_of({stored(std::string("a\0b", 3), "x")})), "");
  EXPECT_EQ(error_of(zip_of({stored("r/..a/b..", "x")})), "");
}

// Ten members that all are the one packed text, or parts of it.
TEST_F(ZipArchiveTest, RefusesMembersThatShareBytes) {
  std::string file = zip_of({packed("r/a", std::string(100'000, 'x')), stored("r/b", "hello")});
  const size_t second = file.find("PK\1\2", file.find("PK\1\2") + 4);
  const std::string first_entry = file.substr(file.find("PK\1\2"), second - file.find("PK\1\2"));
  std::string bomb = file;
  bomb.replace(second, first_entry.size(), first_entry);
  bomb[second + first_entry.size() - 1] = 'b';
  EXPECT_EQ(error_of(bomb), "corrupted: members r/a and r/b share bytes");
}

// A few bytes that claim to unpack to gigabytes are refused before memory is asked for.
TEST_F(ZipArchiveTest, DeflateBombsAreRefused) {
  Entry bomb = packed("r/a", std::string(100, 'x'));
  bomb.size = uint64_t{1} << 40;
  bomb.zip64 = true;
  EXPECT_EQ(error_of(zip_of({bomb}, true)).substr(0, 49), "corrupted: member r/a has 1099511627776 bytes pac");
  Entry past_end = stored("r/a", "hello");
  past_end.size = 0xfffffff0;
  past_end.zip64 = true;
  EXPECT_NE(error_of(zip_of({past_end}, true)), "");
}

}  // namespace
}  // namespace torquant
