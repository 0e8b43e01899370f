#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace torquant {

// A memory-mapped zip archive. Members are stored, as torch.save and torch.export.save write their tensors, or
// deflated; those are unpacked when they are read.
//
// Every offset and size is checked against the file before it is used, and a member's CRC-32 when it is first read.
// Errors name the file and the member. Not for several threads at once.
class ZipArchive {
 public:
  static ZipArchive open(const std::string& path);
  // Takes the one root folder that all members share, if there is one, off their names: PyTorch's archives have one.
  static ZipArchive open_below_root(const std::string& path);

  const std::string& path() const;
  const std::vector<std::string>& names() const;  // in the order of the directory; at least one
  bool contains(std::string_view name) const;
  uint64_t size(std::string_view name) const;

  // The member's bytes; valid while the archive or a mapping() of it lives.
  std::string_view bytes(std::string_view name) const;
  // Keeps those bytes alive for tensors that point to them. Writing to them does not reach the file.
  std::shared_ptr<void> mapping() const;

 private:
  struct State;
  explicit ZipArchive(std::shared_ptr<State> state) : state_(std::move(state)) {}

  std::shared_ptr<State> state_;
};

}  // namespace torquant
