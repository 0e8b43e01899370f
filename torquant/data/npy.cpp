#include "torquant/data/npy.h"

#include <ATen/ops/empty.h>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <zip.h>

#include <cerrno>
#include <charconv>
#include <cstring>
#include <fstream>
#include <functional>
#include <optional>
#include <string_view>
#include <vector>

#include "torquant/core/error.h"
#include "torquant/data/input_file.h"

namespace torquant {
namespace {

// Reads up to `bytes` into `data` and says how many there were.
using ReadBytes = std::function<int64_t(void* data, int64_t bytes)>;

constexpr int64_t kMaxHeaderBytes = 1 << 16;  // what NumPy writes fits format 1.0's 16-bit length but for huge records

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
  throw Error(
      {.where = where, .what = fmt::format("dtype '{}'", descr), .allowed = fmt::format("{}", fmt::join(names, ", "))});
}

struct Header {
  c10::ScalarType type;
  bool fortran_order;
  std::vector<int64_t> shape = {};
  int64_t bytes = 0;  // of the values
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
Header parse_header(const std::string& where, const std::string& text) {
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
    if (__builtin_mul_overflow(header.bytes, *size, &header.bytes)) {
      throw Error(
          {.where = where, .what = fmt::format("shape ({}, …) overflows 64 bits", fmt::join(header.shape, ", "))});
    }
    if (!cursor.take(",")) break;
  }
  if (!cursor.take(")")) throw malformed;
  cursor.take(",");
  if (!cursor.take("}") || !cursor.at_end()) throw malformed;
  return header;
}

// file_bytes: how many bytes the whole array file has. Checked against the header before memory is taken.
at::Tensor read_array(const std::string& where, const ReadBytes& read, int64_t file_bytes) {
  uint8_t head[12];
  if (read(head, 8) < 8 || std::memcmp(head, "\x93NUMPY", 6) != 0) {
    throw Error({.where = where, .what = "not a NumPy array", .allowed = "\\x93NUMPY at the start"});
  }
  const int version = head[6];
  if (version < 1 || version > 3) {
    throw Error({.where = where, .what = fmt::format("NumPy format {}.{}", version, head[7]), .allowed = "1.0 to 3.0"});
  }
  const int length_bytes = version == 1 ? 2 : 4;  // little-endian
  const bool has_length = read(head + 8, length_bytes) == length_bytes;
  int64_t header_bytes = head[8] | head[9] << 8;
  if (version > 1) header_bytes |= int64_t{head[10]} << 16 | int64_t{head[11]} << 24;
  if (has_length && header_bytes > kMaxHeaderBytes) {
    throw Error({.where = where,
                 .what = fmt::format("a header of {} bytes", header_bytes),
                 .allowed = fmt::format("up to {}", kMaxHeaderBytes)});
  }
  std::string text(has_length ? header_bytes : 0, '\0');
  if (!has_length || read(text.data(), header_bytes) < header_bytes) {
    throw Error({.where = where, .what = "ends within its header"});
  }

  const Header header = parse_header(where, text);
  const int64_t value_bytes = file_bytes - 8 - length_bytes - header_bytes;
  if (value_bytes != header.bytes) {
    throw Error({.where = where,
                 .what = fmt::format("{} bytes of values, shape [{}] of {} needs {}", value_bytes,
                                     fmt::join(header.shape, ", "), c10::toString(header.type), header.bytes)});
  }
  // Fortran order: the first axis moves fastest, so the bytes are those of the transposed array.
  const std::vector<int64_t> stored(header.shape.rbegin(), header.shape.rend());
  const bool is_bool = header.type == c10::kBool;
  at::Tensor values = at::empty(header.fortran_order ? stored : header.shape, is_bool ? c10::kByte : header.type);
  if (read(values.mutable_data_ptr(), header.bytes) < header.bytes) {
    throw Error({.where = where, .what = fmt::format("ends before its {} bytes of values", header.bytes)});
  }
  if (is_bool) values = values.ne(0);
  if (header.fortran_order) {
    std::vector<int64_t> reversed(header.shape.size());
    for (size_t i = 0; i < reversed.size(); ++i) reversed[i] = static_cast<int64_t>(reversed.size() - 1 - i);
    values = values.permute(reversed).contiguous();
  }
  return values;
}

struct CloseZip {
  void operator()(zip_t* archive) const { zip_discard(archive); }
  void operator()(zip_file_t* file) const { zip_fclose(file); }
};

}  // namespace

