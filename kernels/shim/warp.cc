// Warp collectives: shuffles, ballots and matrix products, computed by the lane that comes last.
#include <cstring>

#include "kernels/shim/execution.h"
#include "kernels/shim/ready_threads.h"

namespace msn::kernels::shim {
namespace {

struct ShuffleSlot {
  uint64_t value;
  uint64_t result;
  unsigned source;
};

void shuffle_lanes(void* const* slots, uint32_t mask) {
  for (uint32_t rest = mask; rest != 0; rest &= rest - 1) {
    const unsigned lane = static_cast<unsigned>(std::countr_zero(rest));
    ShuffleSlot& slot = *static_cast<ShuffleSlot*>(slots[lane]);
    if (slot.source >= kLanes || (mask >> slot.source & 1) == 0)
      fail("shuffle: lane %u reads lane %u, which is not in the mask %08x", lane, slot.source, mask);
    slot.result = static_cast<const ShuffleSlot*>(slots[slot.source])->value;
  }
}

struct BallotSlot {
  bool predicate;
  uint32_t result;
};

void collect_ballot(void* const* slots, uint32_t mask) {
  uint32_t result = 0;
  for (uint32_t rest = mask; rest != 0; rest &= rest - 1) {
    const unsigned lane = static_cast<unsigned>(std::countr_zero(rest));
    if (static_cast<const BallotSlot*>(slots[lane])->predicate) result |= 1u << lane;
  }
  for (uint32_t rest = mask; rest != 0; rest &= rest - 1)
    static_cast<BallotSlot*>(slots[std::countr_zero(rest)])->result = result;
}

constexpr uint32_t kWholeWarp = 0xFFFFFFFFu;

struct MultiplySlot {
  float* d;
  const uint32_t* a;
  const uint32_t* b;
};

float low_half(uint32_t packed) { return std::bit_cast<float>(packed << 16); }
float high_half(uint32_t packed) { return std::bit_cast<float>(packed & 0xFFFF0000u); }

using Row = float __attribute__((vector_size(32)));           // eight numbers
using PackedRow = uint32_t __attribute__((vector_size(32)));  // eight pairs of bf16

// The operands of d[16, 8] += a[16, 16] * b[16, 8]; two neighbours in k share a word, as in the registers.
struct Tiles {
  alignas(32) uint32_t a[16][8];  // [row][k / 2]
  alignas(32) uint32_t b[8][8];   // [k / 2][column]
  alignas(32) float d[16][8];
};

// A product of two bf16 is exact in f32, so that fusing it with the sum changes nothing and every instruction
// set gives the same bits.
[[gnu::always_inline]] inline void multiply_tiles(Tiles& tiles) {
  Row even[8];
  Row odd[8];
  for (int k = 0; k < 8; ++k) {
    PackedRow pair;
    std::memcpy(&pair, tiles.b[k], sizeof pair);
    even[k] = reinterpret_cast<Row>(pair << 16);
    odd[k] = reinterpret_cast<Row>(pair & 0xFFFF0000u);
  }
  for (int row = 0; row < 16; ++row) {
    Row sum;
    std::memcpy(&sum, tiles.d[row], sizeof sum);
    for (int k = 0; k < 8; ++k) {
      sum += low_half(tiles.a[row][k]) * even[k];
      sum += high_half(tiles.a[row][k]) * odd[k];
    }
    std::memcpy(tiles.d[row], &sum, sizeof sum);
  }
}

void multiply_tiles_generic(Tiles& tiles) { multiply_tiles(tiles); }
#if defined(__x86_64__)
[[gnu::target("avx2,fma")]] void multiply_tiles_avx2(Tiles& tiles) { multiply_tiles(tiles); }
#endif

using MultiplyTiles = void (*)(Tiles& tiles);
MultiplyTiles best_multiply_tiles() {
#if defined(__x86_64__)
  __builtin_cpu_init();
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) return multiply_tiles_avx2;
#endif
  return multiply_tiles_generic;
}
const MultiplyTiles best = best_multiply_tiles();

void multiply_lanes(void* const* slots, uint32_t) {
  Tiles tiles;
  for (unsigned lane = 0; lane < kLanes; ++lane) {
    const MultiplySlot& slot = *static_cast<const MultiplySlot*>(slots[lane]);
    const unsigned group = lane / 4;
    const unsigned pair = lane % 4;
    tiles.a[group][pair] = slot.a[0];
    tiles.a[group + 8][pair] = slot.a[1];
    tiles.a[group][pair + 4] = slot.a[2];
    tiles.a[group + 8][pair + 4] = slot.a[3];
    tiles.b[pair][group] = slot.b[0];
    tiles.b[pair + 4][group] = slot.b[1];
    std::memcpy(&tiles.d[group][2 * pair], slot.d, 8);
    std::memcpy(&tiles.d[group + 8][2 * pair], slot.d + 2, 8);
  }
  best(tiles);
  for (unsigned lane = 0; lane < kLanes; ++lane) {
    const MultiplySlot& slot = *static_cast<const MultiplySlot*>(slots[lane]);
    const unsigned group = lane / 4;
    const unsigned pair = lane % 4;
    std::memcpy(slot.d, &tiles.d[group][2 * pair], 8);
    std::memcpy(slot.d + 2, &tiles.d[group + 8][2 * pair], 8);
  }
}

struct LoadSlot {
  const void* row;
  uint32_t* r;
};

template <bool kTransposed>
void load_lanes(void* const* slots, uint32_t) {
  for (unsigned matrix = 0; matrix < 4; ++matrix) {
    uint16_t rows[8][8];
    for (unsigned row = 0; row < 8; ++row) {
      const void* const address = static_cast<const LoadSlot*>(slots[matrix * 8 + row])->row;
      if ((reinterpret_cast<uintptr_t>(address) & 15) != 0)
        fail("load_matrices: the address %p of row %u of matrix %u is not aligned to 16 bytes", address, row,
             matrix);
      std::memcpy(rows[row], address, 16);
    }
    for (unsigned lane = 0; lane < kLanes; ++lane) {
      const unsigned row = lane / 4;
      const unsigned column = lane % 4 * 2;
      const uint32_t low = kTransposed ? rows[column][row] : rows[row][column];
      const uint32_t high = kTransposed ? rows[column + 1][row] : rows[row][column + 1];
      static_cast<const LoadSlot*>(slots[lane])->r[matrix] = low | high << 16;
    }
  }
}

}  // namespace

uint64_t shuffle(uint32_t mask, uint64_t value, unsigned source_lane) {
  ShuffleSlot slot{value, 0, source_lane};
  warp_collective(mask, shuffle_lanes, &slot);
  return slot.result;
}

uint32_t ballot(uint32_t mask, bool predicate) {
  BallotSlot slot{predicate, 0};
  warp_collective(mask, collect_ballot, &slot);
  return slot.result;
}

void multiply_m16n8k16(float (&d)[4], const uint32_t (&a)[4], const uint32_t (&b)[2]) {
  MultiplySlot slot{d, a, b};
  warp_collective(kWholeWarp, multiply_lanes, &slot);
}

void load_matrices_of_warp(uint32_t (&r)[4], const void* row, bool transposed) {
  LoadSlot slot{row, r};
  warp_collective(kWholeWarp, transposed ? load_lanes<true> : load_lanes<false>, &slot);
}

}  // namespace msn::kernels::shim
