#include "torquant/core/error.h"

#include <utility>

namespace torquant {
namespace {

std::string full_text(const ErrorText& text) {
  std::string line = text.where.empty() ? text.what : text.where + ": " + text.what;
  if (!text.allowed.empty()) line += "\n  allowed here: " + text.allowed;
  if (!text.hint.empty()) line += "\n  to go on: " + text.hint;
  return line;
}

}  // namespace

Error::Error(ErrorText text) : std::runtime_error(full_text(text)), text_(std::move(text)) {}

Error Error::within(const std::string& outer) const {
  ErrorText text = text_;
  text.where = text.where.empty() ? outer : outer + ": " + text.where;
  return Error(std::move(text));
}

}  // namespace torquant
