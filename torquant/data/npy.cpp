#include "torquant/data/npy.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <bit>
#include <charconv>
#include <cstring>
#include <numeric>
#include <optional>
#include <vector>

#include "torquant/core/error.h"
#include "torquant/io/borrowed_storage.h"
#include "torquant/io/mapped_file.h"

namespace torquant {
namespace {

static_assert(std::endian::native == std::endian::little, "the files are little-endian");

struct Descr {
  std::string_view name;
  c10::ScalarType type;
};
constexpr Descr kDescrs[] = {
    {"|b1", c10::kBool}, {"|u1", c10::kByte}, {"|i1", c10::kChar},  {"<i2", c10::kShort},  {"<i4", c10::kInt},
    {"<i8", c10::kLong}, {"<f2", c10::kHalf}, {"<f4", c10::kFloat}, {"<f8", c10::kDouble},
};

c10::ScalarType scalar_type_of(const std::string& where, const std::string& descr) {
  std::vector<std::string_view> names;
  for (const Descr& known : kDescrs) {
    if (known.name == descr) return known.type;
    names.push_back(known.name);
  }
  throw Error({.where = where,
               .what = fmt::format("holds values of dtype '{}'", descr),
               .allowed = fmt::format("{}", fmt::join(names, ", "))});
}

struct Header {
  c10::ScalarType type;
  bool fortran_order;
  std::vector<int64_t> shape = {};
  int64_t bytes = 0;  // of all values
};

// Walks over a Python literal; spaces between its parts do not count.
class Cursor {
 public:
  explicit Cursor(std::string_view text) : text_(text) {}

  bool take(std::string_view part) {
    skip_spaces();
    if (!text_.starts_with(part)) return false;
    text_.remove_prefix(part.size());
    return true;
  }

  std::optional<int64_t> take_size() {
    skip_spaces();
    int64_t size = 0;
    const auto [end, code] = std::from_chars(text_.data(), text_.data() + text_.size(), size);
    if (code != std::errc() || size < 0) return std::nullopt;
    text_.remove_prefix(static_cast<size_t>(end - text_.data()));
    return size;
  }

  std::optional<std::string> take_quoted() {
    const size_t end = take("'") ? text_.find('\'') : text_.npos;
    if (end == text_.npos) return std::nullopt;
    std::string quoted(text_.substr(0, end));
    text_.remove_prefix(end + 1);
    return quoted;
  }

  bool at_end() {
    skip_spaces();
    return text_.empty();
  }

 private:
  void skip_spaces() {
    while (!text_.empty() && (text_[0] == ' ' || text_[0] == '\n')) text_.remove_prefix(1);
  }

  std::string_view text_;
};

// NumPy always writes these three keys in this order.
Header parse_header(const std::string& where, std::string_view text) {
  const Error malformed({.where = where,
                         .what = fmt::format("header \"{:.120}\"", text),
                         .allowed = "{'descr': '<f4', 'fortran_order': False, 'shape': (3, 4), }"});
  Cursor cursor(text);
  if (!cursor.take("{") || !cursor.take("'descr'") || !cursor.take(":")) throw malformed;
  const std::optional<std::string> descr = cursor.take_quoted();
  if (!descr || !cursor.take(",") || !cursor.take("'fortran_order'") || !cursor.take(":")) throw malformed;
  Header header = {.type = scalar_type_of(where, *descr), .fortran_order = cursor.take("True")};
  if (!header.fortran_order && !cursor.take("False")) throw malformed;
  if (!cursor.take(",") || !cursor.take("'shape'") || !cursor.take(":") || !cursor.take("(")) throw malformed;
  header.bytes = static_cast<int64_t>(c10::elementSize(header.type));
  while (const std::optional<int64_t> size = cursor.take_size()) {
    header.shape.push_back(*size);
    if (__builtin_mul_overflow(header.bytes, std::max<int64_t>(*size, 1), &header.bytes)) {
      throw Error(
          {.where = where, .what = fmt::format("shape ({}, …) overflows 64 bits", fmt::join(header.shape, ", "))});
    }
    if (!cursor.take(",")) break;
  }
  constexpr size_t kMaxRank = 64;  // NumPy's, and that of LibTorch's operators
  if (header.shape.size() > kMaxRank) {
    throw Error({.where = where,
                 .what = fmt::format("an array of {} axes", header.shape.size()),
                 .allowed = fmt::format("{}", kMaxRank)});
  }
  if (std::ranges::count(header.shape, 0) > 0) header.bytes = 0;
  if (!cursor.take(")")) throw malformed;
  cursor.take(",");
  if (!cursor.take("}") || !cursor.at_end()) throw malformed;
  return header;
}

}  // namespace

at::Tensor read_npy(const std::string& path) {
  const auto file = std::make_shared<MappedFile>(path);
  return parse_npy(path, file->bytes(), file);
}

at::Tensor parse_npy(const std::string& where, std::string_view bytes, std::shared_ptr<void> owner) {
  constexpr std::string_view kMagic = "\x93NUMPY";
  if (bytes.size() < 8 || !bytes.starts_with(kMagic)) {
    throw Error({.where = where, .what = "not a NumPy array", .allowed = "\\x93NUMPY at the start"});
  }
  const auto major = static_cast<uint8_t>(bytes[6]);
  const auto minor = static_cast<uint8_t>(bytes[7]);
  if (major < 1 || major > 3) {
    throw Error({.where = where, .what = fmt::format("NumPy format {}.{}", major, minor), .allowed = "1.0 to 3.0"});
  }
  const size_t length_bytes = major == 1 ? 2 : 4;
  uint32_t header_bytes = 0;
  const std::string_view length = bytes.substr(8, length_bytes);
  std::memcpy(&header_bytes, length.data(), length.size());
  bytes.remove_prefix(8 + length.size());
  if (length.size() < length_bytes || bytes.size() < header_bytes) {
    throw Error({.where = where, .what = fmt::format("ends within its header of {} bytes", header_bytes)});
  }
  const Header header = parse_header(where, bytes.substr(0, header_bytes));
  bytes.remove_prefix(header_bytes);
  if (bytes.size() != static_cast<uint64_t>(header.bytes)) {
    throw Error({.where = where,
                 .what = fmt::format("{} bytes of values, shape [{}] of {} needs {}", bytes.size(),
                                     fmt::join(header.shape, ", "), c10::toString(header.type), header.bytes)});
  }
  if (!header.fortran_order) return borrowed_tensor(bytes, std::move(owner), header.shape, header.type);
  // The first axis moves fastest, so the bytes are those of the transposed array.
  const std::vector<int64_t> stored(header.shape.rbegin(), header.shape.rend());
  std::vector<int64_t> reversed(stored.size());
  std::iota(reversed.rbegin(), reversed.rend(), 0);
  return borrowed_tensor(bytes, std::move(owner), stored, header.type).permute(reversed).contiguous();
}

}  // namespace torquant
