// Packing, tiles and the split over threads of the matrix product, see product.h.
#include "cpu/product.h"

#if defined(__SSE__)
#include <xmmintrin.h>
#endif

namespace msn::cpu::MSN_ISA {
namespace {

// Rows of A this far apart fall into one set of the first-level cache; A is packed then.
constexpr int64_t kCacheAliasBytes = 4096;

int64_t minimum_of(int64_t a, int64_t b) { return a < b ? a : b; }
int64_t ceiling(int64_t a, int64_t b) { return (a + b - 1) / b; }

int64_t block_depth(int64_t k) { return k == 0 ? 1 : ceiling(k, ceiling(k, kBlockDepth)); }

// destination[c * stride + r] = source[r * source_stride + c] for a 4 x 4 square.
inline void transpose_square(const float* source, int64_t source_stride, float* destination, int64_t stride) {
#if defined(__SSE__)
  __m128 row0 = _mm_loadu_ps(source), row1 = _mm_loadu_ps(source + source_stride);
  __m128 row2 = _mm_loadu_ps(source + 2 * source_stride), row3 = _mm_loadu_ps(source + 3 * source_stride);
  _MM_TRANSPOSE4_PS(row0, row1, row2, row3);
  _mm_storeu_ps(destination, row0);
  _mm_storeu_ps(destination + stride, row1);
  _mm_storeu_ps(destination + 2 * stride, row2);
  _mm_storeu_ps(destination + 3 * stride, row3);
#else
  for (int row = 0; row < 4; ++row)
    for (int column = 0; column < 4; ++column)
      destination[column * stride + row] = source[row * source_stride + column];
#endif
}

// One panel: `lanes` neighbouring lines of the source become the columns of panel[steps][width], zeros behind
// them. lane_stride: between lines; step_stride: along the summed dimension.
void pack_panel(const float* source, int64_t lane_stride, int64_t step_stride, int64_t steps, int64_t lanes,
                int64_t width, float* panel) {
  if (lane_stride == 1 && lanes == width) {
    for (int64_t step = 0; step < steps; ++step) {
      const float* from = source + step * step_stride;
      float* to = panel + step * width;
      for (int64_t lane = 0; lane < width; ++lane) to[lane] = from[lane];
    }
    return;
  }
  if (step_stride == 1 && lanes == width && width % 4 == 0) {
    const int64_t whole = steps / 4 * 4;
    for (int64_t lane = 0; lane < width; lane += 4)
      for (int64_t step = 0; step < whole; step += 4)
        transpose_square(source + lane * lane_stride + step, lane_stride, panel + step * width + lane, width);
    for (int64_t lane = 0; lane < width; ++lane)
      for (int64_t step = whole; step < steps; ++step)
        panel[step * width + lane] = source[lane * lane_stride + step];
    return;
  }
  for (int64_t step = 0; step < steps; ++step)
    for (int64_t lane = 0; lane < width; ++lane)
      panel[step * width + lane] = lane < lanes ? source[lane * lane_stride + step * step_stride] : 0.0f;
}

// What a tile of C starts from before the sum of this run over k is added.
enum class Start { kZero, kStored, kBias };

// One tile: Rows x kTileColumns cells, of which `columns` are stored.
template <int Rows>
__attribute__((always_inline)) inline void multiply_tile(const Strided& a, const float* b, float* c,
                                                         int64_t c_stride, int64_t columns, int64_t k,
                                                         Start start, const float* bias) {
  Vector sums[Rows][kTileVectors];
#pragma GCC unroll 16
  for (int row = 0; row < Rows; ++row)
#pragma GCC unroll 4
    for (int part = 0; part < kTileVectors; ++part) sums[row][part] = Vector::zero();

  const float* a_step = a.data;
  const int64_t row_stride = a.row_stride, column_stride = a.column_stride;
  for (int64_t step = 0; step < k; ++step) {
    Vector right[kTileVectors];
#pragma GCC unroll 4
    for (int part = 0; part < kTileVectors; ++part) right[part] = Vector::load(b + part * Vector::kWidth);
#pragma GCC unroll 16
    for (int row = 0; row < Rows; ++row) {
      const Vector left = Vector::broadcast(a_step[row * row_stride]);
#pragma GCC unroll 4
      for (int part = 0; part < kTileVectors; ++part)
        sums[row][part] = fma(left, right[part], sums[row][part]);
    }
    a_step += column_stride;
    b += kTileColumns;
  }

#pragma GCC unroll 4
  for (int part = 0; part < kTileVectors; ++part) {
    const int64_t left_over = columns - part * Vector::kWidth;
    if (left_over <= 0) break;
    const int count = static_cast<int>(minimum_of(left_over, Vector::kWidth));
    const bool whole = count == Vector::kWidth;
#pragma GCC unroll 16
    for (int row = 0; row < Rows; ++row) {
      float* cell = c + row * c_stride + part * Vector::kWidth;
      const float* before = start == Start::kBias ? bias + part * Vector::kWidth : cell;
      Vector sum = sums[row][part];
      if (start != Start::kZero)
        sum = (whole ? Vector::load(before) : Vector::load_partial(before, count)) + sum;
      if (whole)
        sum.store(cell);
      else
        sum.store_partial(cell, count);
    }
  }
}

template <int Rows>
void tile_of(const Strided& a, const float* b, float* c, int64_t c_stride, int64_t columns, int64_t k,
             Start start, const float* bias) {
  multiply_tile<Rows>(a, b, c, c_stride, columns, k, start, bias);
}

// All rows of one panel of C.
void multiply_panel(Strided a, const float* panel, float* c, int64_t c_stride, int64_t m, int64_t columns,
                    int64_t k, Start start, const float* bias) {
  int64_t left = m;
  const auto advance = [&](int64_t rows) {
    a.data += rows * a.row_stride;
    c += rows * c_stride;
    left -= rows;
  };
  for (; left >= kTileRows; advance(kTileRows))
    tile_of<kTileRows>(a, panel, c, c_stride, columns, k, start, bias);
  if constexpr (kTileRows > 8) {
    for (; left >= 8; advance(8)) tile_of<8>(a, panel, c, c_stride, columns, k, start, bias);
  }
  for (; left >= 4; advance(4)) tile_of<4>(a, panel, c, c_stride, columns, k, start, bias);
  for (; left >= 2; advance(2)) tile_of<2>(a, panel, c, c_stride, columns, k, start, bias);
  for (; left >= 1; advance(1)) tile_of<1>(a, panel, c, c_stride, columns, k, start, bias);
}

// How C is cut into tasks: rows_per_task and columns_per_task are multiples of the tile where C is larger.
struct Split {
  int64_t rows_per_task, columns_per_task;
  int64_t row_tasks, column_tasks;
};

// The cheapest cut: as few tile runs on the busiest thread as possible, packing included. It affects time
// only.
Split split_tasks(const Product& product, int threads) {
  const int64_t tile_rows = ceiling(product.m, kTileRows), panels = panel_count(product.n);
  const int64_t depth = block_depth(product.k);
  const int64_t tile_rows_limit = minimum_of(tile_rows, 1 + kBlockBytes / (depth * 4 * kTileRows));
  int64_t best_rows = 1, best_panels = 1;
  double best_cost = -1;
  for (int64_t row_tasks = ceiling(tile_rows, tile_rows_limit); row_tasks <= tile_rows; ++row_tasks) {
    const int64_t rows = ceiling(tile_rows, row_tasks);
    for (int64_t column_tasks = 1; column_tasks <= panels && column_tasks <= 2 * threads; ++column_tasks) {
      const int64_t width = ceiling(panels, column_tasks);
      const int64_t tasks = ceiling(tile_rows, rows) * ceiling(panels, width);
      // Packing a panel takes about a third of the time of a tile run.
      const double cost =
          static_cast<double>(ceiling(tasks, threads) * width) * (static_cast<double>(rows) + 0.35);
      if (best_cost < 0 || cost < best_cost) {
        best_cost = cost;
        best_rows = rows;
        best_panels = width;
      }
    }
    if (row_tasks >= ceiling(tile_rows, tile_rows_limit) + 2 * threads) break;
  }
  return {best_rows * kTileRows, best_panels * kTileColumns, ceiling(tile_rows, best_rows),
          ceiling(panels, best_panels)};
}

bool packs_a(const Product& product) {
  return product.a.row_stride != 1 && product.a.row_stride * 4 % kCacheAliasBytes == 0 && product.m > 1;
}

}  // namespace

void pack_panels(const Strided& source, int64_t rows, int64_t columns, float* panels) {
  for (int64_t column = 0; column < columns; column += kTileColumns) {
    pack_panel(source.data + column * source.column_stride, source.column_stride, source.row_stride, rows,
               minimum_of(kTileColumns, columns - column), kTileColumns, panels);
    panels += rows * kTileColumns;
  }
}

void multiply_panels(const Strided& a, const Panels& b, float* c, int64_t c_stride, int64_t m, int64_t n,
                     int64_t k, bool accumulate) {
  for (int64_t column = 0; column < n; column += kTileColumns)
    multiply_panel(a, b.data + column / kTileColumns * b.panel_stride, c + column, c_stride, m,
                   minimum_of(kTileColumns, n - column), k, accumulate ? Start::kStored : Start::kZero,
                   nullptr);
}

void multiply(Context& context, const Product& product, std::byte* scratch, int64_t scratch_stride) {
  const Split split = split_tasks(product, context.pool.threads());
  const int64_t depth = block_depth(product.k);
  const bool pack_a = packs_a(product);
  context.pool.parallel_for(split.row_tasks * split.column_tasks, [&](int64_t task, int thread) {
    float* panel = reinterpret_cast<float*>(scratch + thread * scratch_stride);
    float* packed_a = panel + depth * kTileColumns;
    const int64_t row = task / split.column_tasks * split.rows_per_task;
    const int64_t rows = minimum_of(split.rows_per_task, product.m - row);
    const int64_t first_column = task % split.column_tasks * split.columns_per_task;
    const int64_t end_column = minimum_of(first_column + split.columns_per_task, product.n);
    // An empty sum still sets C.
    for (int64_t step = 0; step == 0 || step < product.k; step += depth) {
      const int64_t steps = minimum_of(depth, product.k - step);
      const Start start = step > 0 || product.accumulate ? Start::kStored
                          : product.bias != nullptr      ? Start::kBias
                                                         : Start::kZero;
      Strided a = product.a;
      a.data += row * a.row_stride + step * a.column_stride;
      if (pack_a) {
        for (int64_t tile = 0; tile < rows; tile += kTileRows) {
          pack_panel(a.data + tile * a.row_stride, a.row_stride, a.column_stride, steps,
                     minimum_of(kTileRows, rows - tile), kTileRows, packed_a + tile * steps);
        }
      }
      for (int64_t column = first_column; column < end_column; column += kTileColumns) {
        const int64_t columns = minimum_of(kTileColumns, product.n - column);
        pack_panel(product.b.data + step * product.b.row_stride + column * product.b.column_stride,
                   product.b.column_stride, product.b.row_stride, steps, columns, kTileColumns, panel);
        float* c = product.c + row * product.c_stride + column;
        const float* bias = product.bias != nullptr ? product.bias + column : nullptr;
        if (!pack_a) {
          multiply_panel(a, panel, c, product.c_stride, rows, columns, steps, start, bias);
          continue;
        }
        for (int64_t tile = 0; tile < rows; tile += kTileRows)
          multiply_panel({packed_a + tile * steps, 1, kTileRows}, panel, c + tile * product.c_stride,
                         product.c_stride, minimum_of(kTileRows, rows - tile), columns, steps, start, bias);
      }
    }
  });
}

}  // namespace msn::cpu::MSN_ISA
