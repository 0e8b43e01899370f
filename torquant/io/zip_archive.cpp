#include "torquant/io/zip_archive.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <limits>

#include "torquant/core/error.h"

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

constexpr uint64_t kStored = 0;
constexpr uint64_t kDeflated = 8;
// No deflate stream grows more than this (zlib, technical notes: 1032 to 1).
constexpr uint64_t kMostDeflate = 1032;

struct Member {
  uint64_t offset = 0;  // of the data, from the start of the file
  uint64_t packed = 0;  // bytes in the file
  uint64_t size = 0;    // bytes unpacked
  uint64_t method = kStored;
  uint32_t crc = 0;
  bool checked = false;
  std::string unpacked = {};  // of a deflated member, once it was read
};

}  // namespace

struct ZipArchive::State {
  std::string path;
  char* base = nullptr;
  size_t size = 0;
  std::vector<std::string> names;
  std::unordered_map<std::string, Member> members;

  ~State() {
    if (base != nullptr) munmap(base, size);
  }

  [[noreturn]] void fail(const std::string& what) const { throw Error({.where = path, .what = what}); }

  // Little-endian integer of `bytes` bytes at `offset`, which must lie in the file.
  uint64_t number(uint64_t offset, size_t bytes) const {
    if (offset > size || size - offset < bytes) fail("truncated: a zip record reaches past the end of the file");
    uint64_t value = 0;
    std::memcpy(&value, base + offset, bytes);
    return value;
  }

  // Where the end-of-directory record stands: the last 22 bytes, or earlier when a comment follows.
  uint64_t find_end_of_directory() const {
    constexpr uint64_t kLongestComment = 65535;
    if (size < kEndOfDirectorySize) fail(fmt::format("not a zip archive: the file has {} bytes", size));
    const uint64_t last = size - kEndOfDirectorySize;
    const uint64_t first = last > kLongestComment ? last - kLongestComment : 0;
    for (uint64_t at = last + 1; at-- > first;) {
      if (number(at, 4) == kEndOfDirectory) return at;
    }
    if (number(0, 4) == kLocalHeader) fail("truncated: the zip directory at the end of the file is missing");
    fail("not a zip archive");
  }

