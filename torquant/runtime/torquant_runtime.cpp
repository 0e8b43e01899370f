#include "torquant/runtime/torquant_runtime.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <new>
#include <stdexcept>
#include <string>
#include <system_error>
#include <vector>

#include "torquant/format/at_length.h"
#include "torquant/runtime/session.h"

using torquant::ErrorText;
using torquant::Result;
using torquant::runtime::LoadedModel;
using torquant::runtime::Session;

namespace {

struct TensorInfo {
  std::string name;
  torquant_dtype dtype;
  std::vector<int64_t> sizes, growth;
  size_t bytes;
};

// A dtype as messages show it, and how its numbers must be aligned.
struct DtypeFacts {
  const char* constant;
  const char* name;
  size_t bytes;
};
DtypeFacts facts_of(torquant_dtype dtype) {
  return dtype == TORQUANT_INT64 ? DtypeFacts{"TORQUANT_INT64", "int64", sizeof(int64_t)}
                                 : DtypeFacts{"TORQUANT_FLOAT32", "float32", sizeof(float)};
}

struct Infos {
  std::vector<TensorInfo> inputs, outputs;
};

}  // namespace

struct torquant_model {
  std::shared_ptr<const LoadedModel> loaded;
  Infos infos;
};

struct torquant_session {
  std::shared_ptr<const LoadedModel> loaded;
  std::unique_ptr<Session> session;
  Infos infos;
  std::vector<const void*> inputs;  // what run() hands on
  std::vector<float*> outputs;
};

