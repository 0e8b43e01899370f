#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

#include "torquant/core/error.h"

// The characters of the text form (text.h): words, names, strings, numbers.
namespace torquant::text {

// An Error that names line and column.
class TextError : public Error {
  using Error::Error;
};

// "a \"b\"": what Scanner::quoted() reads.
std::string in_quotes(std::string_view text);
// The name itself where letters, digits, dots and underscores are all of it; else in quotes.
std::string name_text(std::string_view name);
// A float never looks like an integer: "3.0", "1e-05", "-inf", "nan".
std::string float_text(double value);

// Where we are in a text, and what stands there. Blanks, line breaks and comments (# to the end of the line) before a
// word are passed over. Throws TextError.
class Scanner {
 public:
  explicit Scanner(std::string_view text) : text_(text) {}

  [[noreturn]] void fail(const std::string& what, const std::string& allowed = {}) const;
  [[noreturn]] void fail_at(size_t position, const std::string& what, const std::string& allowed = {}) const;

  size_t position();
  void back_to(size_t position) { position_ = position; }
  bool at_end() { return position() == text_.size(); }
  char peek() { return at_end() ? '\0' : text_[position_]; }
  bool at_name();
  // What stands here, for messages: 'word', or the end.
  std::string found();

  // Passes over the character or the word, if it stands here.
  bool take(char c);
  bool take_word(std::string_view word);
  void expect(char c);

  // Letters, digits, dots, underscores and hyphens; may be empty.
  std::string_view word();
  // A string, or a name without quotes: letters, digits, dots and underscores.
  std::string name();
  std::string quoted();
  std::string quoted_in_brackets();
  bool boolean();
  bool at_integer();
  int64_t integer();
  // A number, if one stands here: an integer that fits 64 bits, or a float.
  std::optional<std::variant<int64_t, double>> take_number();
  // The text up to a comma or closing bracket of this level.
  std::string_view until_separator();

  // Calls `read_item` for each item of a list: up to `end`, with commas between.
  template <typename ReadItem>
  void items_until(char end, ReadItem read_item) {
    for (bool first = true; !take(end); first = false) {
      if (!first) expect(',');
      read_item();
    }
  }

 private:
  char escape();

  std::string_view text_;
  size_t position_ = 0;
};

}  // namespace torquant::text
