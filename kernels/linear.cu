// output[r][o] = sum over i of input[r][i] * weight[o][i] (+ bias[o]) (+ output[r][o]), for few rows: the
// time is that of reading the weight once.
//
// Weight rows are the m side of mma.m16n8k16 and tokens the n side. A lane loads 16 consecutive bytes of a
// weight row from global memory into registers, a whole step ahead, where they are its mma fragments as they
// stand: the inner dimension may be permuted as long as both operands are, so lane t of a quad simply owns
// inputs t, t + 4, ... in pieces of 16 bytes, of the weight as of the tokens. Tokens are staged in shared
// memory a step ahead. linear_plan.h says who computes what and in which order an output is summed; nothing
// here depends on `rows` but how many tokens share a block.
#include "kernels/copy_piece.h"
#include "kernels/launcher.h"
#include "kernels/linear.h"
#include "kernels/linear_plan.h"
#include "kernels/ptx.h"
#include "kernels/weight_layout.h"

namespace msn::kernels {
namespace {

constexpr int kTileTokens = 8;  // tokens of an mma
constexpr int kStepChunks = 2;  // chunks whose weights and tokens are on their way at a time
constexpr int kSlots = 4;       // loads of 16 bytes of a step, for each of a lane's four weight rows
constexpr int kLaneRows = 4;
constexpr int kPrefetchChunks =
    4;  // that every worker has on their way to the second-level cache when it starts

// From compute capability 10.0 on the compiler needs more registers for the same code, and the largest
// variants would spill.
constexpr int kNeedsRegisters = 10;
#if defined(__CUDA_ARCH__)
constexpr int kMajor = __CUDA_ARCH__ / 100;
#else
constexpr int kMajor = 0;
#endif
// Never launched in clusters before 9.0.
constexpr bool kHasClusters = kMajor == 0 || kMajor >= 9;
template <class Weight>
MSN_HOST_DEVICE constexpr bool has_registers(int token_tiles, int major) {
  return major < kNeedsRegisters || token_tiles <= (sizeof(Weight) == 2 ? 10 : 8);
}

// What depends on the type of the weights.
template <class Weight>
struct Format {
  static constexpr int kPiece = 16 / sizeof(Weight);                 // inputs that a lane loads at once
  static constexpr int kSlotInputs = 4 * kPiece;                     // by the four lanes of a quad
  static constexpr int kChunk = kSlotInputs * kSlots / kStepChunks;  // inputs of a chunk for one group
  static_assert(kChunk * sizeof(Weight) == kLinearChunkBytes);
  static constexpr int kRowPieces = kStepChunks * kChunk / 8;  // 16-byte pieces of a staged token
  static constexpr int kLanePieces = kPiece / 8;               // of them a lane reads for one slot
  static constexpr int kWords = kPiece / 2;                    // pairs of bf16 of a lane's piece
  // Odd tokens lie with these bits of the piece's number turned, so that two rows of a quad's pieces fill the
  // banks of shared memory.
  static constexpr int kTurn = sizeof(Weight) == 2 ? 4 : 1;
};

template <class T, int kCount>
struct alignas(kCount * sizeof(T)) Pack {
  T values[kCount];
};

__device__ __forceinline__ float silu(float z) { return z / (1.0f + __expf(-z)); }

struct LinearCall {
  Linear args;
  LinearPlan plan;
  float4* partial_sums;  // [row tiles, 2 * workers, fragments of a tile, 32]
  uint32_t* tickets;     // [row tiles, workers, warps]
  int64_t first_row;
  bool aligned_input;
  bool aligned_output;
};

// Bytes of the tokens of a step in shared memory.
template <class Weight>
MSN_HOST_DEVICE constexpr int64_t step_bytes(int groups, int token_tiles) {
  return int64_t{groups} * token_tiles * kTileTokens * Format<Weight>::kRowPieces * 16;
}

// Pairs of bf16 of a lane's 16 bytes.
__device__ __forceinline__ void unpack(const uint4& piece, uint32_t (&words)[4]) {
  words[0] = piece.x;
  words[1] = piece.y;
  words[2] = piece.z;
  words[3] = piece.w;
}

// Two int8 as bf16, exactly: with the lower seven bits in the mantissa, 0x4300 is 128 and its last bit 1; a
// set sign bit turns the 128 to be taken off again into 256 (0x4380), and 0x8000 makes it negative.
__device__ __forceinline__ uint32_t bf16_pair(uint32_t bytes, uint32_t selector) {
  const uint32_t pair = select_bytes(bytes, selector);
  return add_bf16_pairs((pair & 0x007F007Fu) | 0x43004300u, (pair & 0x00800080u) | 0xC300C300u);
}
__device__ __forceinline__ void unpack(const uint4& piece, uint32_t (&words)[8]) {
  const uint32_t bytes[4] = {piece.x, piece.y, piece.z, piece.w};
#pragma unroll
  for (int i = 0; i < 4; ++i) {
    words[2 * i] = bf16_pair(bytes[i], 0x4140);
    words[2 * i + 1] = bf16_pair(bytes[i], 0x4342);
  }
}

// One thread's part of a block's work.
template <class Weight, int kTokenTiles>
struct LinearThread {
  using F = Format<Weight>;
  // Whether weights are loaded while a tile is finished; with many tokens their registers are needed then.
  static constexpr bool kAcrossTiles =
      kMajor < kNeedsRegisters ? kTokenTiles <= 10 : kTokenTiles <= 8 && sizeof(Weight) == 2;

