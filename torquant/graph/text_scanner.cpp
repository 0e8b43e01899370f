#include "torquant/graph/text_scanner.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>

#include "torquant/graph/parse_number.h"

namespace torquant::text {
namespace {

bool is_name_character(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '.';
}

}  // namespace

std::string in_quotes(std::string_view text) {
  std::string result = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') {
      result += '\\';
      result += c;
    } else if (c == '\n') {
      result += "\\n";
    } else if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) {
      result += fmt::format("\\x{:02x}", static_cast<unsigned char>(c));
    } else {
      result += c;
    }
  }
  return result + "\"";
}

std::string name_text(std::string_view name) {
  const bool is_bare = !name.empty() && std::all_of(name.begin(), name.end(), is_name_character);
  return is_bare ? std::string(name) : in_quotes(name);
}

std::string float_text(double value) {
  if (std::isnan(value)) return "nan";
  if (std::isinf(value)) return value > 0 ? "inf" : "-inf";
  std::string digits = fmt::format("{}", value);
  if (digits.find_first_of(".e") == std::string::npos) digits += ".0";
  return digits;
}

void Scanner::fail(const std::string& what, const std::string& allowed) const { fail_at(position_, what, allowed); }

void Scanner::fail_at(size_t position, const std::string& what, const std::string& allowed) const {
  const std::string_view before = text_.substr(0, position);
  const auto line = std::count(before.begin(), before.end(), '\n') + 1;
  const size_t start_of_line = before.rfind('\n') + 1;  // npos + 1 is 0
  throw TextError({.where = fmt::format("line {}, column {}", line, position - start_of_line + 1),
                   .what = what,
                   .allowed = allowed});
}

size_t Scanner::position() {
  while (position_ < text_.size()) {
    if (text_[position_] == '#') {
      position_ = std::min(text_.find('\n', position_), text_.size());
    } else if (std::string_view(" \t\r\n").find(text_[position_]) != std::string_view::npos) {
      ++position_;
    } else {
      break;
    }
  }
  return position_;
}

bool Scanner::at_name() { return peek() == '"' || is_name_character(peek()); }

std::string Scanner::found() {
  if (at_end()) return "the end";
  const size_t start = position_;
  const std::string_view taken = word();
  position_ = start;
  return fmt::format("'{}'", taken.empty() ? text_.substr(start, 1) : taken);
}

bool Scanner::take(char c) {
  if (peek() != c) return false;
  ++position_;
  return true;
}

bool Scanner::take_word(std::string_view word) {
  const size_t start = position();
  if (this->word() == word) return true;
  position_ = start;
  return false;
}

void Scanner::expect(char c) {
  if (!take(c)) fail(fmt::format("expected '{}', found {}", c, found()));
}

std::string_view Scanner::word() {
  const size_t start = position();
  while (position_ < text_.size() && (is_name_character(text_[position_]) || text_[position_] == '-')) ++position_;
  return text_.substr(start, position_ - start);
}

std::string Scanner::name() {
  if (peek() == '"') return quoted();
  const size_t start = position_;
  while (position_ < text_.size() && is_name_character(text_[position_])) ++position_;
  if (position_ == start) fail("expected a name, found " + found());
  return std::string(text_.substr(start, position_ - start));
}

std::string Scanner::quoted() {
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

char Scanner::escape() {
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

std::string Scanner::quoted_in_brackets() {
  expect('(');
  std::string result = quoted();
  expect(')');
  return result;
}

bool Scanner::boolean() {
  if (take_word("true")) return true;
  if (take_word("false")) return false;
  fail("expected true or false, found " + found());
}

bool Scanner::at_integer() {
  const char c = peek();
  return c == '-' || (c >= '0' && c <= '9');
}

int64_t Scanner::integer() {
  const size_t start = position();
  int64_t value = 0;
  const auto [end, error] = std::from_chars(text_.data() + start, text_.data() + text_.size(), value);
  if (error != std::errc()) fail("expected a 64-bit integer, found " + found());
  position_ = static_cast<size_t>(end - text_.data());
  return value;
}

std::optional<std::variant<int64_t, double>> Scanner::take_number() {
  const size_t start = position();
  std::string text(word());
  if (text.ends_with('e') && take('+')) text += word();  // 1e+20: the sign of an exponent is no letter of a word
  if (const auto integer = parse_number<int64_t>(text)) return *integer;
  if (const auto number = parse_number<double>(text)) return *number;  // reads inf and nan, too
  position_ = start;
  return std::nullopt;
}

std::string_view Scanner::until_separator() {
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

}  // namespace torquant::text
