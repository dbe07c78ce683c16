// c[i][j] = sum over l of op(a)[i][l] * op(b)[l][j] (+ bias[j]) (+ c[i][j]).
//
// A block computes one square tile of c: tiles of both operands travel through shared memory, several steps
// of the inner dimension ahead, and through ldmatrix into mma.m16n8k16. When there are fewer tiles than
// multiprocessors the inner dimension is cut into slices; the block of a tile that comes last adds the slices
// in their order, so that the result does not depend on who that is.
#include "kernels/copy_piece.h"
#include "kernels/last_block.h"
#include "kernels/launcher.h"
#include "kernels/matrix_product.h"
#include "kernels/ptx.h"

namespace msn::kernels {
namespace {

constexpr int kInner = 64;  // of a step
constexpr int kStages = 3;
constexpr int kPiece = 8;             // numbers of a 16-byte piece
constexpr int64_t kLeastSlice = 512;  // below, adding slices costs more than it gains

// A tile of an operand in shared memory: `kTile` rows or columns of the result ("outer") times kInner of the
// inner dimension. It lies as the matrix does, so that it is copied in pieces; pieces are turned by their
// row's number, so that the eight rows of an ldmatrix lie in different banks.
template <int kTile, bool kInnerContiguous>
struct OperandTile {
  static constexpr int kRows = kInnerContiguous ? kTile : kInner;
  static constexpr int kRowPieces = (kInnerContiguous ? kInner : kTile) / kPiece;
  static constexpr int kPieces = kRows * kRowPieces;
  static constexpr int kBytes = kPieces * 16;

  static __device__ __forceinline__ int place(int row, int piece) {
    return (row * kRowPieces + (piece ^ (row % 8))) * 16;
  }

  // Sends the tile at (outer, inner) on its way; numbers from `outers` or `inners` on are zeros.
  // `whole_pieces`: every piece is aligned and exists as a whole or not at all.
  template <int kThreads>
  static __device__ __forceinline__ void copy(unsigned char* shared, const Bf16* matrix, int64_t stride,
                                              int outer, int outers, int inner, int inners,
                                              bool whole_pieces) {
    const int first_row = kInnerContiguous ? outer : inner;
    const int rows = kInnerContiguous ? outers : inners;
    const int first_column = kInnerContiguous ? inner : outer;
    const int columns = kInnerContiguous ? inners : outers;
    if (whole_pieces) {
      // A thread has one piece of every kStep-th row.
      constexpr int kStep = kThreads / kRowPieces;
      static_assert(kStep % 8 == 0, "the pieces of a thread are turned alike");
      const int row = threadIdx.x / kRowPieces;
      const int piece = threadIdx.x % kRowPieces;
      const int column = first_column + piece * kPiece;
      const int left = column < columns ? rows - first_row - row : 0;
      const Bf16* source = matrix + int64_t{first_row + row} * stride + column;
      unsigned char* const target = shared + place(row, piece);
#pragma unroll
      for (int i = 0; i < kRows / kStep; ++i, source += kStep * stride)
        copy_16_async(target + i * kStep * kRowPieces * 16, source, i * kStep < left);
      return;
    }
#pragma unroll 1
    for (int i = threadIdx.x; i < kPieces; i += kThreads) {
      const int row = i / kRowPieces;
      const int piece = i % kRowPieces;
      const int column = first_column + piece * kPiece;
      copy_piece(shared + place(row, piece), matrix + int64_t{first_row + row} * stride + column,
                 first_row + row < rows ? columns - column : 0, false);
    }
  }