namespace {

// No string: a message must be possible where memory is not.
thread_local char last_error[2048] = "";

torquant_status fail(torquant_status status, const char* message) {
  std::strncpy(last_error, message, sizeof last_error - 1);
  return status;
}

torquant_status fail(torquant_status status, const ErrorText& error) {
  return fail(status, torquant::Error(error).what());
}

torquant_status wrong(const char* function, std::string what, std::string allowed = "") {
  return fail(TORQUANT_INVALID_ARGUMENT,
              ErrorText{.where = function, .what = std::move(what), .allowed = std::move(allowed)});
}

torquant_status null_argument(const char* function, const char* argument) {
  return wrong(function, std::string(argument) + " is null");
}

// Where the exceptions of the standard library end; ours is Result.
template <class Body>
torquant_status guarded(const Body& body) noexcept {
  try {
    return body();
  } catch (const std::bad_alloc&) {
    return fail(TORQUANT_OUT_OF_MEMORY, "there is not enough memory");
  } catch (const std::length_error&) {
    return fail(TORQUANT_OUT_OF_MEMORY, "there is not enough memory");
  } catch (const std::system_error& error) {
    return fail(TORQUANT_OUT_OF_THREADS, error.what());
  } catch (const std::exception& error) {
    return fail(TORQUANT_INTERNAL_ERROR, error.what());
  } catch (...) {
    return fail(TORQUANT_INTERNAL_ERROR, "an unknown exception");
  }
}

std::vector<TensorInfo> infos_of(const torquant::format::Model& model,
                                 const std::vector<torquant::format::ValueIndex>& values, int64_t batch,
                                 int64_t length) {
  std::vector<TensorInfo> infos;
  for (const torquant::format::ValueIndex index : values) {
    const torquant::format::Value& value = model.values[index];
    const bool is_integers = value.type == torquant::format::ValueType::kInt64;
    TensorInfo info{.name = value.name,
                    .dtype = is_integers ? TORQUANT_INT64 : TORQUANT_FLOAT32,
                    .sizes = sizes_at(model, value, batch, length),
                    .growth = value.growth,
                    .bytes = bytes_of(value.type)};
    info.growth.resize(info.sizes.size(), 0);
    for (const int64_t size : info.sizes) info.bytes *= static_cast<size_t>(size);
    infos.push_back(std::move(info));
  }
  return infos;
}

Infos infos_of(const torquant::format::Model& model, int64_t batch, int64_t length) {
  return {infos_of(model, model.inputs, batch, length), infos_of(model, model.outputs, batch, length)};
}

torquant_status give_model(const Result<std::shared_ptr<const LoadedModel>>& loaded, torquant_model** model,
                           torquant_status otherwise = TORQUANT_INVALID_MODEL) {
  if (!loaded.ok()) return fail(otherwise, loaded.error());
  const torquant::format::Model& held = (*loaded)->model();
  *model = new torquant_model{*loaded, infos_of(held, held.least_batch, held.least_length)};
  return TORQUANT_OK;
}

// What both ways to load a model begin with.
torquant_status begin_load(const char* function, torquant_model** model) {
  if (model == nullptr) return null_argument(function, "model");
  *model = nullptr;
  const Result<torquant::CpuIsa> isa = torquant::choose_cpu_isa();
  return isa.ok() ? TORQUANT_OK : fail(TORQUANT_INVALID_ISA, isa.error());
}

torquant_status give_range(const char* function, const torquant_model* model, int64_t torquant::format::Model::* from,
                           int64_t torquant::format::Model::* to, int64_t* least, int64_t* most) {
  if (model == nullptr) return null_argument(function, "model");
  if (least == nullptr || most == nullptr) return null_argument(function, least == nullptr ? "least" : "most");
  *least = model->loaded->model().*from;
  *most = model->loaded->model().*to;
  return TORQUANT_OK;
}

torquant_status check_range(const char* function, const char* what, int64_t number, int64_t least, int64_t most) {
  if (number >= least && number <= most) return TORQUANT_OK;
  return wrong(function, std::string(what) + " is " + std::to_string(number),
               std::to_string(least) + (least == most ? "" : " to " + std::to_string(most)));
}

// Batch and length of runs, of which 0 is the model's least.
torquant_status check_size(const char* function, const torquant::format::Model& model, int64_t batch, int64_t& length) {
  if (length == 0) length = model.least_length;
  const torquant_status status = check_range(function, "batch", batch, model.least_batch, model.most_batch);
  return status == TORQUANT_OK ? check_range(function, "length", length, model.least_length, model.most_length)
                               : status;
}

torquant_status tell(const char* function, const std::vector<TensorInfo>& infos, size_t index,
                     torquant_tensor_info* info) {
  if (info == nullptr) return null_argument(function, "info");
  constexpr size_t kFirstSize = offsetof(torquant_tensor_info, growth);  // of the first header
  if (info->struct_size < kFirstSize) {
    return wrong(function, "struct_size is " + std::to_string(info->struct_size),
                 "sizeof(torquant_tensor_info), " + std::to_string(kFirstSize) + " or more");
  }
  if (index >= infos.size()) {
    return wrong(function, "index is " + std::to_string(index), "0 to " + std::to_string(infos.size() - 1));
  }
  const TensorInfo& told = infos[index];
  const torquant_tensor_info all = {.struct_size = info->struct_size,
                                    .name = told.name.c_str(),
                                    .dtype = told.dtype,
                                    .rank = told.sizes.size(),
                                    .sizes = told.sizes.data(),
                                    .bytes = told.bytes,
                                    .growth = told.growth.data()};
  std::memcpy(info, &all, std::min(info->struct_size, sizeof all));
  return TORQUANT_OK;
}

// The options of the caller, who may have been compiled with a later header: what this library does not know must be 0.
torquant_status read_options(const char* function, const torquant_session_options& given,
                             torquant_session_options& options) {
  constexpr size_t kMostSize = 4096;  // no header has more; one that was not set is seldom less
  constexpr size_t kFirstSize = offsetof(torquant_session_options, length);  // of the first header
  const size_t known = sizeof options;
  if (given.struct_size < kFirstSize || given.struct_size > kMostSize) {
    return wrong(function, "struct_size is " + std::to_string(given.struct_size),
                 "sizeof(torquant_session_options), here " + std::to_string(known));
  }
  const auto* bytes = reinterpret_cast<const unsigned char*>(&given);
  const auto* end = bytes + given.struct_size;
  const auto* unknown = std::find_if(std::min(bytes + known, end), end, [](unsigned char byte) { return byte != 0; });
  if (unknown != end) {
    return wrong(function, "options set at byte " + std::to_string(unknown - bytes) + " are unknown to this library",
                 "the first " + std::to_string(known) + " bytes, zeros behind them");
  }
  std::memcpy(&options, &given, std::min(given.struct_size, known));
  return TORQUANT_OK;
}

template <class Buffer>
bool overlap(const torquant_output& output, const Buffer& other) {
  const auto a = reinterpret_cast<uintptr_t>(output.data), b = reinterpret_cast<uintptr_t>(other.data);
  return a < b + other.bytes && b < a + output.bytes;
}

// Inputs or outputs against what the session takes.
template <class Buffer>
torquant_status check_buffers(const char* what, const std::vector<TensorInfo>& infos, const Buffer* buffers,
                              size_t count) {
  constexpr const char* kFunction = "torquant_session_run";
  if (count != infos.size()) {
    return wrong(kFunction, std::to_string(count) + " " + what + "s were given", std::to_string(infos.size()));
  }
  if (buffers == nullptr) return null_argument(kFunction, (std::string(what) + "s").c_str());
  for (size_t i = 0; i < count; ++i) {
    const Buffer& buffer = buffers[i];
    const auto bad = [&](const std::string& problem, const std::string& allowed = "") {
      return wrong(kFunction, std::string(what) + " " + std::to_string(i) + " (" + infos[i].name + ") " + problem,
                   allowed);
    };
    if (buffer.data == nullptr) return bad("has null data");
    const DtypeFacts dtype = facts_of(infos[i].dtype);
    if (buffer.dtype != infos[i].dtype) {
      return bad("has dtype " + std::to_string(static_cast<int>(buffer.dtype)),
                 std::string(dtype.constant) + " (" + std::to_string(static_cast<int>(infos[i].dtype)) + ")");
    }
    if (buffer.bytes != infos[i].bytes) {
      return bad("has " + std::to_string(buffer.bytes) + " bytes", std::to_string(infos[i].bytes));
    }
    if (reinterpret_cast<uintptr_t>(buffer.data) % dtype.bytes != 0) {
      return bad("begins at no multiple of " + std::to_string(dtype.bytes) + " bytes",
                 std::string("addresses that numbers of ") + dtype.name + " have");
    }
  }
  return TORQUANT_OK;
}

torquant_status check_overlaps(const torquant_input* inputs, size_t input_count, const torquant_output* outputs,
                               size_t output_count) {
  for (size_t i = 0; i < output_count; ++i) {
    const auto bad = [&](const char* what, size_t other) {
      return wrong("torquant_session_run",
                   "output " + std::to_string(i) + " overlaps " + what + " " + std::to_string(other));
    };
    for (size_t j = 0; j < input_count; ++j) {
      if (overlap(outputs[i], inputs[j])) return bad("input", j);
    }
    for (size_t j = 0; j < i; ++j) {
      if (overlap(outputs[i], outputs[j])) return bad("output", j);
    }
  }
  return TORQUANT_OK;
}

}  // namespace

