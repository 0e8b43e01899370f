#include "torquant/kernels/attention/attention.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <memory>
#include <numeric>
#include <random>
#include <string>
#include <thread>
#include <vector>

namespace torquant {
namespace {

constexpr float kLog2E = 1.44269504f;
constexpr float kHidden = -std::numeric_limits<float>::infinity();

struct Case {
  size_t queries, keys, head_dim, value_dim;
  size_t batch = 1, heads = 1, kv_heads = 1, parts = 1;
  bool mask = false;
  bool mask_of_all = false;  // one row for all batches, heads and queries
  bool causal = false;
  float hidden_share = 0.3f;
};

// Inputs as a fused projection gives them, [batch, tokens, heads * dim] with other numbers beside a row.
struct Input {
  explicit Input(const Case& how)
      : random(how.queries * 701 + how.keys * 31 + how.head_dim),
        q(numbers(how.batch * how.queries * how.heads * (how.head_dim + 1))),
        k(numbers(how.batch * how.keys * how.kv_heads * (how.head_dim + 1))),
        v(numbers(how.batch * how.keys * how.kv_heads * (how.value_dim + 1))),
        mask(how.batch * how.heads * how.queries * how.keys) {
    for (float& number : mask) {
      const bool hidden = std::uniform_real_distribution<float>()(random) < how.hidden_share;
      number = hidden ? kHidden : std::normal_distribution<float>()(random);
    }
  }

  std::vector<float> numbers(size_t count) {
    std::vector<float> some(count);
    std::normal_distribution<float> normal;
    for (float& number : some) number = normal(random);
    return some;
  }