  // The four 8 x 8 matrices (outer + 8 * outer_block(lane / 8), inner + 8 * inner_block(lane / 8)), a lane
  // holding two neighbours along the inner dimension.
  static __device__ __forceinline__ void load(uint32_t (&fragment)[4], const unsigned char* shared, int outer,
                                              int inner, int outer_block, int inner_block) {
    const int in_block = threadIdx.x % 8;
    const int own_outer = outer + 8 * outer_block;
    const int own_inner = inner + 8 * inner_block;
    if constexpr (kInnerContiguous)
      load_matrices<false>(fragment, shared + place(own_outer + in_block, own_inner / kPiece));
    else
      load_matrices<true>(fragment, shared + place(own_inner + in_block, own_outer / kPiece));
  }
};

struct ProductCall {
  MatrixProduct args;
  int row_tiles;
  int column_tiles;
  int slices;
  int slice;             // inner numbers of a slice, a multiple of kInner
  float4* partial_sums;  // [tiles, slices, fragments of a thread, threads]
  uint32_t* tickets;     // [tiles]
  bool whole_a;          // operands consist of whole, aligned pieces
  bool whole_b;
  bool aligned_c;
};

// kTile: rows and columns of a tile of c. Warps stand in two rows; each computes kTile / 2 rows and 32
// columns.
template <int kTile, bool kTransposeA, bool kTransposeB>
struct ProductBlock {
  using TileA = OperandTile<kTile, !kTransposeA>;
  using TileB = OperandTile<kTile, kTransposeB>;
  static constexpr int kWarpColumns = kTile / 32;
  static constexpr int kThreads = 32 * 2 * kWarpColumns;
  static constexpr int kStageBytes = TileA::kBytes + TileB::kBytes;
  static constexpr int kSharedBytes = kStages * kStageBytes;
  static constexpr int kHigh = kTile / 2 / 16;  // mma tiles of a warp
  static constexpr int kWide = 32 / 8;
};

template <int kTile>
constexpr int64_t partial_bytes() {
  return int64_t{kTile} * kTile * 4;
}

// Tiles in bands of eight rows of tiles, column after column: blocks that run at the same time share
// operands.
__device__ __forceinline__ void place_tile(const ProductCall& call, int& row, int& column) {
  constexpr int kBand = 8;
  const int index = blockIdx.x;
  const int band = index / (kBand * call.column_tiles);
  const int height = min(kBand, call.row_tiles - band * kBand);
  const int in_band = index - band * kBand * call.column_tiles;
  row = band * kBand + in_band % height;
  column = in_band / height;
}

template <int kTile, bool kTransposeA, bool kTransposeB>
__global__ void __launch_bounds__(ProductBlock<kTile, kTransposeA, kTransposeB>::kThreads, 2)
    matrix_product_kernel(const ProductCall call) {
  using Block = ProductBlock<kTile, kTransposeA, kTransposeB>;
  using TileA = typename Block::TileA;
  using TileB = typename Block::TileB;
  constexpr int kHigh = Block::kHigh;
  constexpr int kWide = Block::kWide;
  wait_for_inputs();
  let_next_start();
  unsigned char* const shared = shared_memory<unsigned char>();
  const MatrixProduct& args = call.args;
  const int lane = threadIdx.x % 32;
  const int warp = threadIdx.x / 32;
  const int warp_row = warp / Block::kWarpColumns * (kTile / 2);
  const int warp_column = warp % Block::kWarpColumns * 32;
  int row_tile, column_tile;
  place_tile(call, row_tile, column_tile);
  const int first_row = row_tile * kTile;
  const int first_column = column_tile * kTile;
  const int begin = static_cast<int>(blockIdx.y) * call.slice;
  const int end = min(begin + call.slice, static_cast<int>(args.k));
  const int steps = (end - begin + kInner - 1) / kInner;

  const auto copy = [&](int step, int to) {
    if (step < steps) {
      unsigned char* const stage = shared + to * Block::kStageBytes;
      const int inner = begin + step * kInner;
      TileA::template copy<Block::kThreads>(stage, args.a, args.a_stride, first_row, static_cast<int>(args.m),
                                            inner, end, call.whole_a);
      TileB::template copy<Block::kThreads>(stage + TileA::kBytes, args.b, args.b_stride, first_column,
                                            static_cast<int>(args.n), inner, end, call.whole_b);
    }
    commit_copies();
  };

  float sums[kHigh][kWide][4] = {};
  for (int step = 0; step < kStages - 1; ++step) copy(step, step);
  int current = 0;  // stage of the step at hand
  for (int step = 0; step < steps; ++step) {
    wait_for_copies<kStages - 2>();
    __syncthreads();
    copy(step + kStages - 1, current == 0 ? kStages - 1 : current - 1);
    const unsigned char* const stage = shared + current * Block::kStageBytes;
    current = current == kStages - 1 ? 0 : current + 1;
#pragma unroll 2
    for (int inner = 0; inner < kInner; inner += 16) {
      uint32_t a[kHigh][4];
#pragma unroll
      for (int i = 0; i < kHigh; ++i)
        TileA::load(a[i], stage, warp_row + 16 * i, inner, lane / 8 % 2, lane / 16);
#pragma unroll
      for (int j = 0; j < kWide; j += 2) {
        uint32_t b[4];
        TileB::load(b, stage + TileA::kBytes, warp_column + 8 * j, inner, lane / 16, lane / 8 % 2);
#pragma unroll
        for (int i = 0; i < kHigh; ++i) {
          multiply_m16n8k16(sums[i][j], a[i], {b[0], b[1]});
          multiply_m16n8k16(sums[i][j + 1], a[i], {b[2], b[3]});
        }
      }
    }
  }

  if (call.slices > 1) {
    // All slices of a tile, a fragment of all threads at a time.
    float4* const slices =
        call.partial_sums +
        static_cast<int64_t>(blockIdx.x) * call.slices * (kHigh * kWide * Block::kThreads) + threadIdx.x;
    float4* const own = slices + static_cast<int64_t>(blockIdx.y) * (kHigh * kWide * Block::kThreads);
#pragma unroll
    for (int i = 0; i < kHigh; ++i)
#pragma unroll
      for (int j = 0; j < kWide; ++j)
        own[(i * kWide + j) * Block::kThreads] =
            make_float4(sums[i][j][0], sums[i][j][1], sums[i][j][2], sums[i][j][3]);
    if (!arrives_last(call.tickets + blockIdx.x, call.slices, reinterpret_cast<unsigned*>(shared))) return;
#pragma unroll
    for (int i = 0; i < kHigh; ++i)
#pragma unroll
      for (int j = 0; j < kWide; ++j) {
        float4 sum = make_float4(0, 0, 0, 0);
        for (int slice = 0; slice < call.slices; ++slice) {
          const float4 part = __ldcg(
              slices + (static_cast<int64_t>(slice) * (kHigh * kWide) + i * kWide + j) * Block::kThreads);
          sum.x += part.x;
          sum.y += part.y;
          sum.z += part.z;
          sum.w += part.w;
        }
        sums[i][j][0] = sum.x;
        sums[i][j][1] = sum.y;
        sums[i][j][2] = sum.z;
        sums[i][j][3] = sum.w;
      }
  }

  // A lane has two neighbours of row lane / 4 and two of the row 8 further down.
#pragma unroll
  for (int i = 0; i < kHigh; ++i)
#pragma unroll
    for (int half = 0; half < 2; ++half) {
      const int64_t row = first_row + warp_row + 16 * i + 8 * half + lane / 4;
      if (row >= args.m) continue;
#pragma unroll
      for (int j = 0; j < kWide; ++j) {
        const int64_t column = first_column + warp_column + 8 * j + lane % 4 * 2;
        const int64_t count = args.n - column;
        if (count <= 0) continue;
        float low = sums[i][j][2 * half];
        float high = sums[i][j][2 * half + 1];
        if (args.bias != nullptr) {
          low += args.bias[column];
          if (count > 1) high += args.bias[column + 1];
        }
        const int64_t place = row * args.c_stride + column;
        if (args.c_f32 != nullptr) {
          float* const target = args.c_f32 + place;
          if (call.aligned_c && count > 1) {
            float2* const pair = reinterpret_cast<float2*>(target);
            if (args.accumulate) {
              low += pair->x;
              high += pair->y;
            }
            *pair = make_float2(low, high);
          } else {
            target[0] = args.accumulate ? target[0] + low : low;
            if (count > 1) target[1] = args.accumulate ? target[1] + high : high;
          }
        } else if (call.aligned_c && count > 1) {
          *reinterpret_cast<uint32_t*>(args.c + place) = pack_bf16(low, high);
        } else {
          args.c[place] = to_bf16(low);
          if (count > 1) args.c[place + 1] = to_bf16(high);
        }
      }
    }
}

bool is_aligned(const void* memory, int64_t stride, int64_t elements) {
  return reinterpret_cast<uintptr_t>(memory) % 16 == 0 && stride % elements == 0;
}

template <int kTile, bool kTransposeA, bool kTransposeB>
Status launch_tiles(ProductCall& call, const Launch& where) {
  using Block = ProductBlock<kTile, kTransposeA, kTransposeB>;
  const Grid grid{
      dim3(static_cast<unsigned>(call.row_tiles * call.column_tiles), static_cast<unsigned>(call.slices)),
      dim3(Block::kThreads), Block::kSharedBytes};
  return launch(matrix_product_kernel<kTile, kTransposeA, kTransposeB>, grid, call, where);
}

template <int kTile>
Status launch_product(const MatrixProduct& args, const Launch& where) {
  ProductCall call;
  call.args = args;
  call.row_tiles = static_cast<int>(divided_up(args.m, kTile));
  call.column_tiles = static_cast<int>(divided_up(args.n, kTile));
  call.partial_sums = static_cast<float4*>(where.scratch);
  call.tickets = where.tickets;
  call.whole_a = is_aligned(args.a, args.a_stride, 8) && (args.transpose_a ? args.m : args.k) % 8 == 0;
  call.whole_b = is_aligned(args.b, args.b_stride, 8) && (args.transpose_b ? args.k : args.n) % 8 == 0;
  call.aligned_c = is_aligned(args.c, args.c_stride, 2) && is_aligned(args.c_f32, args.c_stride, 2);
  const int64_t tiles = int64_t{call.row_tiles} * call.column_tiles;
  const int64_t fitting = where.scratch_bytes / (tiles * partial_bytes<kTile>());
  const int64_t wanted = min(where.device->multiprocessors / tiles, args.k / kLeastSlice);
  const int64_t slices = tiles <= kTickets ? max(min(wanted, fitting), int64_t{1}) : 1;
  call.slice = static_cast<int>(max(divided_up(divided_up(args.k, slices), kInner), int64_t{1})) * kInner;
  call.slices = static_cast<int>(max(divided_up(args.k, call.slice), int64_t{1}));
  if (args.transpose_a) {
    if (args.transpose_b) return launch_tiles<kTile, true, true>(call, where);
    return launch_tiles<kTile, true, false>(call, where);
  }
  if (args.transpose_b) return launch_tiles<kTile, false, true>(call, where);
  return launch_tiles<kTile, false, false>(call, where);
}

}  // namespace

Status matrix_product(const MatrixProduct& args, const Launch& where) {
  if (args.m == 0 || args.n == 0) return 0;
  // Large tiles read each operand less often; small ones keep the device busy when there is little to do.
  const int64_t large_tiles = divided_up(args.m, 128) * divided_up(args.n, 128);
  const int64_t blocks = large_tiles * max(args.k / kLeastSlice, int64_t{1});
  const bool large = args.m > 64 && args.n > 64 && 2 * blocks > where.device->multiprocessors;
  return large ? launch_product<128>(args, where) : launch_product<64>(args, where);
}

}  // namespace msn::kernels
