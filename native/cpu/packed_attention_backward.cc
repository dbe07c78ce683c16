// Backward pass of the training attention, a block of query rows at a time, the weights computed again:
//   p = exp(s - log_sum_exp);  dv = p^T g;  ds = p (g v^T - sum(g output)) / sqrt(head_dim);  dq = ds k;  dk
//   = ds^T q
// A task owns one key/value head of one document with all its gradients, query rows in ascending order.
#include <math.h>
#include <string.h>

#include "cpu/attention_block.h"
#include "cpu/kernels.h"
#include "ops/packed_attention.h"

namespace msn::cpu::MSN_ISA {
namespace {

// One document and key/value head; the pointers lie in the thread's scratch.
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
    float* piece = memory + offset;
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

}  // namespace

void run(Context& context, const PackedAttentionBackward& args) {
  const int64_t tokens = args.query.shape[0], head_dim = args.query.shape[2], kv_heads = args.keys.shape[0];
  const int64_t group = args.query.shape[1] / kv_heads, documents = args.document_offsets.shape[0] - 1;
  const int32_t* offsets = args.document_offsets.i32();
  int64_t longest = 0;
  for (int64_t document = 0; document < documents; ++document)
    longest = offsets[document + 1] - offsets[document] > longest ? offsets[document + 1] - offsets[document]
                                                                  : longest;

  Work layout;
  std::byte* scratch = context.scratch(lay_out(layout, nullptr, longest, head_dim) * 4);
  context.pool.parallel_for(documents * kv_heads, [&](int64_t task, int thread) {
    Work work;
    lay_out(work, reinterpret_cast<float*>(scratch + thread * context.scratch_stride()), longest, head_dim);
    const int64_t document = task / kv_heads, kv_head = task % kv_heads;
    const int64_t begin = offsets[document];
    work.length = offsets[document + 1] - begin;
    work.head_dim = head_dim;
    work.window = args.window;
    const int64_t source = (kv_head * tokens + begin) * head_dim;
    const float* keys = args.keys.f32() + source;
    pack_panels({keys, 1, head_dim}, head_dim, work.length, work.transposed_keys);
    pack_panels({args.values.f32() + source, 1, head_dim}, head_dim, work.length, work.transposed_values);
    pack_panels({keys, head_dim, 1}, work.length, head_dim, work.keys);
    float* keys_gradient = args.keys_gradient.mutable_f32() + source;
    float* values_gradient = args.values_gradient.mutable_f32() + source;
    memset(keys_gradient, 0, static_cast<size_t>(work.length * head_dim) * 4);
    memset(values_gradient, 0, static_cast<size_t>(work.length * head_dim) * 4);
    for (int64_t head = kv_head * group; head < (kv_head + 1) * group; ++head)
      for (int64_t row = 0; row < work.length; row += kQueryBlock)
        backward_block(args, work, begin, head, row,
                       work.length - row < kQueryBlock ? work.length - row : kQueryBlock, keys_gradient,
                       values_gradient);
  });
}

}  // namespace msn::cpu::MSN_ISA
