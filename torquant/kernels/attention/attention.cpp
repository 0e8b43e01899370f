#include "torquant/kernels/attention/attention.h"

#include <algorithm>
#include <cstring>

#include "torquant/kernels/attention/attention_kernels.h"
#include "torquant/kernels/attention/pack_keys.h"
#include "torquant/kernels/igemm/igemm.h"
#include "torquant/kernels/thread_pool.h"

namespace torquant {
namespace {

constexpr size_t kScoreBytes = 128 * 1024;  // of a tile of rows: in the second cache beside keys and values
constexpr size_t kMostRows = 32, kLeastRows = 8;
constexpr size_t kKeys = 64;  // that are packed together, from codes where the scores will be

constexpr size_t round_up(size_t count, size_t to) { return (count + to - 1) / to * to; }

// What lies where in the scratch memory, in bytes: for each head of k and v its packed codes, what igemm reads as
// zeros, then for each thread what a tile needs.
struct Layout {
  size_t dim_step;   // bytes of a row of q's codes
  size_t key_step;   // floats of a row of scores
  size_t code_step;  // bytes of a row of codes of p
  size_t dim_quads, key_panels, key_quads, value_panels;
  size_t rows;  // of a tile, at most

  size_t keys, key_start, key_multiplier, values, value_multiplier, head;  // of a head; the last: all of it
  size_t zeros, threads;                                                   // behind the heads
  size_t q_codes, q_scale, scores, codes, inverse_sum, thread;             // of a thread; the last: all of it

  explicit Layout(const AttentionArgs& args) {
    dim_step = round_up(args.head_dim, 64);
    dim_quads = (args.head_dim + 3) / 4;
    // Rows a power of two apart would share few sets of the first cache.
    key_step = round_up(args.keys, 16) + 16;
    code_step = round_up(args.keys, 64) + 64;
    key_panels = (args.keys + 15) / 16;
    key_quads = (args.keys + 3) / 4;
    value_panels = (args.value_dim + 15) / 16;
    const size_t score_bytes = std::max(kScoreBytes, kLeastRows * key_step * sizeof(float));
    rows = std::min(kMostRows, score_bytes / (key_step * sizeof(float)));

    size_t end = 0;
    const auto place = [&end](size_t bytes) {
      const size_t begin = end;
      end += round_up(bytes, 64);
      return begin;
    };
    keys = place(key_panels * dim_quads * 64);
    key_start = place(key_panels * 64);
    key_multiplier = place(key_panels * 64);
    values = place(value_panels * key_quads * 64);
    value_multiplier = place(value_panels * 64);
    head = end;
    end = head * args.batch * args.kv_heads;
    zeros = place(std::max(key_panels, value_panels) * 64);
    threads = end;
    end = 0;
    q_codes = place(kMostRows * dim_step);
    q_scale = place(kMostRows * sizeof(float));
    scores = place(std::max(score_bytes, kKeys * dim_step));
    codes = place(score_bytes / sizeof(float) + kMostRows * 128);  // code_step is below key_step + 128
    inverse_sum = place(kMostRows * sizeof(float));
    thread = end;
  }
};

template <class T>
T* at(uint8_t* scratch, size_t offset) {
  return reinterpret_cast<T*>(scratch + offset);
}

size_t row_of(const AttentionSteps& steps, size_t batch, size_t head, size_t token) {
  return batch * steps.batch + head * steps.head + token * steps.token;
}

// Keys [64 * i, 64 * i + 64) of a head.
void pack_some_keys(const AttentionArgs& args, const Layout& layout, CpuIsa isa, uint8_t* scratch, uint8_t* thread,
                    size_t unit) {
  const size_t units = (args.keys + kKeys - 1) / kKeys, head = unit / units, first = unit % units * kKeys;
  const size_t count = std::min(kKeys, args.keys - first);
  uint8_t* of_head = scratch + head * layout.head;
  uint8_t* codes = thread + layout.scores;
  float scale[kKeys] = {};
  select_attention_kernels(isa).quantize_tokens(
      {.rows = count,
       .columns = args.head_dim,
       .x = args.k + row_of(args.k_steps, head / args.kv_heads, head % args.kv_heads, first),
       .x_step = args.k_steps.token,
       .codes = codes,
       .codes_step = layout.dim_step,
       .scale = scale});
  std::memset(codes + count * layout.dim_step, 128, (round_up(count, 16) - count) * layout.dim_step);
  for (size_t i = 0; i < count; i += 16) {
    int32_t sums[16];
    pack_keys({.quads = layout.dim_quads,
               .codes = codes + i * layout.dim_step,
               .codes_step = layout.dim_step,
               .packed = at<int8_t>(of_head, layout.keys + (first + i) * layout.dim_quads * 4),
               .sums = sums});
    for (size_t j = 0; j < 16; ++j) {
      at<int32_t>(of_head, layout.key_start)[first + i + j] = -128 * sums[j];
      at<float>(of_head, layout.key_multiplier)[first + i + j] = scale[i + j] * (args.scale * kLog2E);
    }
  }
}

// 16 columns of a head.
void pack_values_panel(const AttentionArgs& args, const Layout& layout, CpuIsa isa, uint8_t* scratch, size_t unit) {
  const size_t head = unit / layout.value_panels, panel = unit % layout.value_panels;
  uint8_t* of_head = scratch + head * layout.head;
  select_attention_kernels(isa).pack_values(
      {.rows = args.keys,
       .columns = std::min<size_t>(16, args.value_dim - panel * 16),
       .x = args.v + row_of(args.v_steps, head / args.kv_heads, head % args.kv_heads, 0) + panel * 16,
       .x_step = args.v_steps.token,
       .packed = at<int8_t>(of_head, layout.values + panel * layout.key_quads * 64),
       .scale = at<float>(of_head, layout.value_multiplier) + panel * 16});
}

// Rows [query, query + rows) of a head.
struct Tile {
  size_t batch, head, query, rows;
  size_t keys;  // that any of its rows may see
};

class TileRun {
 public:
  TileRun(const AttentionArgs& args, const Layout& layout, CpuIsa isa, uint8_t* scratch, size_t part)
      : args_(args),
        layout_(layout),
        igemm_(select_igemm(isa)),
        kernels_(select_attention_kernels(isa)),
        scratch_(scratch),
        thread_(scratch + layout.threads + part * layout.thread) {}

