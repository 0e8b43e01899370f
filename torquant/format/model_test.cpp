#include "torquant/format/model.h"

#include <gtest/gtest.h>

#include <functional>
#include <limits>

#include "tests/support/tiny_branches.h"
#include "tests/support/tiny_float_net.h"
#include "tests/support/tiny_floats.h"
#include "tests/support/tiny_model.h"
#include "tests/support/tiny_rotation.h"
#include "tests/support/tiny_transformer.h"

namespace torquant::format {
namespace {

struct Damage {
  const char* says;
  std::function<void(TinyModel&)> make;
};

class CheckModel : public testing::TestWithParam<Damage> {};

TEST(CheckModel, TakesAModelWithEachKindOfNode) {
  TinyModel tiny;
  const Result<void> checked = check_model(tiny.model);
  EXPECT_TRUE(checked.ok()) << (checked.ok() ? "" : checked.error().where + ": " + checked.error().what);
}

TEST_P(CheckModel, RefusesWhatTheRuntimeCannotRun) {
  TinyModel tiny;
  GetParam().make(tiny);
  const Result<void> checked = check_model(tiny.model);
  ASSERT_FALSE(checked.ok()) << GetParam().says;
  EXPECT_NE((checked.error().where + ": " + checked.error().what).find(GetParam().says), std::string::npos)
      << checked.error().where << ": " << checked.error().what;
}

const auto kNan = std::numeric_limits<float>::quiet_NaN();

INSTANTIATE_TEST_SUITE_P(
    All, CheckModel,
    testing::Values(
        Damage{"takes batches of 0 to 9", [](TinyModel& t) { t.model.least_batch = 0; }},
        Damage{"takes batches of 1 to 0", [](TinyModel& t) { t.model.most_batch = 0; }},
        Damage{"value wide: has sizes [1, 20, 8, 8, 1, 1], not",
               [](TinyModel& t) { t.model.values[2].sizes.resize(6, 1); }},
        Damage{"value wide: has sizes [1, 20, -8, 8]", [](TinyModel& t) { t.model.values[2].sizes[2] = -8; }},
        Damage{"value wide: has sizes [1, 65536, 65536, 8]",
               [](TinyModel& t) { t.model.values[2].sizes = {1, 65536, 65536, 8}; }},
        Damage{"[2, 20, 8, 8] in a model for batches of 1", [](TinyModel& t) { t.model.values[2].sizes[0] = 2; }},
        Damage{"value codes: has no scale above 0", [](TinyModel& t) { t.model.values[1].grid.scale = 0; }},
        Damage{"value codes: has no scale above 0", [](TinyModel& t) { t.model.values[1].grid.scale = kNan; }},
        Damage{"value codes: has no scale above 0", [](TinyModel& t) { t.model.values[1].grid.zero_point = 256; }},
        Damage{"model: has 16385 nodes and 9 values",
               [](TinyModel& t) { t.model.nodes.resize(16385, t.model.nodes[0]); }},
        Damage{"…: is a name of more than 1024 bytes", [](TinyModel& t) { t.model.values[3].name.resize(1025, 'x'); }},
        Damage{"…: is a name of more than 1024 bytes", [](TinyModel& t) { t.model.nodes[3].name.resize(1025, 'x'); }},
        Damage{"node pool: has a window of 8193 pixels",
               [](TinyModel& t) {
                 format::Windows& windows = std::get<MaxPool>(t.model.nodes[2].operation).windows;
                 windows.kernel[0] = 3, windows.dilation[0] = 4096;
               }},
        Damage{"node mean: has scales too far apart", [](TinyModel& t) { t.model.values[6].grid.scale = 1e-40; }},
        Damage{"node add: has scales too far apart", [](TinyModel& t) { t.model.values[5].grid.scale = 1e-8; }},
        Damage{"inputs: name no value", [](TinyModel& t) { t.model.inputs = {99}; }},
        Damage{"inputs: name no value, or one twice", [](TinyModel& t) { t.model.inputs = {0, 0}; }},
        Damage{"outputs: name a value that no node gives", [](TinyModel& t) { t.model.outputs = {99}; }},
        Damage{"outputs: name a value that no node gives, or one twice",
               [](TinyModel& t) { t.model.outputs = {8, 8}; }},
        Damage{"outputs: name a value that no node gives", [](TinyModel& t) { t.model.outputs = {0}; }},
        Damage{"model: has no inputs or no outputs", [](TinyModel& t) { t.model.outputs.clear(); }},
        Damage{"node pool: reads a value that nothing before it gives",
               [](TinyModel& t) { std::swap(t.model.nodes[1], t.model.nodes[2]); }},
        Damage{"node conv: gives no value, or one that is there already",
               [](TinyModel& t) { t.layer_of(1).output = 1; }},
        Damage{"node conv: gives no value", [](TinyModel& t) { t.layer_of(1).output = 1000; }},
        Damage{"node point: reads a value that nothing before it gives",
               [](TinyModel& t) { t.layer_of(3).residual = 7; }},
        Damage{"node point: makes [1, 20, 4, 4] of [1, 20, 8, 8]", [](TinyModel& t) { t.layer_of(3).residual = 2; }},
        Damage{"node quantize: reads or gives values of another type",
               [](TinyModel& t) { t.model.values[0].type = ValueType::kUint8; }},
        Damage{"node conv: makes [1, 20, 8, 8] of [1, 3, 8, 8]",
               [](TinyModel& t) { t.layer_of(1).windows.stride[0] = 2; }},
        Damage{"node conv: has padding 3 around a window of 3",
               [](TinyModel& t) { t.layer_of(1).windows.padding[1] = 3; }},
        Damage{"node conv: has a kernel, stride or dilation of 0",
               [](TinyModel& t) { t.layer_of(1).windows.stride[1] = 0; }},
        Damage{"node conv: has 1216 bytes of weights, not 1152",
               [](TinyModel& t) { t.layer_of(1).weights = {t.layer_of(1).weights.data(), 1216}; }},
        Damage{"node conv: has other numbers than 32", [](TinyModel& t) { t.layer_of(1).start = {}; }},
        Damage{"node conv: has other numbers than 32", [](TinyModel& t) { t.layer_of(1).pairs_fit = {}; }},
        Damage{"node point: has a multiplier, offset or start out of range",
               [](TinyModel& t) { t.layer_of(3).residual_multiplier = kNan; }},
        Damage{"node conv: has a multiplier, offset or start out of range",
               [](TinyModel& t) {
                 static const std::vector<int32_t> kLeast(32, std::numeric_limits<int32_t>::min());
                 t.layer_of(1).start = kLeast;
               }},
        Damage{"node mean: makes [1, 20, 2, 1] of [1, 20, 4, 4]", [](TinyModel& t) { t.model.values[6].sizes[2] = 2; }},
        Damage{"node linear: makes [1, 5, 2, 2] of [1, 20]",
               [](TinyModel& t) { t.model.values[8].sizes = {1, 5, 2, 2}; }}));

struct BranchDamage {
  const char* says;
  std::function<void(TinyBranches&)> make;
};

class CheckBranches : public testing::TestWithParam<BranchDamage> {};

TEST(CheckModel, TakesTheOtherKindsOfNodes) {
  TinyBranches tiny;
  const Result<void> checked = check_model(tiny.model);
  EXPECT_TRUE(checked.ok()) << (checked.ok() ? "" : checked.error().where + ": " + checked.error().what);
}

TEST_P(CheckBranches, RefusesWhatTheRuntimeCannotRun) {
  TinyBranches tiny;
  GetParam().make(tiny);
  const Result<void> checked = check_model(tiny.model);
  ASSERT_FALSE(checked.ok()) << GetParam().says;
  EXPECT_NE((checked.error().where + ": " + checked.error().what).find(GetParam().says), std::string::npos)
      << checked.error().where << ": " << checked.error().what;
}

INSTANTIATE_TEST_SUITE_P(
    All, CheckBranches,
    testing::Values(
        BranchDamage{"node conv: has 0 groups", [](TinyBranches& t) { t.at<Layer>(1).groups = 0; }},
        BranchDamage{"node conv: has 4 groups", [](TinyBranches& t) { t.at<Layer>(1).groups = 4; }},
        BranchDamage{"node conv: has 1728 bytes of weights, not", [](TinyBranches& t) { t.at<Layer>(1).groups = 1; }},
        BranchDamage{"node turn: has a table of 3 codes",
                     [](TinyBranches& t) { t.at<MapCodes>(2).table = t.at<MapCodes>(2).table.first(3); }},
        BranchDamage{"node turn: makes [1, 12, 6, 6] of [1, 6, 6, 6]",
                     [](TinyBranches& t) { t.at<MapCodes>(2).input = 1; }},
        BranchDamage{"node window: makes [1, 12, 3, 3] of [1, 12, 6, 6]",
                     [](TinyBranches& t) { t.at<AveragePool>(3).windows.stride[0] = 1; }},
        BranchDamage{"node window: has dilated windows",
                     [](TinyBranches& t) {
                       t.at<AveragePool>(3).windows.dilation[0] = 2;
                       t.at<AveragePool>(3).windows.padding[0] = 1;
                     }},
        BranchDamage{"node scale: makes [1, 12, 3, 3] of [1, 12, 6, 6]",
                     [](TinyBranches& t) { t.at<Multiply>(5).b = 3; }},
        BranchDamage{"node scale: has scales too far apart",
                     [](TinyBranches& t) { t.model.values[6].grid.scale = 1e-12; }},
        BranchDamage{"node window: has scales too far apart",
                     [](TinyBranches& t) { t.model.values[4].grid.scale = 1e-12; }},
        BranchDamage{"node both: has inputs of 12 channels",
                     [](TinyBranches& t) { t.at<Concat>(6).inputs.pop_back(); }},
        BranchDamage{"node both: makes [1, 24, 3, 3] of [1, 12, 1, 1]",
                     [](TinyBranches& t) { t.at<Concat>(6).inputs[0] = 5; }},
        BranchDamage{"node both: reads a value that nothing before it gives",
                     [](TinyBranches& t) { t.at<Concat>(6).inputs[0] = 9999; }},
        BranchDamage{"node both: moves codes to another grid",
                     [](TinyBranches& t) { t.model.values[7].grid.zero_point = 3; }},
        BranchDamage{"node shuffle: moves codes to another grid",
                     [](TinyBranches& t) { t.model.values[8].grid.scale = 3; }},
        BranchDamage{"node shuffle: reads elements outside its input",
                     [](TinyBranches& t) { t.at<Rearrange>(7).begin = 1; }},
        BranchDamage{"node shuffle: reads elements outside its input",
                     [](TinyBranches& t) { t.at<Rearrange>(7).steps[2] = -9; }},
        BranchDamage{"node shuffle: makes", [](TinyBranches& t) { t.at<Rearrange>(7).begin = -1; }},
        BranchDamage{"node shuffle: makes", [](TinyBranches& t) { t.at<Rearrange>(7).sizes[0] = 11; }},
        BranchDamage{"node shuffle: makes", [](TinyBranches& t) { t.at<Rearrange>(7).sizes.pop_back(); }},
        BranchDamage{"node shuffle: makes", [](TinyBranches& t) { t.at<Rearrange>(7).sizes[0] = int64_t{1} << 60; }},
        BranchDamage{"node plus: makes [1, 12, 3, 6] of [1, 12, 3, 3]", [](TinyBranches& t) { t.at<Add>(8).a = 4; }}));

struct FloatDamage {
  const char* says;
  std::function<void(TinyFloats&)> make;
};

class CheckFloats : public testing::TestWithParam<FloatDamage> {};

TEST(CheckModel, TakesFloatsAnywhere) {
  TinyFloats tiny;
  const Result<void> checked = check_model(tiny.model);
  EXPECT_TRUE(checked.ok()) << (checked.ok() ? "" : checked.error().where + ": " + checked.error().what);
}

TEST_P(CheckFloats, RefusesWhatTheRuntimeCannotRun) {
  TinyFloats tiny;
  GetParam().make(tiny);
  const Result<void> checked = check_model(tiny.model);
  ASSERT_FALSE(checked.ok()) << GetParam().says;
  EXPECT_NE((checked.error().where + ": " + checked.error().what).find(GetParam().says), std::string::npos)
      << checked.error().where << ": " << checked.error().what;
}

constexpr const char* kOtherTypes = ": reads or gives values of another type";

INSTANTIATE_TEST_SUITE_P(
    All, CheckFloats,
    testing::Values(
        FloatDamage{"node silu: has function 22, which this version does not know",
                    [](TinyFloats& t) { t.at<FloatMap>(2).function = static_cast<FloatFunction>(22); }},
        FloatDamage{"node silu: makes [1, 8, 4, 4] of [1, 8, 4, 5]",
                    [](TinyFloats& t) { t.model.values[3].sizes[3] = 4; }},
        FloatDamage{kOtherTypes, [](TinyFloats& t) { t.at<FloatMap>(2).input = 1; }},
        FloatDamage{"node mean: makes [1, 7, 1, 1] of [1, 8, 4, 5]",
                    [](TinyFloats& t) { t.model.values[4].sizes[1] = 7; }},
        FloatDamage{kOtherTypes, [](TinyFloats& t) { t.at<FloatMean>(3).input = 1; }},
        FloatDamage{"node scale: has arithmetic 4, which this version does not know",
                    [](TinyFloats& t) { t.at<FloatBinary>(4).arithmetic = static_cast<FloatArithmetic>(4); }},
        FloatDamage{"node scale: makes [1, 8, 4, 5] of [1, 8, 1]",
                    [](TinyFloats& t) { t.model.values[4].sizes.pop_back(); }},
        FloatDamage{"node scale: makes [1, 8, 4, 5] of [1, 4, 1, 1]",
                    [](TinyFloats& t) { t.model.values[4].sizes[1] = 4; }},
        FloatDamage{"node scale: makes [1, 8, 4, 6] of [1, 8, 4, 5]",
                    [](TinyFloats& t) { t.model.values[5].sizes[3] = 6; }},
        FloatDamage{kOtherTypes, [](TinyFloats& t) { t.at<FloatBinary>(4).b = 1; }},
        FloatDamage{"node turn: reads elements outside its input",
                    [](TinyFloats& t) { t.at<Rearrange>(5).steps[0] = 21; }},
        FloatDamage{kOtherTypes, [](TinyFloats& t) { t.at<Rearrange>(5).input = 1; }},
        FloatDamage{"node both: has inputs of 8 channels", [](TinyFloats& t) { t.at<Concat>(6).inputs.pop_back(); }},
        FloatDamage{kOtherTypes, [](TinyFloats& t) { t.at<Concat>(6).inputs[0] = 1; }},
        FloatDamage{"node softmax: is along dimension 0 of [1, 16, 5, 4]",
                    [](TinyFloats& t) { t.at<Softmax>(7).dim = 0; }},
        FloatDamage{"node softmax: is along dimension 4 of [1, 16, 5, 4]",
                    [](TinyFloats& t) { t.at<Softmax>(7).dim = 4; }},
        FloatDamage{kOtherTypes, [](TinyFloats& t) { t.at<Softmax>(7).input = 1; }},
        FloatDamage{kOtherTypes, [](TinyFloats& t) { t.at<MaxPool>(9).input = 8; }}));

struct FloatNetDamage {
  const char* says;
  std::function<void(TinyFloatNet&)> make;
};

class CheckFloatNets : public testing::TestWithParam<FloatNetDamage> {};

TEST(CheckModel, TakesANetworkInFloat) {
  TinyFloatNet tiny;
  const Result<void> checked = check_model(tiny.model);
  EXPECT_TRUE(checked.ok()) << (checked.ok() ? "" : checked.error().where + ": " + checked.error().what);
}

TEST_P(CheckFloatNets, RefusesWhatTheRuntimeCannotRun) {
  TinyFloatNet tiny;
  GetParam().make(tiny);
  const Result<void> checked = check_model(tiny.model);
  ASSERT_FALSE(checked.ok()) << GetParam().says;
  EXPECT_NE((checked.error().where + ": " + checked.error().what).find(GetParam().says), std::string::npos)
      << checked.error().where << ": " << checked.error().what;
}

INSTANTIATE_TEST_SUITE_P(
    All, CheckFloatNets,
    testing::Values(
        FloatNetDamage{"node conv: makes [1, 5, 4, 20] of [1, 9, 11, 3]",
                       [](TinyFloatNet& t) { t.model.values[0].sizes[2] = 11; }},
        FloatNetDamage{"node conv: makes [1, 5, 20] of [1, 9, 8, 3]",
                       [](TinyFloatNet& t) { t.model.values[1].sizes = {1, 5, 20}; }},
        FloatNetDamage{"node conv: has windows of more than one plane",
                       [](TinyFloatNet& t) { t.at<FloatLayer>(0).windows.planes.kernel = 2; }},
        FloatNetDamage{"node conv: has padding 3 around a window of 3",
                       [](TinyFloatNet& t) { t.at<FloatLayer>(0).windows.padding[0] = 3; }},
        FloatNetDamage{"node conv: has 2 groups", [](TinyFloatNet& t) { t.at<FloatLayer>(0).groups = 2; }},
        FloatNetDamage{"node conv: has 0 groups", [](TinyFloatNet& t) { t.at<FloatLayer>(0).groups = 0; }},
        FloatNetDamage{"node conv: has 863 weights, not 864",
                       [](TinyFloatNet& t) { t.at<FloatLayer>(0).weights = t.at<FloatLayer>(0).weights.first(863); }},
        FloatNetDamage{"node conv: has 20 biases, not 32",
                       [](TinyFloatNet& t) { t.at<FloatLayer>(0).bias = t.at<FloatLayer>(0).bias.first(20); }},
        FloatNetDamage{"node conv: clamps from 0.000000 to -1.000000",
                       [](TinyFloatNet& t) { t.at<FloatLayer>(0).hi = -1; }},
        FloatNetDamage{"node conv: clamps from nan to inf", [](TinyFloatNet& t) { t.at<FloatLayer>(0).lo = kNan; }},
        FloatNetDamage{"node deep: has 1 groups: makes [1, 5, 4, 19] of [1, 5, 4, 20]",
                       [](TinyFloatNet& t) { t.model.values[2].sizes[3] = 19; }},
        FloatNetDamage{"node point: makes [1, 5, 4, 20] of [1, 9, 8, 3]",
                       [](TinyFloatNet& t) { t.at<FloatLayer>(2).residual = 0; }},
        FloatNetDamage{"node point: reads a value that nothing before it gives",
                       [](TinyFloatNet& t) { t.at<FloatLayer>(2).residual = 5; }},
        FloatNetDamage{kOtherTypes, [](TinyFloatNet& t) { t.model.values[1].type = ValueType::kUint8; }},
        FloatNetDamage{"node most: has pooling 2, which this version does not know",
                       [](TinyFloatNet& t) { t.at<FloatPool>(4).pooling = static_cast<FloatPooling>(2); }},
        FloatNetDamage{"node most: makes [1, 3, 2, 5] of [1, 5, 4, 6]",
                       [](TinyFloatNet& t) { t.model.values[5].sizes[3] = 5; }},
        FloatNetDamage{"node mean: makes [1, 1, 1, 6] of [1, 3, 2, 6]",
                       [](TinyFloatNet& t) { t.at<FloatPool>(5).windows.kernel[0] = 2; }}));

struct RotationDamage {
  const char* says;
  std::function<void(TinyRotation&)> make;
};

class CheckRotations : public testing::TestWithParam<RotationDamage> {};

TEST_P(CheckRotations, RefusesWhatTheRuntimeCannotRun) {
  TinyRotation tiny;
  EXPECT_TRUE(check_model(tiny.model).ok());
  GetParam().make(tiny);
  const Result<void> checked = check_model(tiny.model);
  ASSERT_FALSE(checked.ok());
  EXPECT_NE(checked.error().what.find(GetParam().says), std::string::npos) << checked.error().what;
}

INSTANTIATE_TEST_SUITE_P(
    All, CheckRotations,
    testing::Values(
        RotationDamage{"has 3 heads of 5 numbers", [](TinyRotation& t) { t.at<Rotate>(0).head_size = 5; }},
        RotationDamage{"has 0 heads of 6 numbers", [](TinyRotation& t) { t.at<Rotate>(0).heads = 0; }},
        RotationDamage{"makes [1, 2, 18] of [1, 2, 20]", [](TinyRotation& t) { t.at<Rotate>(0).input.begin = 3; }},
        RotationDamage{"makes [1, 2, 18] of [1, 2, 20]",
                       [](TinyRotation& t) { t.at<Rotate>(0).input.begin = 0xffffffff; }},
        RotationDamage{"makes [1, 2, 18] of [1, 2, 20]", [](TinyRotation& t) { t.at<Rotate>(0).heads = 0xffffffff; }},
        RotationDamage{"has no constant angles for each number of a head: [1, 2, 20]",
                       [](TinyRotation& t) { t.at<Rotate>(0).cos = 0; }},
        RotationDamage{"of another type", [](TinyRotation& t) { t.model.values[3].type = ValueType::kInt64; }},
        RotationDamage{"reads a value that nothing before it gives",
                       [](TinyRotation& t) { t.at<Rotate>(0).sin = 9; }}));

struct TransformerDamage {
  const char* says;
  std::function<void(TinyTransformer&)> make;
};

class CheckTransformers : public testing::TestWithParam<TransformerDamage> {};

TEST(CheckModel, TakesATransformer) {
  TinyTransformer tiny;
  const Result<void> checked = check_model(tiny.model);
  EXPECT_TRUE(checked.ok()) << (checked.ok() ? "" : checked.error().where + ": " + checked.error().what);
}

TEST_P(CheckTransformers, RefusesWhatTheRuntimeCannotRun) {
  TinyTransformer tiny;
  GetParam().make(tiny);
  const Result<void> checked = check_model(tiny.model);
  ASSERT_FALSE(checked.ok()) << GetParam().says;
  EXPECT_NE((checked.error().where + ": " + checked.error().what).find(GetParam().says), std::string::npos)
      << checked.error().where << ": " << checked.error().what;
}

INSTANTIATE_TEST_SUITE_P(
    All, CheckTransformers,
    testing::Values(
        TransformerDamage{
            "value positions: holds 143 floats, not 144",
            [](TinyTransformer& t) { t.model.values[3].constant = t.model.values[3].constant.first(143); }},
        TransformerDamage{"value positions: holds 144 floats, not 144",
                          [](TinyTransformer& t) { t.model.values[3].type = ValueType::kInt64; }},
        TransformerDamage{"node norm: reads a constant", [](TinyTransformer& t) { t.at<Normalize>(2).input = 3; }},
        TransformerDamage{"node embedding: reads or gives values of another type",
                          [](TinyTransformer& t) { t.model.values[0].type = ValueType::kFloat32; }},
        TransformerDamage{"node embedding: makes [1, 6, 24] of [1, 7]",
                          [](TinyTransformer& t) { t.model.values[0].sizes[1] = 7; }},
        TransformerDamage{"node embedding: has a table of 25 floats",
                          [](TinyTransformer& t) { t.at<Embedding>(0).table = t.at<Embedding>(0).table.first(25); }},
        TransformerDamage{"node norm: has 23 weights",
                          [](TinyTransformer& t) { t.at<Normalize>(2).bias = t.at<Normalize>(2).bias.first(23); }},
        TransformerDamage{"node norm: has an epsilon", [](TinyTransformer& t) { t.at<Normalize>(2).epsilon = kNan; }},
        TransformerDamage{"node rms: makes [1, 6, 24] of [1, 6, 64]",
                          [](TinyTransformer& t) { t.at<Normalize>(10).residual = 6; }},
        TransformerDamage{"node qkv: makes [1, 5, 64] of [1, 6, 24]",
                          [](TinyTransformer& t) { t.model.values[6].sizes[1] = 5; }},
        TransformerDamage{
            "node qkv: has 1472 bytes of weights, not 1536",
            [](TinyTransformer& t) { t.at<DynamicLinear>(3).weights = t.at<DynamicLinear>(3).weights.first(1472); }},
        TransformerDamage{"node qkv: has other numbers than 64",
                          [](TinyTransformer& t) { t.at<DynamicLinear>(3).column_sum = {}; }},
        TransformerDamage{"node qkv: has 24 inputs, or sums of weights that no codes have",
                          [](TinyTransformer& t) {
                            static const std::vector<int32_t> kSums(64, 128 * 24 + 1);
                            t.at<DynamicLinear>(3).column_sum = kSums;
                          }},
        TransformerDamage{"node qkv: has a multiplier or offset that is no number",
                          [](TinyTransformer& t) {
                            static const std::vector<float> kNans(64, kNan);
                            t.at<DynamicLinear>(3).offset = kNans;
                          }},
        TransformerDamage{"node integers: reads or gives values of another type",
                          [](TinyTransformer& t) { t.at<FromIntegers>(4).input = 6; }},
        TransformerDamage{"node attention: has 4 heads of 8 numbers, and 3 of keys",
                          [](TinyTransformer& t) { t.at<Attention>(8).key_heads = 3; }},
        TransformerDamage{"node attention: has 4 heads of 0 numbers",
                          [](TinyTransformer& t) { t.at<Attention>(8).head_size = 0; }},
        TransformerDamage{"node attention: makes [1, 6, 32] of [1, 6, 64]",
                          [](TinyTransformer& t) { t.at<Attention>(8).value.begin = 49; }},
        TransformerDamage{"node attention: makes [1, 6, 32] of [1, 6, 64]",
                          [](TinyTransformer& t) { t.at<Attention>(8).query.begin = 4294967295u; }},
        TransformerDamage{"node attention: has a scale that is no number",
                          [](TinyTransformer& t) { t.at<Attention>(8).scale = kNan; }},
        TransformerDamage{"node attention: has 65537 keys of 8 numbers, not up to 65536",
                          [](TinyTransformer& t) {
                            t.model.values.push_back(t.model.values[6]);
                            t.model.values.back().sizes[1] = 65537;
                            t.model.inputs.push_back(static_cast<ValueIndex>(t.model.values.size()) - 1);
                            t.at<Attention>(8).key.of = t.at<Attention>(8).value.of = t.model.inputs.back();
                            t.at<Attention>(8).mask = -1;
                          }},
        TransformerDamage{"node attention: has a mask [1, 6] for scores [1, 4, 6, 6]",
                          [](TinyTransformer& t) { t.at<Attention>(8).mask = 8; }},
        TransformerDamage{"node attention: has a mask [1, 1, 1, 1] for scores [1, 4, 6, 6]", [](TinyTransformer& t) {
                            static const std::vector<float> kOne = {0};
                            t.model.values.push_back(
                                {.name = "one", .type = ValueType::kFloat32, .sizes = {1, 1, 1, 1}, .constant = kOne});
                            t.at<Attention>(8).mask = static_cast<int64_t>(t.model.values.size()) - 1;
                          }}));

}  // namespace
}  // namespace torquant::format
