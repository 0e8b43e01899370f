#pragma once

#include <cassert>
#include <optional>
#include <utility>
#include <variant>

#include "torquant/core/error.h"

namespace torquant {

// A value, or why there is none: what functions below the LibTorch line return where those above throw Error.
template <class T>
class [[nodiscard]] Result {
 public:
  Result(T value) : held_(std::in_place_index<0>, std::move(value)) {}          // NOLINT: meant to convert
  Result(ErrorText error) : held_(std::in_place_index<1>, std::move(error)) {}  // NOLINT

  bool ok() const { return held_.index() == 0; }
  // Only where ok().
  T& operator*() & { return *value(); }
  const T& operator*() const& { return *const_cast<Result*>(this)->value(); }
  T&& operator*() && { return std::move(*value()); }
  T* operator->() { return value(); }
  const T* operator->() const { return const_cast<Result*>(this)->value(); }
  // Only where not ok().
  const ErrorText& error() const {
    assert(!ok());
    return *std::get_if<1>(&held_);
  }

 private:
  T* value() {
    assert(ok());
    return std::get_if<0>(&held_);
  }

  std::variant<T, ErrorText> held_;
};

// Done, or why not.
template <>
class [[nodiscard]] Result<void> {
 public:
  Result() = default;
  Result(ErrorText error) : error_(std::move(error)) {}  // NOLINT: meant to convert

  bool ok() const { return !error_.has_value(); }
  const ErrorText& error() const {
    assert(!ok());
    return *error_;
  }

 private:
  std::optional<ErrorText> error_;
};

}  // namespace torquant
