#pragma once

#include <gtest/gtest.h>

#include <cstring>
#include <memory>
#include <new>
#include <random>

#include "torquant/format/tqm_file.h"
#include "torquant/runtime/session.h"

namespace torquant::runtime {

using Floats = std::vector<float>;
using Sizes = std::vector<int64_t>;

// Models of one node on floats, run by sessions.
class FloatSteps : public testing::Test {
 protected:
  // A model that computes `operation` of values of these sizes, of which the last one is its output.
  void build(const std::vector<Sizes>& sizes, format::Operation operation) {
    model_ = {};
    for (const Sizes& each : sizes) {
      const auto index = static_cast<format::ValueIndex>(model_.values.size());
      model_.values.push_back(
          {.name = "v" + std::to_string(index), .type = format::ValueType::kFloat32, .sizes = each});
      (index + 1 < sizes.size() ? model_.inputs : model_.outputs).push_back(index);
    }
    model_.most_batch = 3;
    model_.nodes.push_back({"node", std::move(operation)});
    store();
  }
  void store() {
    const Result<std::string> bytes = format::write_tqm(model_);
    ASSERT_TRUE(bytes.ok()) << bytes.error().where << ": " << bytes.error().what;
    file_.reset(operator new(bytes->size(), std::align_val_t(64)));
    std::memcpy(file_.get(), bytes->data(), bytes->size());
    const auto loaded = LoadedModel::from_memory(file_.get(), bytes->size());
    ASSERT_TRUE(loaded.ok());
    loaded_ = *loaded;
  }

  size_t elements(format::ValueIndex value, size_t batch) const {
    for (size_t i = 1; i < model_.values[value].sizes.size(); ++i)
      batch *= static_cast<size_t>(model_.values[value].sizes[i]);
    return batch;
  }
  std::vector<Floats> random_inputs(size_t batch) const {
    std::mt19937 random(1);
    std::vector<Floats> inputs;
    for (const format::ValueIndex index : model_.inputs) {
      for (float& x : inputs.emplace_back(elements(index, batch)))
        x = std::uniform_real_distribution<float>(-4, 4)(random);
    }
    return inputs;
  }
  std::vector<Floats> run(const std::vector<Floats>& inputs, size_t batch, size_t threads) const {
    std::vector<Floats> outputs;
    std::vector<const void*> from;
    std::vector<float*> to;
    for (const Floats& input : inputs) from.push_back(input.data());
    for (const format::ValueIndex index : model_.outputs)
      to.push_back(outputs.emplace_back(elements(index, batch)).data());
    to.clear();
    for (Floats& output : outputs) to.push_back(output.data());
    const auto session = Session::make(loaded_, batch, threads);
    EXPECT_TRUE(session.ok() && (*session)->run(from, to).ok());
    return outputs;
  }
  // expected(inputs, image): an image of the output, from images of the inputs.
  template <class Expected>
  void expect_each_image(const Expected& expected) {
    for (const size_t batch : {1, 3}) {
      const std::vector<Floats> inputs = random_inputs(batch);
      Floats all;
      for (size_t image = 0; image < batch; ++image) {
        std::vector<Floats> one;
        for (const Floats& input : inputs) {
          const auto size = static_cast<ptrdiff_t>(input.size() / batch), at = static_cast<ptrdiff_t>(image) * size;
          one.emplace_back(input.begin() + at, input.begin() + at + size);
        }
        const Floats made = expected(one);
        all.insert(all.end(), made.begin(), made.end());
      }
      for (size_t threads = 1; threads <= 4; ++threads)
        EXPECT_EQ(run(inputs, batch, threads)[0], all) << "batch " << batch << ", threads " << threads;
    }
  }

  struct Free {
    void operator()(void* memory) const { operator delete(memory, std::align_val_t(64)); }
  };
  format::Model model_;
  std::unique_ptr<void, Free> file_;
  std::shared_ptr<const LoadedModel> loaded_;
};

}  // namespace torquant::runtime
