#include "torquant/io/pt2_payload.h"

#include <ATen/core/Tensor.h>
#include <gtest/gtest.h>

#include "tests/support/pt2_test.h"

namespace torquant {
namespace {

using Pt2Payload = Pt2Test;

TEST_F(Pt2Payload, WeightsAndGraphMustAgree) {
  EXPECT_EQ(error_after_weights([](Json& config) { config.erase("count"); }),
            "count: an input reads this tensor, but the program does not hold it");
  EXPECT_EQ(
      error_after_weights([](Json& config) { config["fc.weight"]["tensor_meta"]["dtype"] = 4; }),
      "fc.weight: input %p_fc_weight is recorded as f32[4, 3], the tensor differs in dtype\n  allowed here: i32[4, 3]");
  EXPECT_EQ(error_after_weights([](Json& config) { config["fc.weight"]["tensor_meta"]["sizes"][0] = {{"as_int", 2}}; }),
            "fc.weight: input %p_fc_weight is recorded as f32[4, 3], the tensor differs in size on axis 0\n  allowed "
            "here: f32[2, 3]");
}

TEST_F(Pt2Payload, ViewsOutsideTheStorageAreRefused) {
  const auto with_meta = [&](const char* key, const Json& value) {
    return error_after_weights([&](Json& config) { config["fc.weight"]["tensor_meta"][key] = value; });
  };
  const std::string where = "data/weights/model_weights_config.json: fc.weight: data/weights/weight_0: ";
  const Json huge = {{{"as_int", int64_t{1} << 62}}, {{"as_int", int64_t{1} << 62}}};
  EXPECT_EQ(with_meta("sizes", huge), where + "sizes [4611686018427387904, 4611686018427387904] overflow");
  EXPECT_EQ(
      with_meta("sizes", Json{{{"as_int", 5}}, {{"as_int", 3}}}),
      where + "a Float tensor of sizes [5, 3], strides [3, 1], offset 0 needs 15 elements, the record has 48 bytes");
  EXPECT_EQ(
      with_meta("storage_offset", {{"as_int", 1}}),
      where + "a Float tensor of sizes [4, 3], strides [3, 1], offset 1 needs 13 elements, the record has 48 bytes");
  EXPECT_EQ(with_meta("storage_offset", {{"as_int", INT64_MAX}}).substr(0, where.size()), where);
  EXPECT_EQ(with_meta("storage_offset", {{"as_int", -1}}),
            where + "storage offset -1 of a stored tensor\n  allowed here: whole numbers from 0");
  EXPECT_EQ(with_meta("strides", Json{{{"as_int", -3}}, {{"as_int", 1}}}),
            where + "stride -3 of a stored tensor\n  allowed here: whole numbers from 0");
  EXPECT_EQ(with_meta("strides", Json{{{"as_int", 0}}, {{"as_int", 0}}}), "");  // one element for all
  Json many = Json::array();
  for (int axis = 0; axis < 65; ++axis) many.push_back({{"as_int", 1}});
  EXPECT_EQ(error_after_weights([&](Json& config) {
              config["fc.weight"]["tensor_meta"]["sizes"] = config["fc.weight"]["tensor_meta"]["strides"] = many;
            }),
            where + "65 axes\n  allowed here: 64");
  EXPECT_NE(with_meta("dtype", 99).find("unknown dtype code 99"), std::string::npos);
  EXPECT_NE(with_meta("layout", 1).find("a sparse tensor\n  allowed here: dense tensors"), std::string::npos);
  EXPECT_NE(with_meta("device", {{"type", "toaster"}, {"index", nullptr}}).find("unknown device \"toaster\""),
            std::string::npos);
}

// A small file may describe a large tensor by strides of 0: it takes the memory of its elements in the storage alone.
TEST_F(Pt2Payload, TensorsWithoutAStorageAreZerosInTheirStrides) {
  const auto with_sizes = [&](int64_t rows, int64_t stride) {
    return error_after([&](Records& records) {
      for (auto& [name, bytes] : records) {
        if (name == "data/weights/weight_0") bytes.clear();
        if (name != "data/weights/model_weights_config.json") continue;
        Json json = Json::parse(bytes);
        for (const char* tensor : {"fc.weight", "tied.weight"}) {
          Json& meta = json["config"][tensor]["tensor_meta"];
          meta["sizes"][0] = {{"as_int", rows}};
          meta["strides"][0] = {{"as_int", stride}};
        }
        bytes = json.dump();
      }
    });
  };
  EXPECT_EQ(with_sizes(4, 3), "");
  EXPECT_EQ(load_pt2(folder_.path("bad.pt2")).find_state("fc.weight")->abs().sum().item<float>(), 0);
  EXPECT_EQ(with_sizes(1000, 0),
            "fc.weight: input %p_fc_weight is recorded as f32[4, 3], the tensor differs in size on axis 0\n  allowed "
            "here: f32[1000, 3]");
  const std::string where = "data/weights/model_weights_config.json: fc.weight: data/weights/weight_0: ";
  for (const int64_t stride : {0, 3}) {
    EXPECT_EQ(with_sizes(int64_t{1} << 40, stride),
              where +
                  "sizes [1099511627776, 3], of which the record holds 0 elements\n  allowed here: 268435456 "
                  "elements that are not stored");
  }
}

TEST_F(Pt2Payload, PickledPayloadsAreRefused) {
  EXPECT_EQ(
      error_after_weights([](Json& config) { config["fc.weight"]["use_pickle"] = true; }),
      "data/weights/model_weights_config.json: fc.weight: data/weights/weight_0: is a pickled Python object (a tensor "
      "subclass)\n  allowed here: plain tensors\n  to go on: call torchao.utils.unwrap_tensor_subclass(model) before "
      "torch.export.export");
}

}  // namespace
}  // namespace torquant
