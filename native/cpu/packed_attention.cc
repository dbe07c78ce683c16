// Forward pass of the training attention, a tile of query rows at a time:
//   s = q k^T / sqrt(head_dim);  output = softmax(s) v;  log_sum_exp = log sum exp(s)
// A task takes one key/value head and a range of tokens, and packs the keys and values that the range sees.
#include "ops/packed_attention.h"

#include <math.h>

#include "cpu/attention_block.h"
#include "cpu/kernels.h"

namespace msn::cpu::MSN_ISA {
namespace {

constexpr int64_t kTokensPerTask = 256;

// The document that token `token` belongs to; offsets [documents + 1].
int64_t document_of(const int32_t* offsets, int64_t documents, int64_t token) {
  int64_t low = 0, high = documents;
  while (high - low > 1) {
    const int64_t middle = (low + high) / 2;
    if (offsets[middle] <= token)
      low = middle;
    else
      high = middle;
  }
  return low;
}

// scores[count] become exp((s - max) scale); returns their sum, max * scale in `highest`.
float exponentiate_row(float* scores, int64_t count, float scale, float& highest) {
  float maximum_score = scores[0];
  int64_t i = 0;
  if (count >= Vector::kWidth) {
    Vector maxima = Vector::load(scores);
    for (i = Vector::kWidth; i + Vector::kWidth <= count; i += Vector::kWidth)
      maxima = maximum(maxima, Vector::load(scores + i));
    maximum_score = maximum_lane(maxima);
  }
  for (; i < count; ++i) maximum_score = scores[i] > maximum_score ? scores[i] : maximum_score;

  const Vector shift = Vector::broadcast(maximum_score), factor = Vector::broadcast(scale);
  Vector sum = Vector::zero();
  for (i = 0; i + Vector::kWidth <= count; i += Vector::kWidth) {
    const Vector weight = exponential((Vector::load(scores + i) - shift) * factor);
    weight.store(scores + i);
    sum = sum + weight;
  }
  float total = sum_lanes(sum);
  if (i < count) {
    const int left = static_cast<int>(count - i);
    exponential((Vector::load_partial(scores + i, left) - shift) * factor).store_partial(scores + i, left);
    for (; i < count; ++i) total += scores[i];
  }
  highest = maximum_score * scale;
  return total;
}

// One tile of rows [row, row + rows) of one document and head, keys and values packed.
struct Tile {
  const float* transposed_keys;  // panels of head_dim rows, from key 0
  const float* values;           // panels of `length` rows
  int64_t length;                // keys packed
  int64_t head_dim, window;
  float* scores;  // [kTileRows, stride]
  int64_t stride;
};

void attend_tile(const Tile& tile, const Strided& query, int64_t row, int64_t rows, float scale,
                 float* output, int64_t output_stride, float* log_sum_exp) {
  const KeyRange keys = visible_keys(row, rows, tile.window);
  block_scores(query, tile.transposed_keys, tile.head_dim, row, rows, tile.window, tile.scores, tile.stride);
  float sums[kTileRows];
  for (int64_t i = 0; i < rows; ++i) {
    float* scores = tile.scores + i * tile.stride - keys.begin;  // by key
    const int64_t first = first_visible(row + i, tile.window);
    float highest;
    sums[i] = exponentiate_row(scores + first, row + i + 1 - first, scale, highest);
    log_sum_exp[i] = static_cast<float>(highest + log(static_cast<double>(sums[i])));
    for (int64_t key = keys.begin; key < first; ++key) scores[key] = 0.0f;
    for (int64_t key = row + i + 1; key < keys.end; ++key) scores[key] = 0.0f;
  }
  const Panels values = {tile.values + keys.begin * kTileColumns, tile.length * kTileColumns};
  multiply_panels({tile.scores, tile.stride, 1}, values, output, output_stride, rows, tile.head_dim,
                  keys.end - keys.begin, false);
  for (int64_t i = 0; i < rows; ++i) {
    const float inverse = 1.0f / sums[i];
    for (int64_t column = 0; column < tile.head_dim; ++column) output[i * output_stride + column] *= inverse;
  }
}

}  // namespace

void run(Context& context, const PackedAttentionForward& args) {
  const int64_t tokens = args.query.shape[0], heads = args.query.shape[1], head_dim = args.query.shape[2];
  const int64_t kv_heads = args.keys.shape[0], group = heads / kv_heads, width = heads * head_dim;
  const int64_t documents = args.document_offsets.shape[0] - 1;
  const int32_t* offsets = args.document_offsets.i32();
  const float scale = static_cast<float>(1 / sqrt(static_cast<double>(head_dim)));
  const int64_t longest = longest_document(args.document_offsets);
  const int64_t key_floats = panel_floats(head_dim, longest), value_floats = panel_floats(longest, head_dim);
  const int64_t stride = panel_count(longest) * kTileColumns;
  std::byte* scratch = context.scratch((key_floats + value_floats + kTileRows * stride) * 4);
  const int64_t blocks = (tokens + kTokensPerTask - 1) / kTokensPerTask;
  context.pool.parallel_for(blocks * kv_heads, [&](int64_t task, int thread) {
    float* keys = reinterpret_cast<float*>(scratch + thread * context.scratch_stride());
    float* values = keys + key_floats;
    const int64_t kv_head = task % kv_heads, first = task / kv_heads * kTokensPerTask;
    const int64_t end = first + kTokensPerTask < tokens ? first + kTokensPerTask : tokens;
    for (int64_t document = document_of(offsets, documents, first); document < documents; ++document) {
      const int64_t begin = offsets[document];
      if (begin >= end) break;
      const int64_t first_row = first > begin ? first - begin : 0;
      const int64_t end_row = (end < offsets[document + 1] ? end : offsets[document + 1]) - begin;
      if (first_row >= end_row) continue;  // an empty document
      const int64_t source = (kv_head * tokens + begin) * head_dim;
      pack_panels({args.keys.f32() + source, 1, head_dim}, head_dim, end_row, keys);
      pack_panels({args.values.f32() + source, head_dim, 1}, end_row, head_dim, values);
      const Tile tile = {keys, values, end_row, head_dim, args.window, values + value_floats, stride};
      for (int64_t head = kv_head * group; head < (kv_head + 1) * group; ++head)
        for (int64_t row = first_row; row < end_row; row += kTileRows) {
          const int64_t token = begin + row;
          attend_tile(tile, {args.query.f32() + (token * heads + head) * head_dim, width, 1}, row,
                      end_row - row < kTileRows ? end_row - row : kTileRows, scale,
                      args.output.mutable_f32() + token * width + head * head_dim, width,
                      args.log_sum_exp.mutable_f32() + head * tokens + token);
        }
    }
  });
}

}  // namespace msn::cpu::MSN_ISA
