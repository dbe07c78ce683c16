// Clusters of blocks: their ranks, their barrier and loads from each other's shared memory.
#include "harness.h"
#include "kernels/launcher.h"
#include "kernels/ptx.h"

namespace msn::kernels::testing {
namespace {

constexpr int kThreads = 96;
constexpr int kRounds = 3;

struct ClusterArgs {
  float4* output;   // [rounds, blocks, threads]
  uint32_t* ranks;  // [blocks]
  int cluster;
};

__host__ __device__ float number(int64_t round, int64_t block, int64_t thread) {
  return static_cast<float>(10000 * round + 100 * block + thread);
}

// In every round each block writes its numbers and each thread adds those of the whole cluster at its place,
// beginning with the next block's. Of odd blocks the last warp ends at once: nobody waits for it.
__global__ void __launch_bounds__(kThreads) sums_kernel(const ClusterArgs args) {
  wait_for_inputs();
  float4* const numbers = shared_memory<float4>();  // [threads]
  const int thread = static_cast<int>(threadIdx.x);
  const int64_t block = blockIdx.x + int64_t{blockIdx.y} * gridDim.x;
  const int64_t blocks = int64_t{gridDim.x} * gridDim.y;
  const unsigned rank = cluster_rank();
  if (thread == 0) args.ranks[block] = rank;
  if (rank % 2 == 1 && thread >= kThreads - 32) return;
  for (int round = 0; round < kRounds; ++round) {
    const float own = number(round, block, thread);
    numbers[thread] = make_float4(own, -own, 2 * own, 1);
    synchronize_cluster();
    float4 sum = make_float4(0, 0, 0, 0);
    for (int i = 1; i <= args.cluster; ++i) {
      const unsigned other = (rank + static_cast<unsigned>(i)) % static_cast<unsigned>(args.cluster);
      if (other % 2 == 1 && thread >= kThreads - 32) continue;
      const float4 term = load_of_cluster(numbers + thread, other);
      sum = make_float4(sum.x + term.x, sum.y + term.y, sum.z + term.z, sum.w + term.w);
    }
    args.output[(round * blocks + block) * kThreads + thread] = sum;
    synchronize_cluster();  // the others have read
  }
}

Grid grid_of(int cluster, unsigned width, unsigned height) {
  return {.blocks = dim3(width, height),
          .threads = dim3(kThreads),
          .shared_bytes = kThreads * int64_t{sizeof(float4)},
          .cluster = cluster};
}

void check_sums(Check& check, int cluster) {
  const Grid grid = grid_of(cluster, (check.tiny() ? 1 : 3) * static_cast<unsigned>(cluster), 2);
  const int64_t blocks = int64_t{grid.blocks.x} * grid.blocks.y;
  const DeviceArray<float4> output(check, kRounds * blocks * kThreads);
  const DeviceArray<uint32_t> ranks(check, blocks);
  check.finish(
      kernels::launch(sums_kernel, grid, ClusterArgs{output.data(), ranks.data(), cluster}, check.where()));
  std::vector<uint32_t> expected_ranks(static_cast<size_t>(blocks));
  for (size_t block = 0; block < expected_ranks.size(); ++block)
    expected_ranks[block] = static_cast<uint32_t>(block) % static_cast<uint32_t>(cluster);
  check.same(ranks.read(), expected_ranks, "ranks");
  const std::vector<float4> actual = output.read();
  for (int64_t round = 0; round < kRounds; ++round)
    for (int64_t block = 0; block < blocks; ++block)
      for (int64_t thread = 0; thread < kThreads; ++thread) {
        const auto left = [&](int64_t rank) { return rank % 2 == 1 && thread >= kThreads - 32; };
        if (left(block % cluster)) continue;
        float sum = 0;  // of whole numbers: exact in any order
        float count = 0;
        for (int64_t rank = 0; rank < cluster; ++rank) {
          if (left(rank)) continue;
          sum += number(round, block / cluster * cluster + rank, thread);
          ++count;
        }
        const float4 value = actual[static_cast<size_t>((round * blocks + block) * kThreads + thread)];
        check.require(value.x == sum && value.y == -sum && value.z == 2 * sum && value.w == count,
                      "sums of a cluster of " + std::to_string(cluster));
      }
}

const Test sums("ptx clusters", [](Check& check) {
  if (check.facts().clusters[0] == 0) return;  // before 9.0
  for (const int cluster : {1, 2, 4, 8}) check_sums(check, cluster);
});

const Test refused("ptx refused clusters", [](Check& check) {
  const DeviceArray<float4> output(check, 1);
  const ClusterArgs args{output.data(), nullptr, 4};
  const auto refuses = [&](const Grid& grid) {
    return kernels::launch(sums_kernel, grid, args, check.where()) != 0;
  };
  check.require(refuses(grid_of(4, 6, 1)), "a grid that is no multiple of its clusters was not refused");
  check.require(refuses(grid_of(16, 16, 1)), "a cluster of 16 blocks was not refused");
  if (check.facts().clusters[0] != 0) check_sums(check, 2);
});

const Test facts("device clusters", [](Check& check) {
  const DeviceFacts& facts = check.facts();
  if (facts.major < 9) {
    for (const int clusters : facts.clusters) check.require(clusters == 0, "clusters before 9.0");
    return;
  }
  check.require(facts.clusters[0] == facts.multiprocessors,
                "a cluster of one block needs one multiprocessor");
  for (int i = 1; i < 4; ++i) {
    const int multiprocessors = facts.clusters[i] << i;
    check.require(multiprocessors > 0 && multiprocessors <= facts.multiprocessors,
                  "clusters of " + std::to_string(1 << i) + " blocks");
  }
});

}  // namespace
}  // namespace msn::kernels::testing