  void read_directory() {
    const uint64_t end = find_end_of_directory();
    uint64_t count = number(end + 10, 2);
    uint64_t directory_size = number(end + 12, 4);
    uint64_t at = number(end + 16, 4);
    if (end >= kLocatorSize && number(end - kLocatorSize, 4) == kEndOfDirectory64Locator) {
      const uint64_t end64 = number(end - kLocatorSize + 8, 8);
      if (end64 > size || size - end64 < kEndOfDirectory64Size || number(end64, 4) != kEndOfDirectory64) {
        fail("corrupted: the zip64 directory record is not where its locator says");
      }
      count = number(end64 + 32, 8);
      directory_size = number(end64 + 40, 8);
      at = number(end64 + 48, 8);
    }
    if (at > size || size - at < directory_size || directory_size / kDirectoryEntrySize < count) {
      fail("corrupted: the zip directory does not fit the file");
    }
    for (uint64_t i = 0; i < count; ++i) at = read_entry(at);
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
    if (next > size) fail("truncated: a zip directory entry reaches past the end of the file");
    const std::string name(base + name_at, name_size);
    read_zip64_extra(name_at + name_size, extra_size, {&member.size, &member.packed, &local});
    const bool stored = member.method == kStored && member.packed == member.size;
    const bool deflated = member.method == kDeflated && member.size / kMostDeflate <= member.packed;
    if (!stored && !deflated) {
      fail(fmt::format("corrupted: member {} has {} bytes packed by method {} in {}", name, member.size, member.method,
                       member.packed));
    }
    if (local > size || size - local < kLocalHeaderSize || number(local, 4) != kLocalHeader) {
      fail(fmt::format("corrupted: member {} has no header where the directory says", name));
    }
    member.offset = local + kLocalHeaderSize + number(local + 26, 2) + number(local + 28, 2);
    if (member.offset > size || size - member.offset < member.packed) {
      fail(fmt::format("truncated: member {} has {} bytes from offset {}, the file {}", name, member.packed,
                       member.offset, size));
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

  // Unpacks a raw deflate stream of a known size.
  std::string inflate_member(const std::string& name, const Member& member) const {
    std::string unpacked(member.size, '\0');
    z_stream stream{};
    stream.next_in = reinterpret_cast<Bytef*>(base + member.offset);
    stream.next_out = reinterpret_cast<Bytef*>(unpacked.data());
    constexpr uint64_t kMost = std::numeric_limits<uInt>::max();
    if (member.packed > kMost || member.size > kMost) fail(fmt::format("member {} is too large to be packed", name));
    stream.avail_in = static_cast<uInt>(member.packed);
    stream.avail_out = static_cast<uInt>(member.size);
    const bool whole = inflateInit2(&stream, -MAX_WBITS) == Z_OK && inflate(&stream, Z_FINISH) == Z_STREAM_END;
    inflateEnd(&stream);
    if (!whole || stream.avail_out != 0) fail(fmt::format("corrupted: member {} cannot be unpacked", name));
    return unpacked;
  }

  void strip_root_folder() {
    if (names.empty()) fail("an empty zip archive");
    const size_t slash = names[0].find('/');
    const std::string root = slash == std::string::npos ? "" : names[0].substr(0, slash + 1);
    if (root.empty() || !std::all_of(names.begin(), names.end(), [&](auto& n) { return n.starts_with(root); })) return;
    std::unordered_map<std::string, Member> stripped;
    for (std::string& name : names) {
      Member member = members.at(name);
      name = name.substr(root.size());
      stripped.emplace(name, std::move(member));
    }
    members = std::move(stripped);
  }
};

ZipArchive ZipArchive::open(const std::string& path) {
  ZipArchive archive;
  archive.state_ = std::make_shared<State>();
  State& state = *archive.state_;
  state.path = path;
  const int file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (file < 0) state.fail(fmt::format("cannot be opened: {}", std::strerror(errno)));
  struct stat info{};
  const bool is_file = fstat(file, &info) == 0 && S_ISREG(info.st_mode);
  state.size = is_file ? static_cast<size_t>(info.st_size) : 0;
  void* base = state.size == 0 ? MAP_FAILED : mmap(nullptr, state.size, PROT_READ | PROT_WRITE, MAP_PRIVATE, file, 0);
  const int map_error = errno;
  ::close(file);
  if (!is_file) state.fail("not a regular file");
  if (state.size == 0) state.fail("not a zip archive: the file is empty");
  if (base == MAP_FAILED) state.fail(fmt::format("cannot be mapped into memory: {}", std::strerror(map_error)));
  state.base = static_cast<char*>(base);
  state.read_directory();
  state.strip_root_folder();
  return archive;
}

const std::string& ZipArchive::path() const { return state_->path; }
const std::vector<std::string>& ZipArchive::names() const { return state_->names; }
bool ZipArchive::contains(std::string_view name) const { return state_->members.contains(std::string(name)); }

uint64_t ZipArchive::size(std::string_view name) const {
  const auto found = state_->members.find(std::string(name));
  if (found == state_->members.end()) state_->fail(fmt::format("has no member {}", name));
  return found->second.size;
}

std::string_view ZipArchive::bytes(std::string_view name) const {
  const auto found = state_->members.find(std::string(name));
  if (found == state_->members.end()) state_->fail(fmt::format("has no member {}", name));
  Member& member = found->second;
  if (member.method == kDeflated && !member.checked) {
    member.unpacked = state_->inflate_member(std::string(name), member);
  }
  const std::string_view bytes = member.method == kDeflated
                                     ? std::string_view(member.unpacked)
                                     : std::string_view(state_->base + member.offset, member.size);
  if (!member.checked) {
    const auto crc = crc32_z(0, reinterpret_cast<const Bytef*>(bytes.data()), bytes.size());
    if (crc != member.crc) {
      state_->fail(
          fmt::format("corrupted: member {} has CRC-32 {:08x}, the directory says {:08x}", name, crc, member.crc));
    }
    member.checked = true;
  }
  return bytes;
}

std::shared_ptr<void> ZipArchive::mapping() const { return state_; }

}  // namespace torquant