extern "C" {

const char* torquant_last_error(void) { return last_error; }
const char* torquant_version(void) { return TORQUANT_VERSION; }
int32_t torquant_abi_version(void) { return TORQUANT_RUNTIME_ABI; }

torquant_status torquant_model_load(const char* path, torquant_model** model) {
  return guarded([&] {
    if (const torquant_status begun = begin_load("torquant_model_load", model); begun != TORQUANT_OK) return begun;
    if (path == nullptr) return null_argument("torquant_model_load", "path");
    return give_model(LoadedModel::load(path), model);
  });
}

torquant_status torquant_model_load_memory(const void* data, size_t size, torquant_model** model) {
  return guarded([&] {
    if (const torquant_status begun = begin_load("torquant_model_load_memory", model); begun != TORQUANT_OK)
      return begun;
    if (data == nullptr) return null_argument("torquant_model_load_memory", "data");
    const bool aligned = reinterpret_cast<uintptr_t>(data) % 64 == 0;
    return give_model(LoadedModel::from_memory(data, size), model,
                      aligned ? TORQUANT_INVALID_MODEL : TORQUANT_INVALID_ARGUMENT);
  });
}

void torquant_model_free(torquant_model* model) { delete model; }

torquant_status torquant_model_batch_range(const torquant_model* model, int64_t* least, int64_t* most) {
  return guarded([&] {
    using torquant::format::Model;
    return give_range("torquant_model_batch_range", model, &Model::least_batch, &Model::most_batch, least, most);
  });
}

torquant_status torquant_model_length_range(const torquant_model* model, int64_t* least, int64_t* most) {
  return guarded([&] {
    using torquant::format::Model;
    return give_range("torquant_model_length_range", model, &Model::least_length, &Model::most_length, least, most);
  });
}

const char* torquant_model_isa(const torquant_model* model) {
  return model == nullptr ? nullptr : torquant::name_of(model->loaded->isa()).data();
}

size_t torquant_model_input_count(const torquant_model* model) {
  return model == nullptr ? 0 : model->infos.inputs.size();
}

size_t torquant_model_output_count(const torquant_model* model) {
  return model == nullptr ? 0 : model->infos.outputs.size();
}

torquant_status torquant_model_input(const torquant_model* model, size_t index, torquant_tensor_info* info) {
  return guarded([&] {
    if (model == nullptr) return null_argument("torquant_model_input", "model");
    return tell("torquant_model_input", model->infos.inputs, index, info);
  });
}

torquant_status torquant_model_output(const torquant_model* model, size_t index, torquant_tensor_info* info) {
  return guarded([&] {
    if (model == nullptr) return null_argument("torquant_model_output", "model");
    return tell("torquant_model_output", model->infos.outputs, index, info);
  });
}

torquant_status torquant_session_create(const torquant_model* model, const torquant_session_options* options,
                                        torquant_session** session) {
  return guarded([&] {
    constexpr const char* kFunction = "torquant_session_create";
    if (session == nullptr) return null_argument(kFunction, "session");
    *session = nullptr;
    if (model == nullptr) return null_argument(kFunction, "model");
    torquant_session_options chosen = TORQUANT_SESSION_OPTIONS_INIT;
    if (options != nullptr) {
      const torquant_status status = read_options(kFunction, *options, chosen);
      if (status != TORQUANT_OK) return status;
    }
    const torquant::format::Model& held = model->loaded->model();
    torquant_status status = check_size(kFunction, held, chosen.batch, chosen.length);
    if (status == TORQUANT_OK) status = check_range(kFunction, "threads", chosen.threads, 1, Session::kMostThreads);
    if (status != TORQUANT_OK) return status;
    Result<std::unique_ptr<Session>> made = Session::make(
        model->loaded, {static_cast<size_t>(chosen.batch), chosen.length}, static_cast<size_t>(chosen.threads));
    if (!made.ok()) return fail(TORQUANT_INVALID_ARGUMENT, made.error());
    Infos infos = infos_of(held, chosen.batch, chosen.length);
    std::vector<const void*> inputs(infos.inputs.size());
    std::vector<float*> outputs(infos.outputs.size());
    *session =
        new torquant_session{model->loaded, *std::move(made), std::move(infos), std::move(inputs), std::move(outputs)};
    return TORQUANT_OK;
  });
}

torquant_status torquant_session_resize(torquant_session* session, int64_t batch, int64_t length) {
  return guarded([&] {
    constexpr const char* kFunction = "torquant_session_resize";
    if (session == nullptr) return null_argument(kFunction, "session");
    const torquant::format::Model& held = session->loaded->model();
    if (const torquant_status status = check_size(kFunction, held, batch, length); status != TORQUANT_OK) return status;
    Infos infos = infos_of(held, batch, length);
    const Result<void> done = session->session->resize({static_cast<size_t>(batch), length});
    if (!done.ok()) return fail(TORQUANT_INVALID_ARGUMENT, done.error());
    session->infos = std::move(infos);
    return TORQUANT_OK;
  });
}

void torquant_session_free(torquant_session* session) { delete session; }

torquant_status torquant_session_input(const torquant_session* session, size_t index, torquant_tensor_info* info) {
  return guarded([&] {
    if (session == nullptr) return null_argument("torquant_session_input", "session");
    return tell("torquant_session_input", session->infos.inputs, index, info);
  });
}

torquant_status torquant_session_output(const torquant_session* session, size_t index, torquant_tensor_info* info) {
  return guarded([&] {
    if (session == nullptr) return null_argument("torquant_session_output", "session");
    return tell("torquant_session_output", session->infos.outputs, index, info);
  });
}

size_t torquant_session_memory_bytes(const torquant_session* session) {
  return session == nullptr ? 0 : session->session->memory_bytes();
}

torquant_status torquant_session_run(torquant_session* session, const torquant_input* inputs, size_t input_count,
                                     const torquant_output* outputs, size_t output_count) {
  return guarded([&] {
    if (session == nullptr) return null_argument("torquant_session_run", "session");
    torquant_status status = check_buffers("input", session->infos.inputs, inputs, input_count);
    if (status == TORQUANT_OK) status = check_buffers("output", session->infos.outputs, outputs, output_count);
    if (status == TORQUANT_OK) status = check_overlaps(inputs, input_count, outputs, output_count);
    if (status != TORQUANT_OK) return status;
    for (size_t i = 0; i < input_count; ++i) session->inputs[i] = inputs[i].data;
    for (size_t i = 0; i < output_count; ++i) session->outputs[i] = static_cast<float*>(outputs[i].data);
    const Result<void> done = session->session->run(session->inputs, session->outputs);
    return done.ok() ? TORQUANT_OK : fail(TORQUANT_INVALID_ARGUMENT, done.error());
  });
}

}  // extern "C"
