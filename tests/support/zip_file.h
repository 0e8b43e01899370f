#pragma once

#include <zlib.h>

#include <cstdint>
#include <cstring>
#include <string>
#include <vector>

// Zip files made byte by byte, so that tests can make them wrong (APPNOTE.TXT 4.3).
namespace torquant::zip_file {

inline std::string number(uint64_t value, size_t bytes) {
  std::string text(bytes, '\0');
  std::memcpy(text.data(), &value, bytes);
  return text;
}

inline std::string deflated(const std::string& bytes) {
  std::string packed(compressBound(bytes.size()) + 64, '\0');
  z_stream stream{};
  deflateInit2(&stream, 9, Z_DEFLATED, -MAX_WBITS, 8, Z_DEFAULT_STRATEGY);
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data()));
  stream.avail_in = static_cast<uInt>(bytes.size());
  stream.next_out = reinterpret_cast<Bytef*>(packed.data());
  stream.avail_out = static_cast<uInt>(packed.size());
  deflate(&stream, Z_FINISH);
  packed.resize(stream.total_out);
  deflateEnd(&stream);
  return packed;
}

// One member as a zip says it; tests bend single fields.
struct Entry {
  std::string name;
  std::string packed;
  uint16_t method = 0;
  uint16_t flags = 0;
  uint64_t size = 0;
  uint32_t crc = 0;
  bool zip64 = false;
};
inline Entry stored(std::string name, const std::string& bytes) {
  const auto crc = static_cast<uint32_t>(crc32(0, reinterpret_cast<const Bytef*>(bytes.data()), bytes.size()));
  return {.name = std::move(name), .packed = bytes, .size = bytes.size(), .crc = crc};
}
inline Entry packed(std::string name, const std::string& bytes) {
  Entry entry = stored(std::move(name), bytes);
  entry.packed = deflated(bytes);
  entry.method = 8;
  return entry;
}

// Local headers with data, directory, end record.
inline std::string zip_of(const std::vector<Entry>& entries, bool zip64_end = false, const std::string& comment = "") {
  std::string file;
  std::string directory;
  for (const Entry& e : entries) {
    const uint64_t local = file.size();
    const std::string fields = number(e.method, 2) + number(0, 4) + number(e.crc, 4);
    const uint64_t size = e.zip64 ? 0xffffffff : e.size;
    const uint64_t packed_size = e.zip64 ? 0xffffffff : e.packed.size();
    file += "PK\3\4" + number(20, 2) + number(e.flags, 2) + fields + number(packed_size, 4) + number(size, 4) +
            number(e.name.size(), 2) + number(0, 2) + e.name + e.packed;
    const std::string extra = e.zip64 ? number(0x9999, 2) + number(2, 2) + "ab" + number(1, 2) + number(24, 2) +
                                            number(e.size, 8) + number(e.packed.size(), 8) + number(local, 8)
                                      : "";
    directory += "PK\1\2" + number(20, 2) + number(20, 2) + number(e.flags, 2) + fields + number(packed_size, 4) +
                 number(size, 4) + number(e.name.size(), 2) + number(extra.size(), 2) + number(0, 2) + number(0, 2) +
                 number(0, 2) + number(0, 4) + number(e.zip64 ? 0xffffffff : local, 4) + e.name + extra;
  }
  const uint64_t at = file.size();
  file += directory;
  if (zip64_end) {
    const uint64_t end64 = file.size();
    file += "PK\6\6" + number(44, 8) + number(45, 2) + number(45, 2) + number(0, 4) + number(0, 4) +
            number(entries.size(), 8) + number(entries.size(), 8) + number(directory.size(), 8) + number(at, 8);
    file += "PK\6\7" + number(0, 4) + number(end64, 8) + number(1, 4);
  }
  file += "PK\5\6" + number(0, 2) + number(0, 2) + number(zip64_end ? 0xffff : entries.size(), 2) +
          number(zip64_end ? 0xffff : entries.size(), 2) + number(zip64_end ? 0xffffffff : directory.size(), 4) +
          number(zip64_end ? 0xffffffff : at, 4) + number(comment.size(), 2) + comment;
  return file;
}

}  // namespace torquant::zip_file