  // Up to kStepChunks chunks of one tile; count 0: nothing.
  struct Step {
    int tile;
    int chunk;
    int count;
  };

  const LinearCall& call;
  const LinearPlan& plan;
  const int lane = threadIdx.x % 32;
  const int quad = lane / 4;  // names four weight rows of the warp and one token of each tile
  const int in_quad = lane % 4;
  const int warp = threadIdx.x / 32;
  const int row_warps = plan.row_warps;
  const int group = warp / row_warps;
  const int row_warp = warp % row_warps;
  const int stride = static_cast<int>(weight_stride(call.args.inputs));
  const int64_t first_row = call.first_row + static_cast<int64_t>(blockIdx.y) * kTokenTiles * kTileTokens;

  uint4 weights[kSlots][kLaneRows];
  float sums[2][kTokenTiles][4];

  __device__ __forceinline__ explicit LinearThread(const LinearCall& of) : call(of), plan(of.plan) {
    clear();
  }

  __device__ __forceinline__ void clear() {
#pragma unroll
    for (int half = 0; half < 2; ++half)
#pragma unroll
      for (int tile = 0; tile < kTokenTiles; ++tile)
#pragma unroll
        for (int i = 0; i < 4; ++i) sums[half][tile][i] = 0;
  }

  // A lane's outputs of a tile are rows first, first + 1 and, as second half of the warp's fragments, the two
  // behind them, or with a gated product the same two of the second half of the outputs.
  __device__ __forceinline__ int first_output(int tile) const {
    const int in_warps = tile * row_warps + row_warp;
    return call.args.gated ? in_warps * (kLinearWarpRows / 2) + 2 * quad
                           : in_warps * kLinearWarpRows + kLaneRows * quad;
  }
  __device__ __forceinline__ int second_half() const {
    return call.args.gated ? static_cast<int>(call.args.outputs / 2) : 2;
  }

  // Loads a slot of a step. Behind the padded weight there is nothing to load and nothing to multiply.
  __device__ __forceinline__ void fetch(int slot, const Step& step) {
    constexpr int kChunkSlots = kSlots / kStepChunks;
    const int chunk = step.chunk + slot / kChunkSlots;
    const int input = (chunk * plan.groups + group) * F::kChunk + slot % kChunkSlots * F::kSlotInputs;
    const int output = first_output(step.tile);
    const bool wanted = slot / kChunkSlots < step.count && input < stride && output < padded_outputs();
    const Weight* const first =
        weight() + static_cast<int64_t>(output) * stride + input + in_quad * F::kPiece;
#pragma unroll
    for (int row = 0; row < kLaneRows; ++row) {
      const Weight* const piece = first + static_cast<int64_t>(row % 2 + row / 2 * second_half()) * stride;
      weights[slot][row] = wanted ? load_16_once(piece) : make_uint4(0, 0, 0, 0);
    }
  }