  std::mt19937 random;
  std::vector<float> q, k, v, mask;
};

AttentionSteps steps_of(size_t tokens, size_t heads, size_t dim) {
  return {.batch = tokens * heads * dim, .head = dim, .token = heads * dim};
}

AttentionArgs args_of(const Case& how, const Input& input, std::vector<float>& out) {
  out.assign(how.batch * how.queries * how.heads * (how.value_dim + 3), 77);
  AttentionArgs args{.batch = how.batch,
                     .heads = how.heads,
                     .kv_heads = how.kv_heads,
                     .queries = how.queries,
                     .keys = how.keys,
                     .head_dim = how.head_dim,
                     .value_dim = how.value_dim,
                     .q = input.q.data(),
                     .k = input.k.data(),
                     .v = input.v.data(),
                     .q_steps = steps_of(how.queries, how.heads, how.head_dim + 1),
                     .k_steps = steps_of(how.keys, how.kv_heads, how.head_dim + 1),
                     .v_steps = steps_of(how.keys, how.kv_heads, how.value_dim + 1),
                     .scale = 1 / std::sqrt(static_cast<float>(how.head_dim)),
                     .causal = how.causal,
                     .out = out.data(),
                     .out_steps = steps_of(how.queries, how.heads, how.value_dim + 3)};
  if (how.mask) args.mask = input.mask.data();
  if (!how.mask_of_all) {
    args.mask_steps = {.batch = how.heads * how.queries * how.keys, .head = how.queries * how.keys, .token = how.keys};
  }
  return args;
}

std::vector<float> run(const Case& how, const Input& input, CpuIsa isa) {
  std::vector<float> out;
  const AttentionArgs args = args_of(how, input, out);
  const size_t bytes = attention_scratch_bytes(args, how.parts);
  std::unique_ptr<uint8_t, decltype(&std::free)> scratch(static_cast<uint8_t*>(std::aligned_alloc(64, bytes)),
                                                         std::free);
  std::memset(scratch.get(), 0xfe, bytes);
  for (const auto phase : {prepare_attention, run_attention}) {
    std::vector<std::thread> threads;
    for (size_t part = 0; part < how.parts; ++part)
      threads.emplace_back([&, part] { phase(args, isa, scratch.get(), part, how.parts); });
    for (std::thread& thread : threads) thread.join();
  }
  return out;
}

size_t place(const AttentionSteps& steps, size_t batch, size_t head, size_t token) {
  return batch * steps.batch + head * steps.head + token * steps.token;
}

// `count` numbers, `step` apart, on a symmetric grid (K10).
struct Codes {
  Codes(const float* x, size_t count, size_t step) {
    float most = 0;
    for (size_t i = 0; i < count; ++i) most = std::max(most, std::fabs(x[i * step]));
    scale = std::max(most / 127, 0x1p-23f);
    for (size_t i = 0; i < count; ++i)
      codes.push_back(static_cast<int>(std::clamp(std::nearbyint(x[i * step] * (1 / scale)), -127.0f, 127.0f)));
  }
  float scale;
  std::vector<int> codes;
};

int sum_of_products(const std::vector<int>& a, const std::vector<int>& b) {
  int sum = 0;
  for (size_t i = 0; i < a.size(); ++i) sum += a[i] * b[i];
  return sum;
}

// What a query sees, as numbers to add.
std::vector<float> mask_row(const AttentionArgs& args, size_t batch, size_t head, size_t query) {
  std::vector<float> row(args.keys, 0);
  const size_t from = place(args.mask_steps, batch, head, query);
  for (size_t key = 0; key < args.keys; ++key) {
    if (args.mask != nullptr) row[key] = args.mask[from + key];
    if (args.causal && key > query) row[key] = kHidden;
  }
  return row;
}

// K10.2. A mask of 0 adds nothing.
std::vector<int> codes_of(std::vector<float> scores, const std::vector<float>& mask) {
  for (size_t key = 0; key < scores.size(); ++key) scores[key] = std::fma(mask[key], kLog2E, scores[key]);
  const float most = *std::max_element(scores.begin(), scores.end());
  std::vector<int> codes;
  for (const float score : scores) {
    const float t = most == kHidden ? -20 : std::max(score - most, -20.0f), n = std::floor(t), f = t - n;
    const float power = std::fma(std::fma(std::fma(19.896254f, f, 57.647125f), f, 177.43755f), f, 254.98093f);
    codes.push_back(static_cast<int>(std::nearbyint(std::ldexp(power, static_cast<int>(n)))));
  }
  return codes;
}

// K10 as it is written, a query at a time.
std::vector<float> expected(const Case& how, const Input& input) {
  std::vector<float> out;
  const AttentionArgs args = args_of(how, input, out);
  for (size_t batch = 0; batch < args.batch; ++batch) {
    for (size_t head = 0; head < args.heads; ++head) {
      const size_t kv_head = head / (args.heads / args.kv_heads);
      std::vector<Codes> k, v;
      for (size_t key = 0; key < args.keys; ++key)
        k.emplace_back(args.k + place(args.k_steps, batch, kv_head, key), args.head_dim, 1);
      for (size_t d = 0; d < args.value_dim; ++d)
        v.emplace_back(args.v + place(args.v_steps, batch, kv_head, 0) + d, args.keys, args.v_steps.token);
      for (size_t query = 0; query < args.queries; ++query) {
        const Codes q(args.q + place(args.q_steps, batch, head, query), args.head_dim, 1);
        std::vector<float> scores;
        for (const Codes& key : k)
          scores.push_back(static_cast<float>(sum_of_products(q.codes, key.codes)) *
                           (key.scale * (args.scale * kLog2E)) * q.scale);
        const std::vector<int> p = codes_of(scores, mask_row(args, batch, head, query));
        const int sum = std::accumulate(p.begin(), p.end(), 0);
        const float inverse_sum = sum == 0 ? 0 : 1 / static_cast<float>(sum);
        float* row = args.out + place(args.out_steps, batch, head, query);
        for (const Codes& value : v)
          *row++ = static_cast<float>(sum_of_products(p, value.codes)) * value.scale * inverse_sum;
      }
    }
  }
  return out;
}

// Every instruction set that this CPU has.
class Attention : public testing::TestWithParam<CpuIsa> {
 protected:
  void SetUp() override {
    if (!cpu_has(GetParam())) GTEST_SKIP() << "this CPU lacks " << name_of(GetParam());
  }
  static void check(Case how, size_t most_parts = 1) {
    const Input input(how);
    const std::vector<float> reference = expected(how, input);
    for (how.parts = 1; how.parts <= most_parts; ++how.parts) {
      EXPECT_EQ(run(how, input, GetParam()), reference)
          << how.queries << " queries, " << how.keys << " keys, " << how.head_dim << " and " << how.value_dim
          << " numbers, " << how.parts << " parts";
    }
  }
};

TEST_P(Attention, GivesTheReferenceForAllLengths) {
  for (size_t length = 1; length <= 70; ++length)
    check({.queries = length, .keys = length, .head_dim = 16, .value_dim = 16});
  for (const size_t length : {97, 128, 255, 256, 257, 384, 511, 600})
    check({.queries = length, .keys = length, .head_dim = 32, .value_dim = 32});
}

TEST_P(Attention, GivesTheReferenceWhereQueriesAndKeysDiffer) {
  check({.queries = 1, .keys = 600, .head_dim = 64, .value_dim = 64, .heads = 2, .kv_heads = 2});
  check({.queries = 600, .keys = 1, .head_dim = 64, .value_dim = 64});
  check({.queries = 77, .keys = 200, .head_dim = 64, .value_dim = 64, .causal = true});
  check({.queries = 200, .keys = 77, .head_dim = 64, .value_dim = 64, .causal = true});
}

TEST_P(Attention, GivesTheReferenceForAllSizesOfHeads) {
  for (const size_t dim : {1, 3, 16, 32, 33, 64, 80, 128}) {
    check({.queries = 50, .keys = 50, .head_dim = dim, .value_dim = dim});
    check({.queries = 50, .keys = 70, .head_dim = 32, .value_dim = dim, .causal = true});
  }
}

TEST_P(Attention, GivesTheReferenceForAllMasksAndThreads) {
  for (const bool mask : {false, true}) {
    for (const bool mask_of_all : {false, true}) {
      for (const bool causal : {false, true}) {
        check({.queries = 61,
               .keys = 83,
               .head_dim = 32,
               .value_dim = 40,
               .batch = 2,
               .heads = 6,
               .kv_heads = 2,
               .mask = mask,
               .mask_of_all = mask_of_all,
               .causal = causal},
              /*most_parts=*/4);
      }
    }
  }
}

TEST_P(Attention, GivesZerosWhereAQuerySeesNoKey) {
  const Case how{
      .queries = 9, .keys = 20, .head_dim = 16, .value_dim = 16, .mask = true, .causal = true, .hidden_share = 0.9f};
  Input input(how);
  input.mask[0] = kHidden;  // all that the first query sees
  const std::vector<float> out = run(how, input, GetParam());
  EXPECT_EQ(std::vector<float>(out.begin(), out.begin() + 16), std::vector<float>(16, 0));
  EXPECT_EQ(out, expected(how, input));
}

TEST_P(Attention, SharesTheWorkOfOneHead) {
  for (const size_t queries : {1, 5, 128})
    check({.queries = queries, .keys = 130, .head_dim = 32, .value_dim = 32, .causal = true}, /*most_parts=*/4);
}

TEST_P(Attention, StaysWithinBoundedMemory) {
  const Case how{.queries = 40, .keys = 4096, .head_dim = 64, .value_dim = 64, .mask = true};
  const Input input(how);
  std::vector<float> out;
  AttentionArgs args = args_of(how, input, out);
  // A byte for each number of k and v, and for a thread 40 bytes a key: eight rows of scores and of codes.
  const size_t packed = 2 * 4096 * 64;
  EXPECT_LT(attention_scratch_bytes(args, 2), packed + 64 * 1024 + 2 * (4096 * 40 + 64 * 1024));
  args.queries = 4096;
  EXPECT_EQ(attention_scratch_bytes(args, 2), attention_scratch_bytes(args_of(how, input, out), 2));
  check(how, /*most_parts=*/2);
}

// Signal to quantization noise of random normal data, in decibels.
TEST_P(Attention, IsNearAttentionInFloat) {
  for (const size_t keys : {64, 128, 512}) {
    const Case how{.queries = 64, .keys = keys, .head_dim = 64, .value_dim = 64};
    const Input input(how);
    const std::vector<float> out = run(how, input, GetParam());
    std::vector<float> ignored;
    const AttentionArgs args = args_of(how, input, ignored);
    double signal = 0, noise = 0;
    for (size_t query = 0; query < how.queries; ++query) {
      std::vector<double> p;
      double sum = 0;
      for (size_t key = 0; key < keys; ++key) {
        double score = 0;
        for (size_t d = 0; d < how.head_dim; ++d)
          score += double{args.q[query * args.q_steps.token + d]} * args.k[key * args.k_steps.token + d];
        sum += p.emplace_back(std::exp(score * args.scale));
      }
      for (size_t d = 0; d < how.value_dim; ++d) {
        double real = 0;
        for (size_t key = 0; key < keys; ++key) real += p[key] / sum * args.v[key * args.v_steps.token + d];
        signal += real * real;
        noise += std::pow(real - out[query * args.out_steps.token + d], 2);
      }
    }
    const double decibels = 10 * std::log10(signal / noise);
    RecordProperty("decibels_of_" + std::to_string(keys) + "_keys", std::to_string(decibels));
    EXPECT_GT(decibels, 35) << keys;
  }
}

std::vector<CpuIsa> all_isas() {
  return {
#define TORQUANT_ATTENTION_KERNELS(suffix, isa) CpuIsa::isa,
#include "torquant/kernels/attention/kernels.inc"
#undef TORQUANT_ATTENTION_KERNELS
  };
}

INSTANTIATE_TEST_SUITE_P(All, Attention, testing::ValuesIn(all_isas()),
                         [](const auto& info) { return std::string(name_of(info.param)); });

}  // namespace
}  // namespace torquant
