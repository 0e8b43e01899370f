// torquant_runtime.h for C++17: objects that free themselves, and errors as exceptions, since a constructor has nothing
// else to give back; code without exceptions calls the C functions. Inline functions alone: there is no C++ ABI between
// a program and the library.
//
//   const torquant_runtime::Model model("net.tqm");
//   torquant_runtime::Session session(model, {1, 2});  // images, threads
//   std::vector<float> image(session.input(0).elements()), scores(session.output(0).elements());
//   session.run({torquant_runtime::input(image)}, {torquant_runtime::output(scores)});
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "torquant/runtime/torquant_runtime.h"

namespace torquant_runtime {

class Error : public std::runtime_error {
 public:
  Error(torquant_status status, const char* message) : std::runtime_error(message), status_(status) {}
  torquant_status status() const { return status_; }

 private:
  torquant_status status_;
};

inline void check(torquant_status status) {
  if (status != TORQUANT_OK) throw Error(status, torquant_last_error());
}

struct TensorInfo {
  std::string name;
  torquant_dtype dtype;
  std::vector<int64_t> sizes;
  size_t bytes;
  std::vector<int64_t> growth;  // of sizes, with the length

  size_t elements() const {
    size_t elements = 1;
    for (const int64_t size : sizes) elements *= static_cast<size_t>(size);
    return elements;
  }
};

namespace detail {

template <class Ask, class Asked>
TensorInfo info(Ask ask, const Asked* asked, size_t index) {
  torquant_tensor_info told = {};
  told.struct_size = sizeof told;
  check(ask(asked, index, &told));
  return {
      told.name, told.dtype, {told.sizes, told.sizes + told.rank}, told.bytes, {told.growth, told.growth + told.rank}};
}

}  // namespace detail

// Of any number of threads at once.
class Model {
 public:
  explicit Model(const std::string& path) {
    torquant_model* model = nullptr;
    check(torquant_model_load(path.c_str(), &model));
    model_.reset(model);
  }
  // The bytes must outlive the model and its sessions.
  Model(const void* data, size_t size) {
    torquant_model* model = nullptr;
    check(torquant_model_load_memory(data, size, &model));
    model_.reset(model);
  }

  struct Range {
    int64_t least, most;
  };
  Range batch_range() const {
    Range range{};
    check(torquant_model_batch_range(get(), &range.least, &range.most));
    return range;
  }
  Range length_range() const {
    Range range{};
    check(torquant_model_length_range(get(), &range.least, &range.most));
    return range;
  }
  size_t input_count() const { return torquant_model_input_count(get()); }
  size_t output_count() const { return torquant_model_output_count(get()); }
  TensorInfo input(size_t index) const { return detail::info(torquant_model_input, get(), index); }
  TensorInfo output(size_t index) const { return detail::info(torquant_model_output, get(), index); }
  std::string isa() const { return torquant_model_isa(get()); }
  const torquant_model* get() const { return model_.get(); }

 private:
  struct Free {
    void operator()(torquant_model* model) const { torquant_model_free(model); }
  };
  std::unique_ptr<torquant_model, Free> model_;
};

struct SessionOptions {
  int64_t batch = 1;
  int64_t threads = 1;
  int64_t length = 0;  // the model's least
};

inline torquant_input input(const std::vector<float>& numbers) {
  return {numbers.data(), numbers.size() * sizeof(float), TORQUANT_FLOAT32};
}
inline torquant_input input(const std::vector<int64_t>& numbers) {
  return {numbers.data(), numbers.size() * sizeof(int64_t), TORQUANT_INT64};
}
inline torquant_output output(std::vector<float>& numbers) {
  return {numbers.data(), numbers.size() * sizeof(float), TORQUANT_FLOAT32};
}

// One run at a time.
class Session {
 public:
  explicit Session(const Model& model, SessionOptions options = {}) {
    const torquant_session_options chosen = {sizeof chosen, options.batch, options.threads, options.length};
    torquant_session* session = nullptr;
    check(torquant_session_create(model.get(), &chosen, &session));
    session_.reset(session);
  }

  // What input() and output() told before is no longer so.
  void resize(int64_t batch, int64_t length = 0) { check(torquant_session_resize(get(), batch, length)); }
  TensorInfo input(size_t index) const { return detail::info(torquant_session_input, get(), index); }
  TensorInfo output(size_t index) const { return detail::info(torquant_session_output, get(), index); }
  size_t memory_bytes() const { return torquant_session_memory_bytes(get()); }

  // A caller who keeps the vectors allocates nothing.
  void run(const std::vector<torquant_input>& inputs, const std::vector<torquant_output>& outputs) {
    check(torquant_session_run(get(), inputs.data(), inputs.size(), outputs.data(), outputs.size()));
  }
  torquant_session* get() const { return session_.get(); }

 private:
  struct Free {
    void operator()(torquant_session* session) const { torquant_session_free(session); }
  };
  std::unique_ptr<torquant_session, Free> session_;
};

}  // namespace torquant_runtime