  // Asks the second-level cache for the chunks behind the first step, a row's 128 bytes a lane, while the
  // activations are not there yet.
  __device__ __forceinline__ void prefetch(const Step& first, int64_t chunks_left) const {
    const int64_t output = first_output(first.tile) + in_quad % 2 + in_quad / 2 * second_half();
    const int last = static_cast<int>(
        min(int64_t{plan.chunks}, first.chunk + min(chunks_left, int64_t{kStepChunks + kPrefetchChunks})));
    for (int chunk = first.chunk + first.count; chunk < last; ++chunk) {
      const int input = (chunk * plan.groups + group) * F::kChunk;
      if (input < stride && first_output(first.tile) < padded_outputs())
        prefetch_to_l2(weight() + output * stride + input);
    }
  }

  __device__ __forceinline__ int padded_outputs() const {
    return static_cast<int>(call.args.gated ? call.args.outputs / 2 : weight_rows(call.args.outputs));
  }
  __device__ __forceinline__ const Weight* weight() const {
    if constexpr (sizeof(Weight) == 2)
      return call.args.weight;
    else
      return call.args.weight_int8;
  }

  // Sends the tokens of a step on their way: [groups][tokens][kRowPieces] pieces of 8.
  __device__ __forceinline__ void stage(unsigned char* buffer, const Step& step) const {
    constexpr int kTokens = kTokenTiles * kTileTokens;
    const int pieces = plan.groups * kTokens * F::kRowPieces;
#pragma unroll 1
    for (int i = threadIdx.x; i < pieces; i += blockDim.x) {
      const int piece = i % F::kRowPieces;
      const int token = i / F::kRowPieces % kTokens;
      const int of_group = i / (F::kRowPieces * kTokens);
      const int chunk = piece / (F::kChunk / 8);
      const int64_t input = (static_cast<int64_t>(step.chunk + chunk) * plan.groups + of_group) * F::kChunk +
                            piece % (F::kChunk / 8) * 8;
      const int64_t row = first_row + token;
      const bool wanted = chunk < step.count && row < call.args.rows;
      const int turned = piece ^ (token % 2 * F::kTurn);
      copy_piece(buffer + ((i - piece) + turned) * 16, call.args.input + row * call.args.inputs + input,
                 wanted ? call.args.inputs - input : 0, call.aligned_input);
    }
  }

  // Adds the products of a slot's weights and the staged tokens.
  __device__ __forceinline__ void multiply(int slot, const unsigned char* buffer) {
    uint32_t a[kLaneRows][F::kWords];
#pragma unroll
    for (int row = 0; row < kLaneRows; ++row) unpack(weights[slot][row], a[row]);
    const unsigned char* const tokens =
        buffer + (group * kTokenTiles * kTileTokens + quad) * F::kRowPieces * 16;
#pragma unroll
    for (int tile = 0; tile < kTokenTiles; ++tile) {
      uint32_t b[F::kWords];
#pragma unroll
      for (int i = 0; i < F::kLanePieces; ++i) {
        const int piece = (slot * 4 + in_quad) * F::kLanePieces + i;
        const int turned = piece ^ (quad % 2 * F::kTurn);
        const uint4 four =
            *reinterpret_cast<const uint4*>(tokens + (tile * kTileTokens * F::kRowPieces + turned) * 16);
        b[4 * i] = four.x;
        b[4 * i + 1] = four.y;
        b[4 * i + 2] = four.z;
        b[4 * i + 3] = four.w;
      }
#pragma unroll
      for (int i = 0; i < F::kWords; i += 2)
#pragma unroll
        for (int half = 0; half < 2; ++half)
          multiply_m16n8k16(sums[half][tile],
                            {a[2 * half][i], a[2 * half + 1][i], a[2 * half][i + 1], a[2 * half + 1][i + 1]},
                            {b[i], b[i + 1]});
    }
  }

