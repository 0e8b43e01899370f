// Headers of .tqm files that FlatBuffers' verifier takes and nobody writes.
#include <flatbuffers/flatbuffers.h>
#include <gtest/gtest.h>

#include <cstring>
#include <new>

#include "tests/support/tiny_model.h"
#include "torquant/format/tqm_file.h"
#include "torquant/format/tqm_generated.h"
#include "torquant/format/tqm_layout.h"

namespace torquant::format {
namespace {

Result<Model> read(const std::string& bytes) {
  void* memory = operator new(bytes.size(), std::align_val_t(kAlignment));
  std::memcpy(memory, bytes.data(), bytes.size());
  Result<Model> model = read_tqm(memory, bytes.size());
  operator delete(memory, std::align_val_t(kAlignment));
  return model;
}

TEST(HostileTqm, WhosePiecesShareBytesIsAnError) {
  TinyModel tiny;
  std::string bytes = *write_tqm(tiny.model);
  const auto* header = reinterpret_cast<const uint8_t*>(bytes.data());
  const uint64_t segment = bytes.size() - aligned(flatbuffers::ReadScalar<uint32_t>(header) + sizeof(uint32_t));
  for (const wire::Node* node : *wire::GetSizePrefixedModel(header)->nodes()) {
    const wire::Layer* layer = node->operation_as_Layer();
    if (layer != nullptr) *const_cast<wire::Span*>(layer->weights()) = wire::Span(0, segment);
  }
  const Result<Model> refused = read(bytes);
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().where, "node conv");
  EXPECT_EQ(refused.error().what, "has data outside the file, or that another node has");
}

// Names of a file may be one piece that many values name: what is kept of each is bounded before it is refused.
TEST(HostileTqm, CopiesNoMoreOfANameThanItMayHave) {
  TinyModel tiny;
  const std::string name(kMostOfName, 'n');
  tiny.model.values[0].name = name;
  const Result<std::string> longest = write_tqm(tiny.model);
  ASSERT_TRUE(longest.ok());
  EXPECT_EQ(read(*longest)->values[0].name, name);
  tiny.model.values[0].name += 'n';
  EXPECT_FALSE(write_tqm(tiny.model).ok());
  flatbuffers::FlatBufferBuilder builder;
  const auto value = wire::CreateValue(builder, builder.CreateString(std::string(1 << 20, 'n')));
  const auto values = builder.CreateVector(std::vector(10'000, value));
  const auto nodes = builder.CreateVector(std::vector<flatbuffers::Offset<wire::Node>>());
  const auto none = builder.CreateVector(std::vector<uint32_t>());
  builder.FinishSizePrefixed(wire::CreateModel(builder, kVersion, 0, 0, values, nodes, none, none),
                             wire::ModelIdentifier());
  const Result<Model> refused = read(std::string(reinterpret_cast<const char*>(builder.GetBufferPointer()),
                                                 builder.GetSize()));  // 10 GB, if each were copied whole
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().what, "is a name of more than 1024 bytes");
}

// So may lists: what is kept of all of them is no more than the header.
TEST(HostileTqm, CopiesNoListForEachNodeThatNamesIt) {
  flatbuffers::FlatBufferBuilder builder;
  const auto many = builder.CreateVector(std::vector<int32_t>(1 << 18, 1));
  const auto moves = wire::CreateRearrange(builder, 0, 1, 0, many, many).Union();
  const auto node = wire::CreateNode(builder, builder.CreateString("moves"), wire::Operation::Rearrange, moves);
  const auto nodes = builder.CreateVector(std::vector(10'000, node));
  const auto values = builder.CreateVector(std::vector<flatbuffers::Offset<wire::Value>>());
  const auto none = builder.CreateVector(std::vector<uint32_t>());
  builder.FinishSizePrefixed(wire::CreateModel(builder, kVersion, 0, 0, values, nodes, none, none),
                             wire::ModelIdentifier());
  const Result<Model> refused = read(std::string(reinterpret_cast<const char*>(builder.GetBufferPointer()),
                                                 builder.GetSize()));  // 40 GB, if each were copied
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().where, "node moves");
  EXPECT_EQ(refused.error().what, "has data outside the file, or that another node has");
}

}  // namespace
}  // namespace torquant::format
