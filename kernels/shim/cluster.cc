#include "kernels/shim/cluster.h"

#include <random>

namespace msn::kernels::shim {
namespace {

uint3 block_index(dim3 blocks, uint64_t number) {
  return {static_cast<unsigned>(number % blocks.x), static_cast<unsigned>(number / blocks.x % blocks.y),
          static_cast<unsigned>(number / (uint64_t{blocks.x} * blocks.y))};
}

// Which of the cluster's blocks goes first, of a number of blocks that is a power of two; the n-th to go is
// block n ^ first.
unsigned first_block(Schedule schedule, std::minstd_rand& random, unsigned blocks) {
  if (schedule == Schedule::kHighestWarpAhead) return blocks - 1;
  return schedule == Schedule::kRandom ? static_cast<unsigned>(random() >> 8) % blocks : 0;
}

}  // namespace

void Cluster::run(const GridShape& grid, uint64_t number, const Settings& settings,
                  const std::function<void()>& body) {
  const unsigned size = static_cast<unsigned>(grid.cluster);
  const Block::Cluster cluster(blocks_.data(), size);
  for (unsigned rank = 0; rank < size; ++rank) {
    if (blocks_[rank] == nullptr) blocks_[rank] = std::make_unique<Block>(own_stack_);
    blocks_[rank]->prepare(grid, block_index(grid.blocks, number * size + rank), cluster, rank, settings,
                           body);
  }
  std::minstd_rand random(static_cast<unsigned>(settings.seed + number));
  for (bool all_ended = false; !all_ended;) {
    all_ended = true;
    const unsigned first = first_block(settings.schedule, random, size);
    for (unsigned turn = 0; turn < size; ++turn) {
      Block& block = *blocks_[turn ^ first];
      if (!block.has_ended()) block.run();
      all_ended &= block.has_ended();
    }
  }
}

void Cluster::see_all_ends() {
  for (const auto& block : blocks_)
    if (block != nullptr) block->see_all_ends();
}

}  // namespace msn::kernels::shim
