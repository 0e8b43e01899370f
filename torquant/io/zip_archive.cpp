#include "torquant/io/zip_archive.h"

#include <fmt/format.h>
#include <zlib.h>

#include <algorithm>
#include <cstring>
#include <optional>
#include <unordered_map>

#include "torquant/core/error.h"
#include "torquant/io/deflate.h"
#include "torquant/io/mapped_file.h"

namespace torquant {
namespace {

// APPNOTE.TXT 6.3 (PKWARE): record signatures and fixed sizes.
constexpr uint32_t kLocalHeader = 0x04034b50;
constexpr uint32_t kDirectoryEntry = 0x02014b50;
constexpr uint32_t kEndOfDirectory = 0x06054b50;
constexpr uint32_t kEndOfDirectory64 = 0x06064b50;
constexpr uint32_t kEndOfDirectory64Locator = 0x07064b50;
constexpr size_t kLocalHeaderSize = 30;
constexpr size_t kDirectoryEntrySize = 46;
constexpr size_t kEndOfDirectorySize = 22;
constexpr size_t kEndOfDirectory64Size = 56;
constexpr size_t kLocatorSize = 20;
constexpr uint32_t kIn64BitField = 0xffffffff;  // the real value stands in the zip64 extra field

constexpr const char* kCopyAgain = "copy or download the file again";

constexpr uint64_t kStored = 0;
constexpr uint64_t kDeflated = 8;
constexpr uint64_t kEncryptedFlag = 1;

// We never unpack members to files, but those we carry along end in archives of ours, which others may unpack.
bool leads_elsewhere(std::string_view name) {
  const bool has_up =
      name == ".." || name.starts_with("../") || name.ends_with("/..") || name.find("/../") != name.npos;
  return has_up || name.starts_with('/') || name.find('\\') != name.npos || name.find('\0') != name.npos;
}

struct Member {
  uint64_t offset = 0;  // of the data, from the start of the file
  uint64_t packed = 0;  // bytes in the file
  uint64_t size = 0;    // bytes unpacked
  uint64_t method = kStored;
  uint32_t crc = 0;
  bool checked = false;
  std::optional<std::string> unpacked = {};  // of a deflated member, once it was read
};

}  // namespace

struct ZipArchive::State {
  explicit State(const std::string& file_path) : path(file_path), mapping(path), file(mapping.bytes()) {}

  std::string path;
  MappedFile mapping;
  std::string_view file;
  std::vector<std::string> names = {};
  std::unordered_map<std::string, Member> members = {};

  [[noreturn]] void fail(const std::string& what, const std::string& allowed = "", const std::string& hint = "") const {
    throw Error({.where = path, .what = what, .allowed = allowed, .hint = hint});
  }

  // Little-endian integer of `bytes` bytes at `offset`, which must lie in the file.
  uint64_t number(uint64_t offset, size_t bytes) const {
    if (offset > file.size() || file.size() - offset < bytes)
      fail("truncated: a zip record reaches past the end of the file");
    uint64_t value = 0;
    std::memcpy(&value, file.data() + offset, bytes);
    return value;
  }

  // Where the end-of-directory record stands: the last 22 bytes, or earlier when a comment follows.
  uint64_t find_end_of_directory() const {
    constexpr uint64_t kLongestComment = 65535;
    if (file.size() < kEndOfDirectorySize) fail(fmt::format("not a zip archive: the file has {} bytes", file.size()));
    const uint64_t last = file.size() - kEndOfDirectorySize;
    const uint64_t first = last > kLongestComment ? last - kLongestComment : 0;
    for (uint64_t at = last + 1; at-- > first;) {
      if (number(at, 4) == kEndOfDirectory) return at;
    }
    if (number(0, 4) == kLocalHeader)
      fail("truncated: the zip directory at the end of the file is missing", "", kCopyAgain);
    fail("not a zip archive");
  }

  void read_directory() {
    const uint64_t end = find_end_of_directory();
    uint64_t count = number(end + 10, 2);
    uint64_t directory_size = number(end + 12, 4);
    uint64_t at = number(end + 16, 4);
    if (end >= kLocatorSize && number(end - kLocatorSize, 4) == kEndOfDirectory64Locator) {
      const uint64_t end64 = number(end - kLocatorSize + 8, 8);
      if (end64 > file.size() || file.size() - end64 < kEndOfDirectory64Size || number(end64, 4) != kEndOfDirectory64) {
        fail("corrupted: the zip64 directory record is not where its locator says");
      }
      count = number(end64 + 32, 8);
      directory_size = number(end64 + 40, 8);
      at = number(end64 + 48, 8);
    }
    if (at > file.size() || file.size() - at < directory_size || directory_size / kDirectoryEntrySize < count) {
      fail("corrupted: the zip directory does not fit the file");
    }
    if (count == 0) fail("an empty zip archive");
    for (uint64_t i = 0; i < count; ++i) at = read_entry(at);
    check_overlap();
  }

  // Members that share bytes unpack to more than the file could hold, and writing to one tensor would change another.
  void check_overlap() const {
    std::vector<std::string_view> by_offset(names.begin(), names.end());
    const auto offset = [&](std::string_view name) { return members.at(std::string(name)).offset; };
    std::ranges::sort(by_offset, {}, [&](std::string_view name) { return std::pair(offset(name), name); });
    for (size_t i = 1; i < by_offset.size(); ++i) {
      const Member& before = members.at(std::string(by_offset[i - 1]));
      if (offset(by_offset[i]) - before.offset < before.packed) {
        fail(fmt::format("corrupted: members {} and {} share bytes", by_offset[i - 1], by_offset[i]));
      }
    }
  }