  // Whether this group adds a token tile up, and whether this block of the cluster finishes it. The numbers
  // of groups and splits are powers of two.
  __device__ __forceinline__ bool owns(int token_tile) const {
    return (token_tile & (plan.groups - 1)) == group;
  }
  __device__ __forceinline__ bool finishes(int token_tile) const {
    const int splits = max(plan.splits, 1);
    const int rank = blockIdx.x & (splits - 1);
    return (token_tile & (splits * plan.groups - 1)) == rank * plan.groups + group;
  }
  // Where a fragment of a tile lies among the fragments of `row_warps` warps; in units of 32 lanes.
  __device__ __forceinline__ int fragment(int half, int token_tile) const {
    return (row_warp * kTokenTiles + token_tile) * 2 + half;
  }
  static __device__ __forceinline__ float4 as_float4(const float (&four)[4]) {
    return make_float4(four[0], four[1], four[2], four[3]);
  }
  static __device__ __forceinline__ void add(float (&sum)[4], const float4& more) {
    sum[0] += more.x;
    sum[1] += more.y;
    sum[2] += more.z;
    sum[3] += more.w;
  }

  // Leaves the sums of this group's token tiles where others find them.
  __device__ __forceinline__ void leave_sums(float4* place) const {
#pragma unroll
    for (int token_tile = 0; token_tile < kTokenTiles; ++token_tile) {
      if (!owns(token_tile)) continue;
#pragma unroll
      for (int half = 0; half < 2; ++half)
        place[fragment(half, token_tile) * 32] = as_float4(sums[half][token_tile]);
    }
  }

  // Token tiles are dealt to the groups; each gets the sums of all groups for its own, added in the order of
  // the groups. `buffer`: the step that has just been multiplied.
  __device__ __forceinline__ void merge_groups(unsigned char* buffer) {
    if (plan.groups == 1) return;
    float4* const exchange = reinterpret_cast<float4*>(buffer) + lane;
    const int fragments = kTokenTiles * 2 * row_warps;
    __syncthreads();
#pragma unroll
    for (int tile = 0; tile < kTokenTiles; ++tile) {
      const int owner = tile & (plan.groups - 1);
      if (owner == group) continue;
      const int place = (group < owner ? group : group - 1) * fragments;
#pragma unroll
      for (int half = 0; half < 2; ++half)
        exchange[(place + fragment(half, tile)) * 32] = as_float4(sums[half][tile]);
    }
    __syncthreads();
#pragma unroll
    for (int tile = 0; tile < kTokenTiles; ++tile) {
      if (!owns(tile)) continue;
#pragma unroll
      for (int half = 0; half < 2; ++half) {
        const float4 own = as_float4(sums[half][tile]);
#pragma unroll
        for (int i = 0; i < 4; ++i) sums[half][tile][i] = 0;
        for (int other = 0; other < plan.groups; ++other) {
          const int place = (other < group ? other : other - 1) * fragments;
          add(sums[half][tile], other == group ? own : exchange[(place + fragment(half, tile)) * 32]);
        }
      }
    }
  }

  // Adds up what the blocks of the tile's cluster have; token tiles are dealt to them, and each gets the sums
  // of all for its own, added in the order of the inputs.
  __device__ __forceinline__ void merge_cluster(unsigned char* shared) {
    float4* const exchange = reinterpret_cast<float4*>(shared) + lane;
    __syncthreads();
    leave_sums(exchange);
    synchronize_cluster();
#pragma unroll
    for (int token_tile = 0; token_tile < kTokenTiles; ++token_tile) {
      if (!finishes(token_tile)) continue;
#pragma unroll
      for (int half = 0; half < 2; ++half) {
        const float4* const place = exchange + fragment(half, token_tile) * 32;
        float (&sum)[4] = sums[half][token_tile];
#pragma unroll
        for (int i = 0; i < 4; ++i) sum[i] = 0;
#pragma unroll 4
        for (int rank = 0; rank < plan.splits; ++rank) add(sum, load_of_cluster(place, rank));
      }
    }
    synchronize_cluster();  // no block leaves while another reads its sums
  }

