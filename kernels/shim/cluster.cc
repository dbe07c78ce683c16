#include "kernels/shim/cluster.h"

#include <algorithm>

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

void Cluster::prepare(const GridShape& grid, uint64_t number, const Settings& settings,
                      const std::function<void()>& body) {
  const unsigned size = static_cast<unsigned>(grid.cluster);
  cluster_ = {blocks_.data(), size};
  schedule_ = settings.schedule;
  random_.seed(static_cast<unsigned>(settings.seed + number));
  for (unsigned rank = 0; rank < size; ++rank) {
    if (blocks_[rank] == nullptr) blocks_[rank] = std::make_unique<Block>(own_stack_);
    blocks_[rank]->prepare(grid, block_index(grid.blocks, number * size + rank), cluster_, rank, settings,
                           body);
  }
}

void Cluster::let_all_run() {
  const size_t first = first_block(schedule_, random_, static_cast<unsigned>(cluster_.size()));
  for (size_t turn = 0; turn < cluster_.size(); ++turn)
    if (Block& block = *cluster_[turn ^ first]; !block.has_ended()) block.run();
}

bool Cluster::run_without_inputs() {
  let_all_run();
  return std::ranges::all_of(cluster_, [](const auto& block) { return block->lets_next_start_early(); });
}

void Cluster::run() {
  for (const auto& block : cluster_) block->give_inputs();
  for (;;) {
    let_all_run();
    if (std::ranges::all_of(cluster_, [](const auto& block) { return block->has_ended(); })) return;
    for (const auto& block : cluster_) block->pass_cluster_barrier();
  }
}

void Cluster::see_all_ends() {
  for (const auto& block : blocks_)
    if (block != nullptr) block->see_all_ends();
}

}  // namespace msn::kernels::shim
