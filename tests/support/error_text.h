#pragma once

#include <string>

#include "torquant/core/error.h"

namespace torquant {

// The text of the Error that `call` throws; "" if it throws none.
std::string error_text(const auto& call) {
  try {
    call();
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

}  // namespace torquant