  void run(const Tile& tile) {
    const size_t kv_head = tile.head / (args_.heads / args_.kv_heads);
    of_head_ = scratch_ + (tile.batch * args_.kv_heads + kv_head) * layout_.head;
    quantize_queries(tile);
    score(tile);
    weigh_keys(tile);
    average_values(tile);
  }

 private:
  void quantize_queries(const Tile& tile) const {
    kernels_.quantize_tokens({.rows = tile.rows,
                              .columns = args_.head_dim,
                              .x = args_.q + row_of(args_.q_steps, tile.batch, tile.head, tile.query),
                              .x_step = args_.q_steps.token,
                              .codes = thread_ + layout_.q_codes,
                              .codes_step = layout_.dim_step,
                              .scale = at<float>(thread_, layout_.q_scale)});
  }

  void score(const Tile& tile) const {
    multiply(tile.rows, {.columns = round_up(tile.keys, 16),
                         .input = thread_ + layout_.q_codes,
                         .input_step = layout_.dim_step,
                         .quads = layout_.dim_quads,
                         .weights = at<int8_t>(of_head_, layout_.keys),
                         .start = at<int32_t>(of_head_, layout_.key_start),
                         .multiplier = at<float>(of_head_, layout_.key_multiplier),
                         .row_scale = at<float>(thread_, layout_.q_scale),
                         .output = at<float>(thread_, layout_.scores),
                         .output_step = layout_.key_step});
  }

  void weigh_keys(const Tile& tile) const {
    const size_t mask_row = row_of(args_.mask_steps, tile.batch, tile.head, tile.query);
    kernels_.weigh_keys({.rows = tile.rows,
                         .keys = tile.keys,
                         .scores = at<float>(thread_, layout_.scores),
                         .score_step = layout_.key_step,
                         .mask = args_.mask == nullptr ? nullptr : args_.mask + mask_row,
                         .mask_step = args_.mask_steps.token,
                         .first_limit = args_.causal ? tile.query + 1 : SIZE_MAX,
                         .limit_step = args_.causal ? 1UL : 0UL,
                         .codes = thread_ + layout_.codes,
                         .code_step = layout_.code_step,
                         .inverse_sum = at<float>(thread_, layout_.inverse_sum)});
  }

