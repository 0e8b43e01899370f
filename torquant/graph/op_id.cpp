#include "torquant/graph/op_id.h"

#include <algorithm>
#include <cassert>
#include <mutex>
#include <unordered_set>

namespace torquant {
namespace {

const std::string* intern(std::string_view name) {
  static std::mutex mutex;
  static auto* names = new std::unordered_set<std::string>();  // never destroyed: OpIds may live in statics
  const std::lock_guard lock(mutex);
  return &*names->emplace(name).first;
}

}  // namespace

OpId::OpId(std::string_view name) : name_(intern(name)) {}

bool OpId::is_dispatcher_op() const { return std::count(name_->begin(), name_->end(), '.') == 2; }

std::string OpId::qualified_name() const {
  assert(is_dispatcher_op());
  const size_t first = name_->find('.');
  const size_t last = name_->rfind('.');
  return name_->substr(0, first) + "::" + name_->substr(first + 1, last - first - 1);
}

std::string OpId::overload() const {
  assert(is_dispatcher_op());
  std::string overload = name_->substr(name_->rfind('.') + 1);
  return overload == "default" ? "" : overload;
}

}  // namespace torquant
