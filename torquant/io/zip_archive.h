#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace torquant {

// A memory-mapped zip, as torch.save and torch.export.save write them: members are stored; deflated ones are unpacked
// when they are read.
//
// Every offset and size is checked against the file before it is used, and a member's CRC-32 when it is first read.
// Errors name the file and the member.
class ZipArchive {
 public:
  static ZipArchive open(const std::string& path);

  const std::string& path() const;
  // Members in the order of the directory, without the one root folder that all of them share.
  const std::vector<std::string>& names() const;
  bool contains(std::string_view name) const;
  uint64_t size(std::string_view name) const;

  // The member's bytes; valid while the archive or a mapping() of it lives.
  std::string_view bytes(std::string_view name) const;
  // Keeps the mapping alive for tensors that point into it. The pages are private: writing does not reach the file.
  std::shared_ptr<void> mapping() const;

 private:
  struct State;
  std::shared_ptr<State> state_;
};

}  // namespace torquant
