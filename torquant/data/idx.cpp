#include "torquant/data/idx.h"

#include <ATen/ops/empty.h>
#include <fmt/format.h>
#include <zlib.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <vector>

#include "torquant/core/error.h"
#include "torquant/io/deflate.h"
#include "torquant/io/mapped_file.h"

namespace torquant {
namespace {

constexpr uint8_t kUnsignedByte = 0x08;
constexpr uint8_t kMaxRank = 8;

class GzFile {
 public:
  explicit GzFile(const std::string& path) : path_(path), file_(gzopen(path.c_str(), "rb")) {
    if (file_ == nullptr) throw Error({.where = path, .what = fmt::format("cannot be opened: {}", strerror(errno))});
    gzbuffer(file_, 1 << 17);
  }
  ~GzFile() { gzclose(file_); }
  GzFile(const GzFile&) = delete;
  GzFile& operator=(const GzFile&) = delete;

  // Reads up to `bytes`; fewer only at the end of the file.
  int64_t read(void* data, int64_t bytes) {
    int64_t done = 0;
    while (done < bytes) {
      const auto step = static_cast<unsigned>(std::min<int64_t>(bytes - done, 1 << 30));
      const int got = gzread(file_, static_cast<char*>(data) + done, step);
      int code = Z_OK;
      std::string message = gzerror(file_, &code);
      if (got < 0 || code != Z_OK) {  // a gzip stream that ends early too
        if (message.starts_with(path_ + ": ")) message.erase(0, path_.size() + 2);
        throw Error({.where = path_, .what = fmt::format("cannot be read at byte {}: {}", done, message)});
      }
      if (got == 0) break;
      done += got;
    }
    return done;
  }

 private:
  std::string path_;
  gzFile file_;
};

class IdxDataset : public Dataset {
 public:
  IdxDataset(const std::string& name, at::Tensor images, at::Tensor labels)
      : Dataset(name, images.size(0)), images_(std::move(images)), labels_(std::move(labels)) {}

 private:
  Sample load(int64_t index) const override {
    Sample sample;
    sample.inputs.push_back(images_.narrow(0, index, 1).unsqueeze(1).to(at::kFloat).div_(255));
    if (labels_.defined()) sample.labels = labels_.narrow(0, index, 1);
    return sample;
  }

  at::Tensor images_;  // uint8 [N, H, W]
  at::Tensor labels_;  // int64 [N], or undefined
};

at::Tensor read_idx_of_rank(const std::string& path, int64_t rank, const char* meaning) {
  at::Tensor values = read_idx(path);
  if (values.dim() != rank) {
    throw Error({.where = path,
                 .what = fmt::format("IDX data of rank {}", values.dim()),
                 .allowed = fmt::format("rank {}: {}", rank, meaning)});
  }
  return values;
}

}  // namespace

at::Tensor read_idx(const std::string& path) {
  const uint64_t file_bytes = MappedFile(path).bytes().size();  // refuses what is no file, as for other kinds of data
  GzFile file(path);
  uint8_t head[4];
  const int64_t got = file.read(head, sizeof(head));
  if (got < 4 || head[0] != 0 || head[1] != 0) {
    throw Error(
        {.where = path, .what = "not an IDX file", .allowed = "two zero bytes, a type and a rank at the start"});
  }
  if (head[2] != kUnsignedByte) {
    throw Error({.where = path,
                 .what = fmt::format("IDX values of type 0x{:02x}", head[2]),
                 .allowed = "0x08, unsigned bytes"});
  }
  const uint8_t rank = head[3];
  if (rank < 1 || rank > kMaxRank) {
    throw Error({.where = path, .what = fmt::format("IDX data of rank {}", rank), .allowed = "1 to 8"});
  }

  std::vector<int64_t> shape;
  int64_t bytes = 1;
  for (int axis = 0; axis < rank; ++axis) {
    uint8_t size[4];
    if (file.read(size, 4) < 4) throw Error({.where = path, .what = "ends within its header"});
    shape.push_back(int64_t{size[0]} << 24 | size[1] << 16 | size[2] << 8 | size[3]);
    if (__builtin_mul_overflow(bytes, std::max<int64_t>(shape.back(), 1), &bytes)) {
      throw Error({.where = path, .what = "the sizes in its header overflow 64 bits"});
    }
  }
  if (std::ranges::count(shape, 0) > 0) bytes = 0;
  if (static_cast<uint64_t>(bytes) / kMaxInflation > file_bytes) {
    throw Error({.where = path, .what = fmt::format("promises {} values in a file of {} bytes", bytes, file_bytes)});
  }
  at::Tensor values = at::empty(shape, at::kByte);
  const int64_t read = file.read(values.mutable_data_ptr(), bytes);
  uint8_t extra;
  if (read < bytes) {
    throw Error({.where = path, .what = fmt::format("truncated: {} of {} values", read, bytes)});
  }
  if (file.read(&extra, 1) > 0) {
    throw Error({.where = path, .what = fmt::format("longer than the {} values of its header", bytes)});
  }
  return values;
}

std::unique_ptr<Dataset> open_idx(const std::string& images_path, const std::string& labels_path) {
  at::Tensor images = read_idx_of_rank(images_path, 3, "images, rows, columns");
  at::Tensor labels;
  if (!labels_path.empty()) {
    labels = checked_labels(labels_path, read_idx_of_rank(labels_path, 1, "a label an image"));
    if (labels.size(0) != images.size(0)) {
      throw Error(
          {.where = labels_path,
           .what = fmt::format("{} labels for the {} images of {}", labels.size(0), images.size(0), images_path)});
    }
  }
  return std::make_unique<IdxDataset>(images_path, std::move(images), std::move(labels));
}

}  // namespace torquant
