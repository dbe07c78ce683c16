// The kernel of scripts/planted-bugs.cjs for clusters of blocks; as it stands it is right.
//
// y[column] = sum over k of a[k, column]. A cluster owns a tile of the columns at a time: each of its blocks
// adds up a part of the rows into its shared memory, and then the cluster's parts of a share of the columns.
#include <vector>

#include "kernels/launcher.h"
#include "kernels/ptx.h"
#include "test/kernels/planted/program.h"

namespace msn::kernels {
namespace {

constexpr unsigned kCluster = 4;
constexpr unsigned kThreads = 64;
constexpr unsigned kTile = 4 * kThreads;
constexpr unsigned kTiles = 3;  // of a cluster, one after another
constexpr unsigned kClusters = 2;
constexpr unsigned kWidth = kClusters * kTiles * kTile;
constexpr unsigned kRowsOfBlock = 5;
constexpr unsigned kRows = kCluster * kRowsOfBlock;

struct ClusterSum {
  const float4* a;  // [kRows, kWidth / 4]
  float4* y;        // [kWidth / 4]
};

__device__ void add(float4& sum, const float4& term) {
  sum = make_float4(sum.x + term.x, sum.y + term.y, sum.z + term.z, sum.w + term.w);
}

__global__ void __launch_bounds__(kThreads) cluster_sum_kernel(const ClusterSum args) {
  wait_for_inputs();
  float4* const sums = shared_memory<float4>();  // [kThreads]
  const unsigned rank = cluster_rank();
  const unsigned thread = threadIdx.x;
  for (unsigned tile = 0; tile < kTiles; ++tile) {
    const unsigned first = (blockIdx.x / kCluster * kTiles + tile) * kThreads;  // of the tile, in fours
    float4 sum = make_float4(0, 0, 0, 0);
    for (unsigned row = rank * kRowsOfBlock; row < (rank + 1) * kRowsOfBlock; ++row)
      add(sum, args.a[row * (kWidth / 4) + first + thread]);
    sums[thread] = sum;
    synchronize_cluster();  // the parts are there
    if (thread / (kThreads / kCluster) == rank) {
      float4 total = make_float4(0, 0, 0, 0);
      for (unsigned other = 0; other < kCluster; ++other) add(total, load_of_cluster(sums + thread, other));
      args.y[first + thread] = total;
    }
    synchronize_cluster();  // the parts have been read
  }
}

struct Test : Program {
  int run() {
    std::vector<float> a(size_t{kRows} * kWidth);
    for (size_t i = 0; i < a.size(); ++i) a[i] = static_cast<float>(i % 17) - 7;  // whole: exact in any order

    const int64_t a_bytes = int64_t{kRows} * kWidth * 4;
    const int64_t y_bytes = int64_t{kWidth} * 4;
    void* a_memory = nullptr;
    void* y_memory = nullptr;
    checked(device.allocate(&a_memory, a_bytes));
    checked(device.allocate(&y_memory, y_bytes));
    checked(device.copy_from_host(a_memory, a.data(), a_bytes, where.stream));
    checked(device.fill(y_memory, 0xFF, y_bytes, where.stream));
    const Grid grid{.blocks = dim3(kClusters * kCluster),
                    .threads = dim3(kThreads),
                    .shared_bytes = kThreads * int64_t{sizeof(float4)},
                    .cluster = kCluster};
    const ClusterSum args{static_cast<const float4*>(a_memory), static_cast<float4*>(y_memory)};
    checked(launch(cluster_sum_kernel, grid, args, where));
    std::vector<float> y(kWidth);
    checked(device.copy_to_host(y.data(), y_memory, y_bytes, where.stream));
    checked(device.synchronize(where.stream));
    for (size_t column = 0; column < kWidth; ++column) {
      float expected = 0;
      for (size_t row = 0; row < kRows; ++row) expected += a[row * kWidth + column];
      failures += !(y[column] == expected);
    }
    checked(device.release(a_memory));
    checked(device.release(y_memory));
    return verdict();
  }
};

}  // namespace
}  // namespace msn::kernels

int main() { return msn::kernels::Test().run(); }