  // A worker leaves at most two partial tiles: the one it goes on with and the one it begins.
  __device__ __forceinline__ float4* partial_sums(int worker, bool begins_tile) const {
    const int64_t place = (static_cast<int64_t>(blockIdx.y) * plan.workers + worker) * 2 + begins_tile;
    return call.partial_sums + place * (kTokenTiles * 2 * row_warps) * 32 + lane;
  }

  // Leaves this worker's sums of a tile for the worker that comes last, warp by warp; true: this is the last
  // one and has the sums of all workers, added in the order of the inputs.
  __device__ __forceinline__ bool merge_workers(int tile, bool begins_tile) {
    const int64_t chunk = static_cast<int64_t>(tile) * plan.chunks;
    const int first = plan.worker_of(chunk);
    const int last = plan.worker_of(chunk + plan.chunks - 1);
    leave_sums(partial_sums(blockIdx.x, begins_tile));
    __threadfence();
    __syncwarp();
    uint32_t* const ticket =
        call.tickets + (static_cast<int64_t>(blockIdx.y) * plan.workers + first) * kLinearWarps + warp;
    uint32_t arrived = 0;
    if (lane == 0) arrived = atomicAdd(ticket, 1u);
    arrived = __shfl_sync(0xFFFFFFFFu, arrived, 0);
    __syncwarp();  // a shuffle orders no memory
    if (arrived != static_cast<uint32_t>(last - first)) return false;
    __threadfence();
    if (lane == 0) atomicExch(ticket, 0u);
    clear();
    for (int worker = first; worker <= last; ++worker) {
      const float4* const others = partial_sums(worker, worker == first);
#pragma unroll
      for (int token_tile = 0; token_tile < kTokenTiles; ++token_tile) {
        if (!owns(token_tile)) continue;
#pragma unroll
        for (int half = 0; half < 2; ++half)
          add(sums[half][token_tile], __ldcg(others + fragment(half, token_tile) * 32));
      }
    }
    return true;
  }

  // Writes kCount consecutive outputs of a token; those from `width` on do not exist.
  template <int kCount>
  __device__ __forceinline__ void write(int64_t row, int64_t output, int64_t width, float (&values)[kCount]) {
    const int64_t place = row * width + output;
    if (call.args.output_f32 != nullptr) {
      float* const target = call.args.output_f32 + place;
      if (call.aligned_output) {
        auto* const pack = reinterpret_cast<Pack<float, kCount>*>(target);
        Pack<float, kCount> sum = {};
        if (call.args.accumulate) sum = *pack;
#pragma unroll
        for (int i = 0; i < kCount; ++i) sum.values[i] += values[i];
        *pack = sum;
        return;
      }
#pragma unroll
      for (int i = 0; i < kCount; ++i)
        if (output + i < width) target[i] = (call.args.accumulate ? target[i] : 0.0f) + values[i];
      return;
    }
    Bf16* const target = call.args.output + place;
    if (call.aligned_output) {
      Pack<uint32_t, kCount / 2> pairs;
#pragma unroll
      for (int i = 0; i < kCount; i += 2) pairs.values[i / 2] = pack_bf16(values[i], values[i + 1]);
      *reinterpret_cast<Pack<uint32_t, kCount / 2>*>(target) = pairs;
      return;
    }
#pragma unroll
    for (int i = 0; i < kCount; ++i)
      if (output + i < width) target[i] = to_bf16(values[i]);
  }

