#pragma once

#include <string>

#include "torquant/core/error.h"

namespace torquant {

// What the Error thrown by `call` says, "no error" where it throws none.
template <class Call>
std::string message_of(const Call& call) {
  try {
    call();
  } catch (const Error& error) {
    return error.what();
  }
  return "no error";
}

}  // namespace torquant
