// Backward pass of the training attention, a block of query rows at a time, the weights computed again:
//   p = exp(s - log_sum_exp);  ds = p (g v^T - sum(g output)) / sqrt(head_dim)
//   dv = p^T g;  dq = ds k;  dk = ds^T q
// A task owns one query head of one document with all its gradients, query rows in ascending order. Query
// heads that share a key/value head write gradients of their own, which are added in the order of the heads
// afterwards.
#include <math.h>
#include <string.h>

#include "cpu/attention_block.h"
#include "cpu/kernels.h"
#include "ops/packed_attention.h"

namespace msn::cpu::MSN_ISA {
namespace {

// One document and query head; the pointers lie in the thread's scratch.
struct Work {
  float* transposed_keys;    // panels of head_dim rows, from key 0
  float* transposed_values;  // the same
  float* keys;               // panels of `length` rows
  float* query;              // the block's query rows as panels
  float* gradient;           // the block's output gradients as panels
  float* weights;            // [kQueryBlock, stride]: scores, then p
  float* score_gradients;    // [kQueryBlock, stride]: g v^T, then ds
  int64_t stride;
  int64_t length, head_dim, window;
};

// The scratch of one thread; with null only the floats are counted.
int64_t lay_out(Work& work, float* memory, int64_t longest, int64_t head_dim) {
  int64_t offset = 0;
  const auto cut = [&](int64_t floats) {
    float* piece = memory == nullptr ? nullptr : memory + offset;
    offset += (floats + 15) / 16 * 16;
    return piece;
  };
  work.stride = panel_count(longest) * kTileColumns;
  work.transposed_keys = cut(panel_floats(head_dim, longest));
  work.transposed_values = cut(panel_floats(head_dim, longest));
  work.keys = cut(panel_floats(longest, head_dim));
  work.query = cut(panel_floats(kQueryBlock, head_dim));
  work.gradient = cut(panel_floats(kQueryBlock, head_dim));
  work.weights = cut(kQueryBlock * work.stride);
  work.score_gradients = cut(kQueryBlock * work.stride);
  return offset;
}

float dot(const float* a, const float* b, int64_t count) {
  Vector sum = Vector::zero();
  int64_t i = 0;
  for (; i + Vector::kWidth <= count; i += Vector::kWidth)
    sum = fma(Vector::load(a + i), Vector::load(b + i), sum);
  float total = sum_lanes(sum);
  for (; i < count; ++i) total += a[i] * b[i];
  return total;
}

// scores[count] become p, gradients[count] become ds.
void differentiate_row(float* scores, float* gradients, int64_t count, float scale, float log_sum_exp,
                       float pull) {
  const Vector factor = Vector::broadcast(scale), shift = Vector::broadcast(log_sum_exp);
  const Vector constant = Vector::broadcast(pull);
  for (int64_t i = 0; i < count; i += Vector::kWidth) {
    const int left = count - i < Vector::kWidth ? static_cast<int>(count - i) : Vector::kWidth;
    const Vector weight = exponential(Vector::load_partial(scores + i, left) * factor - shift);
    weight.store_partial(scores + i, left);
    (weight * (Vector::load_partial(gradients + i, left) - constant) * factor)
        .store_partial(gradients + i, left);
  }
}

// total[keys of the block, head_dim] += left^T right, left [rows, stride] by row and key of the block, zero
// where a row does not see a key; rows before a tile of keys see none of them and are passed over.
void add_key_gradients(const float* left, int64_t stride, const float* right, int64_t rows, int64_t first_row,
                       KeyRange keys, int64_t head_dim, float* total) {
  for (int64_t key = keys.begin; key < keys.end;) {
    const int64_t past = first_row - key;  // keys that every row of the block comes after
    const int64_t count = past > 0 ? past : (keys.end - key < kTileRows ? keys.end - key : kTileRows);
    const int64_t skipped = past > 0 ? 0 : -past;
    multiply_panels({left + skipped * stride + key - keys.begin, 1, stride},
                    {right + skipped * kTileColumns, kQueryBlock * kTileColumns}, total + key * head_dim,
                    head_dim, count, head_dim, rows - skipped, true);
    key += count;
  }
}

void backward_block(const PackedAttentionBackward& args, const Work& work, int64_t begin, int64_t head,
                    int64_t first_row, int64_t rows, float* keys_gradient, float* values_gradient) {
  const int64_t tokens = args.query.shape[0], heads = args.query.shape[1], head_dim = work.head_dim;
  const int64_t width = heads * head_dim, offset = (begin + first_row) * width + head * head_dim;
  const float scale = static_cast<float>(1 / sqrt(static_cast<double>(head_dim)));
  const Strided query = {args.query.f32() + offset, width, 1};
  const Strided gradient = {args.output_gradient.f32() + offset, width, 1};
  const KeyRange keys = visible_keys(first_row, rows, work.window);

  block_scores(query, work.transposed_keys, head_dim, first_row, rows, work.window, work.weights,
               work.stride);
  block_scores(gradient, work.transposed_values, head_dim, first_row, rows, work.window, work.score_gradients,
               work.stride);
  for (int64_t i = 0; i < rows; ++i) {
    const int64_t row = first_row + i, first = first_visible(row, work.window);
    float* weights = work.weights + i * work.stride - keys.begin;  // by key
    float* score_gradients = work.score_gradients + i * work.stride - keys.begin;
    const float pull = dot(gradient.data + i * width, args.output.f32() + offset + i * width, head_dim);
    differentiate_row(weights + first, score_gradients + first, row + 1 - first, scale,
                      args.log_sum_exp.f32()[head * tokens + begin + row], pull);
    for (int64_t key = keys.begin; key < first; ++key) weights[key] = score_gradients[key] = 0.0f;
    for (int64_t key = row + 1; key < keys.end; ++key) weights[key] = score_gradients[key] = 0.0f;
  }

  for (int64_t tile = 0; tile < rows; tile += kTileRows) {
    const int64_t tile_rows = rows - tile < kTileRows ? rows - tile : kTileRows;
    const KeyRange seen = visible_keys(first_row + tile, tile_rows, work.window);
    multiply_panels({work.score_gradients + tile * work.stride + seen.begin - keys.begin, work.stride, 1},
                    {work.keys + seen.begin * kTileColumns, work.length * kTileColumns},
                    args.query_gradient.mutable_f32() + offset + tile * width, width, tile_rows, head_dim,
                    seen.end - seen.begin, false);
  }
  for (int64_t column = 0, panel = 0; column < head_dim;
       column += kTileColumns, panel += kQueryBlock * kTileColumns) {
    const int64_t columns = head_dim - column < kTileColumns ? head_dim - column : kTileColumns;
    pack_panels({query.data + column, width, 1}, rows, columns, work.query + panel);
    pack_panels({gradient.data + column, width, 1}, rows, columns, work.gradient + panel);
  }
  add_key_gradients(work.weights, work.stride, work.gradient, rows, first_row, keys, head_dim,
                    values_gradient);
  add_key_gradients(work.score_gradients, work.stride, work.query, rows, first_row, keys, head_dim,
                    keys_gradient);
}

// All gradients that one query head of one document gives. keys_gradient and values_gradient: [tokens,
// head_dim] of this head, overwritten in the document's rows.
void backward_document(const PackedAttentionBackward& args, Work& work, int64_t document, int64_t head,
                       float* keys_gradient, float* values_gradient) {
  const int64_t tokens = args.query.shape[0], heads = args.query.shape[1], head_dim = args.query.shape[2];
  const int64_t begin = args.document_offsets.i32()[document];
  work.length = args.document_offsets.i32()[document + 1] - begin;
  work.head_dim = head_dim;
  work.window = args.window;
  const int64_t kv_head = head / (heads / args.keys.shape[0]), source = (kv_head * tokens + begin) * head_dim;
  const float* keys = args.keys.f32() + source;
  pack_panels({keys, 1, head_dim}, head_dim, work.length, work.transposed_keys);
  pack_panels({args.values.f32() + source, 1, head_dim}, head_dim, work.length, work.transposed_values);
  pack_panels({keys, head_dim, 1}, work.length, head_dim, work.keys);
  keys_gradient += begin * head_dim;
  values_gradient += begin * head_dim;
  memset(keys_gradient, 0, static_cast<size_t>(work.length * head_dim) * 4);
  memset(values_gradient, 0, static_cast<size_t>(work.length * head_dim) * 4);
  for (int64_t row = 0; row < work.length; row += kQueryBlock) {
    const int64_t rows = work.length - row < kQueryBlock ? work.length - row : kQueryBlock;
    backward_block(args, work, begin, head, row, rows, keys_gradient, values_gradient);
  }
}

// total[kv_heads, size] = the sums of parts[kv_heads, group, size] over the group.
void sum_groups(Context& context, const float* parts, int64_t kv_heads, int64_t group, int64_t size,
                float* total) {
  constexpr int64_t kChunk = 4096;
  const int64_t chunks = (size + kChunk - 1) / kChunk;
  context.pool.parallel_for(kv_heads * chunks, [=](int64_t task, int) {
    const int64_t kv_head = task / chunks, first = task % chunks * kChunk;
    const int64_t end = first + kChunk < size ? first + kChunk : size;
    const float* part = parts + kv_head * group * size;
    float* sum = total + kv_head * size;
    for (int64_t i = first; i < end; ++i) sum[i] = part[i];
    for (int64_t member = 1; member < group; ++member)
      for (int64_t i = first; i < end; ++i) sum[i] += part[member * size + i];
  });
}

}  // namespace

void run(Context& context, const PackedAttentionBackward& args) {
  const int64_t tokens = args.query.shape[0], heads = args.query.shape[1], head_dim = args.query.shape[2];
  const int64_t kv_heads = args.keys.shape[0], group = heads / kv_heads, size = tokens * head_dim;
  const int64_t documents = args.document_offsets.shape[0] - 1, threads = context.pool.threads();
  const int64_t longest = longest_document(args.document_offsets);

  // Every thread's work, and behind all of them the gradients of query heads that share keys.
  Work layout;
  const int64_t work_floats = lay_out(layout, nullptr, longest, head_dim);
  const int64_t part_floats = group > 1 ? heads * size : 0;
  float* scratch = reinterpret_cast<float*>(
      context.scratch((work_floats + (2 * part_floats + threads - 1) / threads) * 4));
  float* key_parts = scratch + threads * work_floats;
  float* value_parts = key_parts + part_floats;
  float* keys_gradient =
      group > 1 ? key_parts : args.keys_gradient.mutable_f32();  // [heads, tokens, head_dim]
  float* values_gradient =
      group > 1 ? value_parts : args.values_gradient.mutable_f32();  // [heads, tokens, head_dim]

  context.pool.parallel_for(documents * heads, [&](int64_t task, int thread) {
    Work work;
    lay_out(work, scratch + thread * work_floats, longest, head_dim);
    const int64_t document = task / heads, head = task % heads;
    backward_document(args, work, document, head, keys_gradient + head * size, values_gradient + head * size);
  });
  if (group == 1) return;
  sum_groups(context, key_parts, kv_heads, group, size, args.keys_gradient.mutable_f32());
  sum_groups(context, value_parts, kv_heads, group, size, args.values_gradient.mutable_f32());
}

}  // namespace msn::cpu::MSN_ISA