  // Scale, bias and gate behind the sums, and the outputs of this thread's token tiles.
  __device__ __forceinline__ void write_tile(int tile) {
    const Linear& args = call.args;
    const int64_t width = args.gated ? args.outputs / 2 : args.outputs;
    const int64_t output = first_output(tile);
    if (output >= width) return;
    float scale[kLaneRows], bias[kLaneRows];
#pragma unroll
    for (int row = 0; row < kLaneRows; ++row) {
      const int64_t own = output + row % 2 + row / 2 * second_half();
      const bool exists = own < args.outputs;
      scale[row] = exists && args.scales != nullptr ? args.scales[own] : 1.0f;
      bias[row] = exists && args.bias != nullptr ? args.bias[own] : 0.0f;
    }
#pragma unroll
    for (int token_tile = 0; token_tile < kTokenTiles; ++token_tile) {
      if (!finishes(token_tile)) continue;
#pragma unroll
      for (int i = 0; i < 2; ++i) {
        const int64_t row = first_row + token_tile * kTileTokens + 2 * in_quad + i;
        if (row >= args.rows) continue;
        float values[kLaneRows];
#pragma unroll
        for (int r = 0; r < kLaneRows; ++r)
          values[r] = fmaf(sums[r / 2][token_tile][r % 2 * 2 + i], scale[r], bias[r]);
        if (args.gated) {
          float gated[2] = {silu(values[0]) * values[2], silu(values[1]) * values[3]};
          write(row, output, width, gated);
        } else {
          write(row, output, width, values);
        }
      }
    }
  }

