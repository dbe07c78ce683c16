// The f32 matrix product that training is made of, in the way of BLIS (Van Zee and van de Geijn, 2015):
// panels of B packed side by side, tiles of C kept in registers.
//   C[m, n] = A[m, k] B[k, n] (+ C)
// Each cell is summed over k in one order that depends on k alone: neither tiles nor threads change a bit.
#pragma once
#include "cpu/context.h"
#include "cpu/simd.h"

namespace msn::cpu::MSN_ISA {

// A tile of C that fits the register file beside one row of B and a broadcast value of A.
#if defined(MSN_ISA_AVX512)
constexpr int kTileRows = 12;
constexpr int kTileVectors = 2;
#elif defined(MSN_ISA_AVX2)
constexpr int kTileRows = 6;
constexpr int kTileVectors = 2;
#else
constexpr int kTileRows = 4;
constexpr int kTileVectors = 1;
#endif
constexpr int64_t kTileColumns = kTileVectors * Vector::kWidth;

// A matrix in memory: element (row, column) at data[row * row_stride + column * column_stride].
struct Strided {
  const float* data;
  int64_t row_stride;
  int64_t column_stride;
};

// B packed in panels of kTileColumns columns, the last one padded with zeros.
struct Panels {
  const float* data;     // panel p, row r at data + p * panel_stride + r * kTileColumns
  int64_t panel_stride;  // in floats
};

inline int64_t panel_count(int64_t columns) { return (columns + kTileColumns - 1) / kTileColumns; }
// Floats that `columns` columns of `rows` rows take as panels.
inline int64_t panel_floats(int64_t rows, int64_t columns) {
  return panel_count(columns) * rows * kTileColumns;
}

// Packs rows [0, rows) and columns [0, columns) of `source` into panels [panel_count][rows][kTileColumns].
void pack_panels(const Strided& source, int64_t rows, int64_t columns, float* panels);

// C[m, n] = or += A[m, k] B, summed in one run over k, on the calling thread.
void multiply_panels(const Strided& a, const Panels& b, float* c, int64_t c_stride, int64_t m, int64_t n,
                     int64_t k, bool accumulate);

struct Product {
  Strided a;  // [m, k]
  Strided b;  // [k, n]
  float* c;   // [m, n], rows c_stride apart
  int64_t c_stride;
  int64_t m, n, k;
  const float* bias = nullptr;  // [n]: what C starts from where it is not accumulated
  bool accumulate = false;
};

// k is cut into equal blocks of at most this many steps, so that a panel of B stays in the nearest caches.
constexpr int64_t kBlockDepth = 384;
// A's block of one task should stay in a core's second-level cache.
constexpr int64_t kBlockBytes = 512 * 1024;
// What one thread needs for its packed panels in `multiply`.
constexpr int64_t kProductScratchBytes = kBlockBytes + kBlockDepth * (kTileColumns + kTileRows) * 4;
// On all threads. Thread t packs into kProductScratchBytes at scratch + t * scratch_stride (bytes).
void multiply(Context& context, const Product& product, std::byte* scratch, int64_t scratch_stride);

}  // namespace msn::cpu::MSN_ISA