  // Reads one directory entry and gives the place of the next.
  uint64_t read_entry(uint64_t at) {
    if (number(at, 4) != kDirectoryEntry) fail("corrupted: a zip directory entry has a wrong signature");
    Member member{.packed = number(at + 20, 4),
                  .size = number(at + 24, 4),
                  .method = number(at + 10, 2),
                  .crc = static_cast<uint32_t>(number(at + 16, 4))};
    const uint64_t name_size = number(at + 28, 2);
    const uint64_t extra_size = number(at + 30, 2);
    const uint64_t comment_size = number(at + 32, 2);
    uint64_t local = number(at + 42, 4);
    const uint64_t name_at = at + kDirectoryEntrySize;
    const uint64_t next = name_at + name_size + extra_size + comment_size;
    if (next > file.size()) fail("truncated: a zip directory entry reaches past the end of the file");
    const std::string name(file.substr(name_at, name_size));
    read_zip64_extra(name_at + name_size, extra_size, {&member.size, &member.packed, &local});
    if (leads_elsewhere(name)) {
      fail(fmt::format("member \"{}\" has a name that leads out of the archive", name), "relative paths without ..");
    }
    if ((number(at + 8, 2) & kEncryptedFlag) != 0) fail(fmt::format("member {} is encrypted", name));
    if (member.method != kStored && member.method != kDeflated) {
      fail(fmt::format("member {} is packed by method {}", name, member.method), "0 (stored) and 8 (deflate)");
    }
    const bool fits =
        member.method == kStored ? member.size == member.packed : member.size / kMaxInflation <= member.packed;
    if (!fits) {
      fail(fmt::format("corrupted: member {} has {} bytes packed by method {} in {}", name, member.size, member.method,
                       member.packed));
    }
    if (local > file.size() || file.size() - local < kLocalHeaderSize || number(local, 4) != kLocalHeader) {
      fail(fmt::format("corrupted: member {} has no header where the directory says", name));
    }
    member.offset = local + kLocalHeaderSize + number(local + 26, 2) + number(local + 28, 2);
    if (member.offset > file.size() || file.size() - member.offset < member.packed) {
      fail(fmt::format("truncated: member {} has {} bytes from offset {}, the file {}", name, member.packed,
                       member.offset, file.size()));
    }
    if (!members.emplace(name, member).second) fail(fmt::format("corrupted: two members are named {}", name));
    names.push_back(name);
    return next;
  }

  // In the zip64 extra field (id 1) stand, in this order, those of the fields that did not fit 32 bits.
  void read_zip64_extra(uint64_t at, uint64_t extra_size, std::initializer_list<uint64_t*> fields) const {
    const uint64_t end = at + extra_size;
    while (at + 4 <= end) {
      const uint64_t id = number(at, 2);
      const uint64_t block = number(at + 2, 2);
      uint64_t field_at = at + 4;
      at = field_at + block;
      if (id != 1) continue;
      for (uint64_t* field : fields) {
        if (*field != kIn64BitField || field_at + 8 > at) continue;
        *field = number(field_at, 8);
        field_at += 8;
      }
    }
  }

  Member& member(std::string_view name) {
    const auto found = members.find(std::string(name));
    if (found == members.end()) fail(fmt::format("has no member {}", name));
    return found->second;
  }

  void strip_root_folder() {
    const size_t slash = names[0].find('/');
    const std::string root = slash == std::string::npos ? "" : names[0].substr(0, slash + 1);
    if (root.empty() || !std::all_of(names.begin(), names.end(), [&](auto& n) { return n.starts_with(root); })) return;
    std::unordered_map<std::string, Member> stripped;
    for (std::string& name : names) {
      const Member& member = members.at(name);
      name.erase(0, root.size());
      stripped.emplace(name, member);
    }
    members = std::move(stripped);
  }
};

ZipArchive ZipArchive::open(const std::string& path) {
  ZipArchive archive(std::make_shared<State>(path));
  archive.state_->read_directory();
  return archive;
}

ZipArchive ZipArchive::open_below_root(const std::string& path) {
  ZipArchive archive = open(path);
  archive.state_->strip_root_folder();
  return archive;
}

const std::string& ZipArchive::path() const { return state_->path; }
const std::vector<std::string>& ZipArchive::names() const { return state_->names; }
bool ZipArchive::contains(std::string_view name) const { return state_->members.contains(std::string(name)); }
uint64_t ZipArchive::size(std::string_view name) const { return state_->member(name).size; }

std::string_view ZipArchive::bytes(std::string_view name) const {
  Member& member = state_->member(name);
  std::string_view bytes = state_->file.substr(member.offset, member.packed);
  if (member.method == kDeflated) {
    if (!member.unpacked) member.unpacked = inflate_raw(bytes, member.size);
    if (!member.unpacked) state_->fail(fmt::format("corrupted: member {} cannot be unpacked", name));
    bytes = *member.unpacked;
  }
  if (!member.checked) {
    const auto crc = crc32_z(0, reinterpret_cast<const Bytef*>(bytes.data()), bytes.size());
    if (crc != member.crc) {
      state_->fail(
          fmt::format("corrupted: member {} has CRC-32 {:08x}, the directory says {:08x}", name, crc, member.crc), "",
          kCopyAgain);
    }
    member.checked = true;
  }
  return bytes;
}

std::shared_ptr<void> ZipArchive::mapping() const { return state_; }

}  // namespace torquant
