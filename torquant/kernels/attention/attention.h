#pragma once

#include <cstddef>
#include <cstdint>

#include "torquant/kernels/cpu_isa.h"

namespace torquant {

// Row t of head h of batch b begins at b * batch + h * head + t * token elements; its numbers lie side by side.
struct AttentionSteps {
  size_t batch, head, token;
};

// Scaled dot product attention of float32, its two products on integers of 8 bits (docs/semantics.md, K10):
//
//   scores = q kᵀ * scale + mask,  p = softmax(scores),  out = p v          for each batch and head
//
// In a memory of O(keys) a thread: scores exist for a tile of rows. A query that sees no key gives zeros. The same bits
// on every instruction set and for any number of threads.
struct AttentionArgs {
  size_t batch, heads;
  size_t kv_heads;             // divides heads: head h reads k and v of head h / (heads / kv_heads)
  size_t queries, keys;        // keys: at most kMostAttentionKeys
  size_t head_dim, value_dim;  // of q and k, of v and out
  const float *q, *k, *v;
  AttentionSteps q_steps, k_steps, v_steps;
  float scale;

  // Numbers that are added (below -2.3e38: hidden, as -inf); null for none. A row is that of a query; steps are 0 where
  // the mask is the same for all.
  const float* mask = nullptr;
  AttentionSteps mask_steps = {};
  bool causal = false;  // query i sees keys 0 to i, as with PyTorch's is_causal; with a mask, what both show

  float* out;  // 32 queries of a head lie within 2 GiB
  AttentionSteps out_steps;
};

constexpr size_t kMostAttentionKeys = 65536;  // 255 * 127 * keys is an integer of 32 bits

// What `parts` threads need to compute it, and what less of anything needs, too. 64-byte aligned.
size_t attention_scratch_bytes(const AttentionArgs& args, size_t parts);

// First prepare_attention() for each part from 0 to parts - 1, which quantizes and packs k and v; when all are done,
// run_attention() for each part.
void prepare_attention(const AttentionArgs& args, CpuIsa isa, uint8_t* scratch, size_t part, size_t parts);
void run_attention(const AttentionArgs& args, CpuIsa isa, uint8_t* scratch, size_t part, size_t parts);

}  // namespace torquant
