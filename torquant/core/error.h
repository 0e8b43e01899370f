#pragma once

#include <stdexcept>
#include <string>

namespace torquant {

// The one error type. Above the LibTorch line it is thrown; below it travels inside Result<T>.
//
//   throw Error({.where = "model.pt2: layer1.0.conv1 (%conv2d_1, aten.conv2d.default)",
//                .what = "group_size 32 does not divide the 4 input channels",
//                .allowed = "4, or per-channel"});
//
// what() is the whole text: "where: what" and, on lines of their own, what is allowed and what to do next.
struct ErrorText {
  std::string where = {};    // file, layer, node or function; may be empty
  std::string what = {};     // the fact, with the offending value
  std::string allowed = {};  // the allowed values; may be empty
  std::string hint = {};     // what to do next; may be empty
};

class Error : public std::runtime_error {
 public:
  explicit Error(ErrorText text);

  const std::string& where() const { return text_.where; }
  const std::string& reason() const { return text_.what; }
  const std::string& allowed() const { return text_.allowed; }
  const std::string& hint() const { return text_.hint; }

  // The same error, seen from further out: `outer` is put before where().
  Error within(const std::string& outer) const;

 private:
  ErrorText text_;
};

}  // namespace torquant
