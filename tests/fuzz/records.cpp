#include "tests/fuzz/records.h"

#include "tests/support/zip_file.h"

namespace torquant::fuzz {
namespace {

constexpr std::string_view kMark = "@@ ";

}  // namespace

Records split_records(std::string_view text) {
  Records records;
  while (text.starts_with(kMark)) {
    const size_t line_end = std::min(text.find('\n'), text.size());
    const size_t next = std::min(text.find("\n@@ ", line_end), text.size());
    const size_t start = std::min(line_end + 1, next);
    records.emplace_back(text.substr(kMark.size(), line_end - kMark.size()), text.substr(start, next - start));
    text.remove_prefix(std::min(next + 1, text.size()));
  }
  return records;
}

std::string join_records(const Records& records) {
  std::string text;
  for (const auto& [name, bytes] : records) {
    if (!text.empty()) text += "\n";
    text += std::string(kMark) + name + "\n" + bytes;
  }
  return text;
}

std::string archive_of(const Records& records) {
  std::vector<zip_file::Entry> entries;
  for (const auto& [name, bytes] : records) entries.push_back(zip_file::stored("fuzz/" + name, bytes));
  return zip_file::zip_of(entries);
}

}  // namespace torquant::fuzz
