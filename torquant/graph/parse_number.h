#pragma once

#include <charconv>
#include <optional>
#include <string_view>

namespace torquant {

// The number that the whole of `text` is; nothing for any other text, or where T does not hold it.
template <typename T>
std::optional<T> parse_number(std::string_view text) {
  T value = 0;
  const char* const end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, value);
  return error == std::errc() && stop == end ? std::optional(value) : std::nullopt;
}

}  // namespace torquant
