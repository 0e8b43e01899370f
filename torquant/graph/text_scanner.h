#pragma once

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <string>
#include <string_view>

#include "torquant/core/error.h"
#include "torquant/graph/text_names.h"

namespace torquant::text {

// The characters of the text, by words, and where we are in it.
class Scanner {
 public:
  explicit Scanner(std::string_view text) : text_(text) {}

  [[noreturn]] void fail(const std::string& what, const std::string& allowed = {}) {
    fail_at(position_, what, allowed);
  }
  [[noreturn]] void fail_at(size_t position, const std::string& what, const std::string& allowed = {}) const {
    const std::string_view before = text_.substr(0, position);
    const auto line = std::count(before.begin(), before.end(), '\n') + 1;
    const size_t start_of_line = before.rfind('\n') == std::string_view::npos ? 0 : before.rfind('\n') + 1;
    throw Error({.where = fmt::format("line {}, column {}", line, position - start_of_line + 1),
                 .what = what,
                 .allowed = allowed});
  }

  size_t position() {
    skip();
    return position_;
  }
  void back_to(size_t position) { position_ = position; }
  bool at_end() { return position() == text_.size(); }
  char peek() { return at_end() ? '\0' : text_[position_]; }

  bool take(char c) {
    if (peek() != c) return false;
    ++position_;
    return true;
  }
  void expect(char c) {
    if (!take(c)) fail(fmt::format("expected '{}', found {}", c, found()));
  }
  // The word, if it stands here.
  bool take_word(std::string_view word) {
    const size_t start = position();
    if (this->word() == word) return true;
    position_ = start;
    return false;
  }
  // Letters, digits, dots, underscores and hyphens; may be empty.
  std::string_view word() {
    const size_t start = position();
    while (position_ < text_.size() && (is_bare(text_.substr(position_, 1)) || text_[position_] == '-')) {
      ++position_;
    }
    return text_.substr(start, position_ - start);
  }
  // What stands here, for messages.
  std::string found() {
    if (at_end()) return "the end";
    const size_t start = position_;
    const std::string_view taken = word();
    position_ = start;
    return fmt::format("'{}'", taken.empty() ? text_.substr(start, 1) : taken);
  }

  std::string quoted() {
    const size_t start = position();
    expect('"');
    std::string result;
    while (true) {
      if (position_ >= text_.size()) fail_at(start, "a string without an end");
      const char c = text_[position_++];
      if (c == '"') return result;
      result += c == '\\' ? escape() : c;
    }
  }
  std::string name() {
    if (peek() == '"') return quoted();
    const size_t start = position();
    size_t end = start;
    while (end < text_.size() && is_bare(text_.substr(end, 1))) ++end;
    if (end == start) fail("expected a name, found " + found());
    position_ = end;
    return std::string(text_.substr(start, end - start));
  }

  int64_t integer() {
    const size_t start = position();
    int64_t value = 0;
    const auto [end, error] = std::from_chars(text_.data() + start, text_.data() + text_.size(), value);
    if (error != std::errc()) fail("expected a 64-bit integer, found " + found());
    position_ = static_cast<size_t>(end - text_.data());
    return value;
  }
  bool at_integer() {
    const char c = peek();
    return c == '-' || (c >= '0' && c <= '9');
  }

  // The text up to a comma or closing bracket of this level.
  std::string_view until_separator() {
    const size_t start = position();
    int depth = 0;
    while (position_ < text_.size()) {
      const char c = text_[position_];
      if (c == '\n' || (depth == 0 && (c == ',' || c == ')' || c == ']'))) break;
      depth += c == '(' ? 1 : c == ')' ? -1 : 0;
      ++position_;
    }
    return text_.substr(start, position_ - start);
  }

 private:
  void skip() {
    while (position_ < text_.size()) {
      if (text_[position_] == '#') {
        position_ = std::min(text_.find('\n', position_), text_.size());
      } else if (std::string_view(" \t\r\n").find(text_[position_]) != std::string_view::npos) {
        ++position_;
      } else {
        return;
      }
    }
  }

  char escape() {
    const char c = position_ < text_.size() ? text_[position_++] : '\0';
    if (c == 'n') return '\n';
    if (c == '"' || c == '\\') return c;
    unsigned value = 0;
    if (c == 'x' && position_ + 2 <= text_.size()) {
      const char* digits = text_.data() + position_;
      const auto [end, error] = std::from_chars(digits, digits + 2, value, 16);
      if (error == std::errc() && end == digits + 2) {
        position_ += 2;
        return static_cast<char>(value);
      }
    }
    fail_at(position_ - 1, "unknown escape in a string", R"(\n \" \\ \xHH)");
  }

  std::string_view text_;
  size_t position_ = 0;
};

}  // namespace torquant::text