at::Tensor read_npy(const std::string& path) {
  const int64_t file_bytes = input_file_bytes(path);
  std::ifstream file(path, std::ios::binary);
  if (!file) throw Error({.where = path, .what = fmt::format("cannot be opened: {}", strerror(errno))});
  const ReadBytes read = [&](void* data, int64_t bytes) {
    file.read(static_cast<char*>(data), bytes);
    return static_cast<int64_t>(file.gcount());
  };
  return read_array(path, read, file_bytes);
}

std::map<std::string, at::Tensor> read_npz(const std::string& path) {
  int code = 0;
  const std::unique_ptr<zip_t, CloseZip> archive(zip_open(path.c_str(), ZIP_RDONLY | ZIP_CHECKCONS, &code));
  if (archive == nullptr) {
    zip_error_t error;
    zip_error_init_with_code(&error, code);
    const std::string reason = zip_error_strerror(&error);
    zip_error_fini(&error);
    throw Error({.where = path, .what = fmt::format("cannot be read as a zip archive: {}", reason)});
  }

  std::map<std::string, at::Tensor> arrays;
  for (zip_int64_t i = 0; i < zip_get_num_entries(archive.get(), 0); ++i) {
    zip_stat_t stat;
    zip_stat_index(archive.get(), i, 0, &stat);
    const std::string member = stat.name;
    const std::string where = path + ": " + member;
    if (!member.ends_with(".npy")) {
      throw Error({.where = where, .what = "is no array", .allowed = "members that end in .npy"});
    }
    if (stat.size / kMaxInflation > stat.comp_size) {
      throw Error({.where = where, .what = fmt::format("promises {} bytes from {}", stat.size, stat.comp_size)});
    }
    const std::unique_ptr<zip_file_t, CloseZip> file(zip_fopen_index(archive.get(), i, 0));
    if (file == nullptr) throw Error({.where = where, .what = zip_strerror(archive.get())});
    const ReadBytes read = [&](void* data, int64_t bytes) {
      const zip_int64_t got = zip_fread(file.get(), data, bytes);
      if (got < 0) throw Error({.where = where, .what = zip_file_strerror(file.get())});
      return int64_t{got};
    };
    at::Tensor array = read_array(where, read, static_cast<int64_t>(stat.size));
    char end;
    read(&end, 1);  // reaching the end makes libzip compare the checksum
    if (!arrays.emplace(member.substr(0, member.size() - 4), std::move(array)).second) {
      throw Error({.where = where, .what = "occurs twice"});
    }
  }
  return arrays;
}

std::unique_ptr<Dataset> open_npz(const std::string& path) {
  std::map<std::string, at::Tensor> arrays = read_npz(path);
  std::vector<std::string> names;
  for (const auto& [name, array] : arrays) names.push_back(name);
  std::vector<at::Tensor> inputs;
  while (arrays.contains(fmt::format("x{}", inputs.size()))) {
    inputs.push_back(arrays.at(fmt::format("x{}", inputs.size())));
  }
  const bool labelled = arrays.contains("y");
  if (inputs.empty() || inputs.size() + labelled != arrays.size()) {
    throw Error({.where = path,
                 .what = fmt::format("arrays {}", fmt::join(names, ", ")),
                 .allowed = "x0, x1, … without a gap (inputs) and y (labels)"});
  }
  return std::make_unique<ArrayDataset>(path, std::move(inputs), labelled ? arrays.at("y") : at::Tensor());
}

}  // namespace torquant