  void average_values(const Tile& tile) const {
    Product product{.columns = args_.value_dim,
                    .input = thread_ + layout_.codes,
                    .input_step = layout_.code_step,
                    .quads = (tile.keys + 3) / 4,
                    .weights = at<int8_t>(of_head_, layout_.values),
                    .start = at<int32_t>(scratch_, layout_.zeros),
                    .multiplier = at<float>(of_head_, layout_.value_multiplier),
                    .row_scale = at<float>(thread_, layout_.inverse_sum),
                    .output = args_.out + row_of(args_.out_steps, tile.batch, tile.head, tile.query),
                    .output_step = args_.out_steps.token};
    if (product.quads == layout_.key_quads) return multiply(tile.rows, product);
    // Panels hold all keys: where fewer are seen, a panel at a time.
    for (size_t column = 0; column < args_.value_dim; column += 16) {
      product.columns = std::min<size_t>(16, args_.value_dim - column);
      multiply(tile.rows, product);
      product.weights += layout_.key_quads * 64;
      product.multiplier += 16;
      product.output += 16;
    }
  }

  struct Product {
    size_t columns;
    const uint8_t* input;
    size_t input_step, quads;
    const int8_t* weights;
    const int32_t* start;
    const float* multiplier;
    const float* row_scale;
    float* output;
    size_t output_step;  // floats
  };

  void multiply(size_t rows, const Product& product) const {
    int32_t input_offset[kMostRows], output_offset[kMostRows];
    for (size_t row = 0; row < rows; ++row) {
      input_offset[row] = static_cast<int32_t>(row * product.input_step);
      output_offset[row] = static_cast<int32_t>(row * product.output_step * sizeof(float));
    }
    const int32_t run_offset = 0;
    igemm_.run({.rows = rows,
                .columns = product.columns,
                .input = product.input,
                .input_offset = input_offset,
                .runs = 1,
                .run_quads = product.quads,
                .run_offset = &run_offset,
                .weights = product.weights,
                .pairs_fit = scratch_ + layout_.zeros,
                .start = product.start,
                .multiplier = product.multiplier,
                .offset = at<float>(scratch_, layout_.zeros),
                .lo = 0,
                .hi = 255,
                .to_reals = true,
                .output = reinterpret_cast<uint8_t*>(product.output),
                .output_offset = output_offset,
                .residual = nullptr,
                .residual_offset = nullptr,
                .residual_multiplier = 0,
                .row_scale = product.row_scale});
  }

  const AttentionArgs& args_;
  const Layout& layout_;
  const IgemmKernel& igemm_;
  const AttentionKernels& kernels_;
  uint8_t* scratch_;
  uint8_t* thread_;
  uint8_t* of_head_ = nullptr;
};

}  // namespace

size_t attention_scratch_bytes(const AttentionArgs& args, size_t parts) {
  const Layout layout(args);
  return layout.threads + parts * layout.thread;
}

void prepare_attention(const AttentionArgs& args, CpuIsa isa, uint8_t* scratch, size_t part, size_t parts) {
  const Layout layout(args);
  uint8_t* thread = scratch + layout.threads + part * layout.thread;
  if (part == 0) std::memset(scratch + layout.zeros, 0, layout.threads - layout.zeros);
  const size_t heads = args.batch * args.kv_heads;
  const PartRange keys = part_of(heads * ((args.keys + kKeys - 1) / kKeys), 1, part, parts);
  for (size_t unit = keys.begin; unit < keys.end; ++unit) pack_some_keys(args, layout, isa, scratch, thread, unit);
  const PartRange values = part_of(heads * layout.value_panels, 1, part, parts);
  for (size_t unit = values.begin; unit < values.end; ++unit) pack_values_panel(args, layout, isa, scratch, unit);
}

void run_attention(const AttentionArgs& args, CpuIsa isa, uint8_t* scratch, size_t part, size_t parts) {
  const Layout layout(args);
  TileRun run(args, layout, isa, scratch, part);
  const size_t heads = args.batch * args.heads;
  // Tiles of nearly equal height, at least two a thread.
  const size_t share = (heads * args.queries + 2 * parts - 1) / (2 * parts);
  const size_t most = std::min(layout.rows, std::max<size_t>(share, 1)), tiles = (args.queries + most - 1) / most;
  for (size_t unit = 0; unit < heads * tiles; ++unit) {
    // With a causal mask later tiles of a head are more work: threads take turns to and fro.
    const size_t turn = unit % (2 * parts);
    if (std::min(turn, 2 * parts - 1 - turn) != part) continue;
    const size_t tile = unit % tiles, head = unit / tiles;
    const size_t query = args.queries * tile / tiles, end = args.queries * (tile + 1) / tiles;
    run.run({.batch = head / args.heads,
             .head = head % args.heads,
             .query = query,
             .rows = end - query,
             .keys = args.causal ? std::min(args.keys, end) : args.keys});
  }
}

}  // namespace torquant