  __device__ __forceinline__ void run(unsigned char* shared) {
    const int64_t begin = plan.share(blockIdx.x);
    int64_t left = plan.share(blockIdx.x + 1) - begin;  // chunks, from the current step on
    const int first_tile = static_cast<int>(begin / plan.chunks);
    const int first_chunk = static_cast<int>(begin % plan.chunks);
    const auto count = [&](int chunk, int64_t chunks_left) {
      return static_cast<int>(min(min(int64_t{plan.chunks - chunk}, chunks_left), int64_t{kStepChunks}));
    };
    Step step = {first_tile, first_chunk, count(first_chunk, left)};
#pragma unroll
    for (int slot = 0; slot < kSlots; ++slot) fetch(slot, step);
    prefetch(step, left);
    wait_for_inputs();
    let_next_start();
    unsigned char* buffer = shared;
    unsigned char* next_buffer = shared + step_bytes<Weight>(plan.groups, kTokenTiles);
    stage(buffer, step);
    commit_copies();
    for (;;) {
      left -= step.count;
      const int behind = step.chunk + step.count;
      Step next = {step.tile, behind, 0};
      if (behind == plan.chunks) next = {step.tile + 1, 0, 0};
      next.count = count(next.chunk, left);
      const bool ends = behind == plan.chunks || left == 0;  // this worker's part of the tile
      wait_for_copies<0>();
      __syncthreads();
      if (next.count > 0) stage(next_buffer, next);
      commit_copies();
#pragma unroll
      for (int slot = 0; slot < kSlots; ++slot) {
        multiply(slot, buffer);
        if (kAcrossTiles || !ends) fetch(slot, next);
        __syncwarp();  // keeps the loads here; the assembler puts them all behind the last product else
      }
      if (ends) {
        merge_groups(buffer);
        const bool begins = step.tile != first_tile || first_chunk == 0;
        const bool whole = begins && behind == plan.chunks;
        if constexpr (kHasClusters)
          if (plan.splits > 1) merge_cluster(shared);
        if (plan.splits > 0 || whole || merge_workers(step.tile, begins)) write_tile(step.tile);
        clear();
        if (left == 0) return;
        if (!kAcrossTiles) {
#pragma unroll
          for (int slot = 0; slot < kSlots; ++slot) fetch(slot, next);
        }
      }
      step = next;
      unsigned char* const done = buffer;
      buffer = next_buffer;
      next_buffer = done;
    }
  }
};

template <class Weight, int kTokenTiles>
__global__ void __launch_bounds__(32 * kLinearWarps, kTokenTiles <= 2 ? 2 : 1)
    linear_kernel(const LinearCall call) {
  if constexpr (has_registers<Weight>(kTokenTiles, kMajor))
    LinearThread<Weight, kTokenTiles>(call).run(shared_memory<unsigned char>());
}

struct Variant {
  int token_tiles;
  void (*kernel)(LinearCall);
};
constexpr Variant kBf16Variants[] = {{1, linear_kernel<Bf16, 1>},   {2, linear_kernel<Bf16, 2>},
                                     {4, linear_kernel<Bf16, 4>},   {8, linear_kernel<Bf16, 8>},
                                     {10, linear_kernel<Bf16, 10>}, {12, linear_kernel<Bf16, 12>},
                                     {16, linear_kernel<Bf16, 16>}};
// Unpacked weights leave no registers for the sums of more tokens.
constexpr Variant kInt8Variants[] = {{1, linear_kernel<int8_t, 1>},
                                     {2, linear_kernel<int8_t, 2>},
                                     {4, linear_kernel<int8_t, 4>},
                                     {8, linear_kernel<int8_t, 8>},
                                     {10, linear_kernel<int8_t, 10>}};

bool is_aligned(const void* memory) { return reinterpret_cast<uintptr_t>(memory) % 16 == 0; }

template <class Weight, size_t kVariants>
Status launch_linear(const Variant (&variants)[kVariants], const Linear& args, const LinearPlan& plan,
                     const Launch& where) {
  const DeviceFacts& device = *where.device;
  LinearCall call;
  call.args = args;
  call.plan = plan;
  call.partial_sums = static_cast<float4*>(where.scratch);
  call.tickets = where.tickets;
  const int64_t width = args.gated ? args.outputs / 2 : args.outputs;
  call.aligned_input = args.inputs % 8 == 0 && is_aligned(args.input);
  call.aligned_output =
      width % (args.gated ? 2 : 4) == 0 && is_aligned(args.output) && is_aligned(args.output_f32);

  // As few token tiles as hold the rows, or as many as fit.
  const auto sums_bytes = [&](const Variant& variant) {
    return int64_t{4} * call.plan.tile_rows() * variant.token_tiles * kTileTokens;
  };
  const auto shared_bytes = [&](const Variant& variant) {
    return max(2 * step_bytes<Weight>(call.plan.groups, variant.token_tiles),
               call.plan.splits > 1 ? sums_bytes(variant) : 0);
  };
  const auto scratch_bytes = [&](const Variant& variant) {
    return call.plan.splits > 0 ? 0 : int64_t{call.plan.workers} * 2 * sums_bytes(variant);
  };
  const Variant* chosen = nullptr;
  for (const Variant& variant : variants) {
    if (shared_bytes(variant) > device.shared_bytes_per_block ||
        scratch_bytes(variant) > where.scratch_bytes ||
        !has_registers<Weight>(variant.token_tiles, device.major))
      break;
    chosen = &variant;
    if (variant.token_tiles * kTileTokens >= args.rows) break;
  }
  if (chosen == nullptr) return cudaErrorInvalidValue;

  const int64_t tokens = chosen->token_tiles * kTileTokens;
  const int64_t tickets = int64_t{call.plan.workers} * kLinearWarps;
  int64_t most = 65535;
  if (call.plan.splits == 0)
    most = min(min(where.scratch_bytes / scratch_bytes(*chosen), kTickets / tickets), most);
  for (call.first_row = 0; call.first_row < args.rows; call.first_row += most * tokens) {
    const int64_t row_tiles = min(most, divided_up(args.rows - call.first_row, tokens));
    const Grid grid{dim3(static_cast<unsigned>(call.plan.workers), static_cast<unsigned>(row_tiles)),
                    dim3(static_cast<unsigned>(32 * call.plan.warps())), shared_bytes(*chosen),
                    max(call.plan.splits, 1)};
    const Status status = launch(chosen->kernel, grid, call, where);
    if (status != 0) return status;
  }
  return 0;
}

}  // namespace

Status linear_by_plan(const Linear& args, const LinearPlan& plan, const Launch& where) {
  if (args.rows == 0 || args.outputs == 0) return 0;
  return args.weight != nullptr ? launch_linear<Bf16>(kBf16Variants, args, plan, where)
                                : launch_linear<int8_t>(kInt8Variants, args, plan, where);
}

Status linear(const Linear& args, const Launch& where) {
  if (args.outputs == 0) return 0;
  const int element_bytes = args.weight != nullptr ? 2 : 1;
  return linear_by_plan(args, plan_linear(args.outputs, args.inputs, element_bytes, *where.device), where);
}

}  // namespace msn::kernels
