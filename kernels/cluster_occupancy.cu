#include "kernels/cluster_occupancy.h"
#include "kernels/cuda.h"

namespace msn::kernels {
namespace {

#ifdef __CUDACC__
// Never launched: the runtime is asked about it. A block of it takes all shared memory that a block may have,
// and so has a multiprocessor to itself.
__global__ void probe_kernel() {}

int concurrent_clusters(int blocks, int shared_bytes) {
  cudaLaunchAttribute attribute = {};
  attribute.id = cudaLaunchAttributeClusterDimension;
  attribute.val.clusterDim = {static_cast<unsigned>(blocks), 1, 1};
  cudaLaunchConfig_t config = {};
  config.gridDim = dim3(static_cast<unsigned>(blocks));
  config.blockDim = dim3(32);
  config.dynamicSmemBytes = static_cast<size_t>(shared_bytes);
  config.attrs = &attribute;
  config.numAttrs = 1;
  int clusters = 0;
  cudaError_t error =
      cudaFuncSetAttribute(probe_kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, shared_bytes);
  if (error == cudaSuccess) error = cudaOccupancyMaxActiveClusters(&clusters, probe_kernel, &config);
  if (error == cudaSuccess) return clusters;
  static_cast<void>(cudaGetLastError());  // no later call shall report it
  return 0;
}
#else
int concurrent_clusters(int blocks, int) { return shim::concurrent_clusters(blocks); }
#endif

}  // namespace

void count_clusters(DeviceFacts* facts) {
  facts->clusters[0] = facts->multiprocessors;
  for (int i = 1; i < 4; ++i) facts->clusters[i] = concurrent_clusters(1 << i, facts->shared_bytes_per_block);
}

}  // namespace msn::kernels
