// Kernels of scripts/planted-bugs.cjs that start before those in front of them have ended; as they stand they
// are right.
//
// y = w (2 x): one kernel writes w, one doubles x, and the product has w loaded before it waits, which it
// may, since the kernel between lets it start no earlier than when w is there.
#include <vector>

#include "kernels/launcher.h"
#include "kernels/ptx.h"
#include "test/kernels/planted/program.h"

namespace msn::kernels {
namespace {

constexpr unsigned kThreads = 64;
constexpr unsigned kBlocks = 3;
constexpr unsigned kCount = kThreads * kBlocks;

struct Product {
  float* w;  // [kCount], as are x and y
  float* x;
  float* y;
};

__device__ unsigned place() { return blockIdx.x * kThreads + threadIdx.x; }

__global__ void write_kernel(const Product args) {
  wait_for_inputs();
  let_next_start();
  args.w[place()] = static_cast<float>(place());
}

__global__ void double_kernel(const Product args) {
  wait_for_inputs();
  let_next_start();
  args.x[place()] *= 2;
}

__global__ void product_kernel(const Product args) {
  const float w = args.w[place()];
  wait_for_inputs();
  args.y[place()] = w * args.x[place()];
}

struct Test : Program {
  int run() {
    Product args;
    for (float** memory : {&args.w, &args.x, &args.y}) {
      void* allocated = nullptr;
      checked(device.allocate(&allocated, kCount * 4));
      checked(device.fill(allocated, 0xFF, kCount * 4, where.stream));
      *memory = static_cast<float*>(allocated);
    }
    std::vector<float> numbers(kCount, 5.0f);
    checked(device.copy_from_host(args.x, numbers.data(), kCount * 4, where.stream));
    const Grid grid{dim3(kBlocks), dim3(kThreads)};
    for (auto kernel : {write_kernel, double_kernel, product_kernel})
      checked(launch(kernel, grid, args, where));
    checked(device.copy_to_host(numbers.data(), args.y, kCount * 4, where.stream));
    checked(device.synchronize(where.stream));
    for (unsigned i = 0; i < kCount; ++i) failures += !(numbers[i] == 10.0f * static_cast<float>(i));
    for (float* memory : {args.w, args.x, args.y}) checked(device.release(memory));
    return verdict();
  }
};

}  // namespace
}  // namespace msn::kernels

int main() { return msn::kernels::Test().run(); }
