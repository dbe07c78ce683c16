// The wrappers of kernels/ptx.h and the warp's functions against plain loops. The other tests rely on the
// shim's meaning of them; on a GPU this one holds that meaning against the hardware.
#include "harness.h"
#include "kernels/block_reduce.h"
#include "kernels/launcher.h"
#include "kernels/ptx.h"

namespace msn::kernels::testing {
namespace {

// One warp writes its lanes' results; `output` [words of a lane, 32].
struct WarpArgs {
  const uint32_t* input;
  uint32_t* output;
};

std::vector<uint32_t> run_warp(Check& check, void (*kernel)(WarpArgs), const std::vector<uint32_t>& input,
                               int64_t words, int64_t shared_bytes = 0) {
  const DeviceArray<uint32_t> input_array(check, input);
  const DeviceArray<uint32_t> output(check, words * 32);
  const WarpArgs args{input_array.data(), output.data()};
  check.finish(kernels::launch(kernel, Grid{dim3(1), dim3(32), shared_bytes}, args, check.where()));
  return output.read();
}

// ---- products
// `input`: a [16, 16], then b [16, 8], bf16, two neighbours in k a word; then d [16, 8] f32.
__global__ void multiply_kernel(const WarpArgs args) {
  wait_for_inputs();
  const unsigned group = threadIdx.x / 4;
  const unsigned pair = threadIdx.x % 4;
  const uint32_t* const a = args.input;
  const uint32_t* const b = a + 16 * 8;
  const uint32_t* const d = b + 8 * 8;
  const uint32_t a_words[4] = {a[group * 8 + pair], a[(group + 8) * 8 + pair], a[group * 8 + pair + 4],
                               a[(group + 8) * 8 + pair + 4]};
  const uint32_t b_words[2] = {b[group * 8 + pair], b[group * 8 + pair + 4]};
  float sums[4];
  for (unsigned r = 0; r < 4; ++r) sums[r] = __uint_as_float(d[(group + r / 2 * 8) * 8 + 2 * pair + r % 2]);
  multiply_m16n8k16(sums, a_words, b_words);
  for (unsigned r = 0; r < 4; ++r)
    args.output[(group + r / 2 * 8) * 8 + 2 * pair + r % 2] = __float_as_uint(sums[r]);
}

const Test multiply("ptx multiply_m16n8k16", [](Check& check) {
  std::vector<uint32_t> input(16 * 8 + 8 * 8 + 16 * 8);
  const auto whole = [&] { return static_cast<float>(check.random().integer(-9, 9)); };  // exact in any order
  std::vector<float> a(16 * 16);
  std::vector<float> b(8 * 16);  // [column, k]
  std::vector<float> d(16 * 8);
  for (float& value : a) value = whole();
  for (float& value : b) value = whole();
  for (float& value : d) value = whole();
  const auto word = [](const float* two) {
    return uint32_t{to_bf16(two[0]).bits} | uint32_t{to_bf16(two[1]).bits} << 16;
  };
  for (size_t i = 0; i < 16 * 8; ++i) input[i] = word(&a[2 * i]);
  for (size_t i = 0; i < 8 * 8; ++i) input[16 * 8 + i] = word(&b[2 * i]);
  std::memcpy(&input[16 * 8 + 8 * 8], d.data(), d.size() * 4);
  const std::vector<uint32_t> actual = run_warp(check, multiply_kernel, input, 4);
  std::vector<uint32_t> expected(16 * 8);
  for (size_t row = 0; row < 16; ++row)
    for (size_t column = 0; column < 8; ++column) {
      float sum = d[row * 8 + column];
      for (size_t k = 0; k < 16; ++k) sum += a[row * 16 + k] * b[column * 16 + k];
      std::memcpy(&expected[row * 8 + column], &sum, sizeof sum);
    }
  check.same(actual, expected, "d");
});

// ---- loads
// `input`: four matrices [8, 8] of 16 bits. Lane l gets word (m, l) of matrix m.
template <bool kTransposed>
__global__ void load_kernel(const WarpArgs args) {
  wait_for_inputs();
  uint32_t* const matrices = shared_memory<uint32_t>();
  for (unsigned i = threadIdx.x; i < 128; i += 32) matrices[i] = args.input[i];
  __syncwarp();
  uint32_t words[4];
  load_matrices<kTransposed>(words, matrices + threadIdx.x * 4);
  for (unsigned m = 0; m < 4; ++m) args.output[m * 32 + threadIdx.x] = words[m];
}

const Test load("ptx load_matrices", [](Check& check) {
  std::vector<uint16_t> matrices(4 * 64);
  for (size_t i = 0; i < matrices.size(); ++i) matrices[i] = static_cast<uint16_t>(1000 + i);
  std::vector<uint32_t> input(128);
  std::memcpy(input.data(), matrices.data(), 512);
  for (const bool transposed : {false, true}) {
    const std::vector<uint32_t> actual =
        run_warp(check, transposed ? load_kernel<true> : load_kernel<false>, input, 4, 512);
    std::vector<uint32_t> expected(128);
    for (size_t m = 0; m < 4; ++m)
      for (size_t lane = 0; lane < 32; ++lane) {
        const auto element = [&](size_t i) -> uint32_t {
          const size_t row = transposed ? lane % 4 * 2 + i : lane / 4;
          const size_t column = transposed ? lane / 4 : lane % 4 * 2 + i;
          return matrices[m * 64 + row * 8 + column];
        };
        expected[m * 32 + lane] = element(0) | element(1) << 16;
      }
    check.same(actual, expected, transposed ? "transposed" : "as they lie");
  }
});

// ---- asynchronous copies
// Each lane copies 16 bytes in three groups; the last one is unwanted and becomes zero.
__global__ void copy_kernel(const WarpArgs args) {
  wait_for_inputs();
  uint32_t* const shared = shared_memory<uint32_t>();  // [3, 32, 4]
  for (unsigned group = 0; group < 3; ++group) {
    copy_16_async(shared + group * 128 + threadIdx.x * 4, args.input + group * 128 + threadIdx.x * 4,
                  group < 2);
    commit_copies();
  }
  wait_for_copies<1>();
  __syncwarp();
  // Two groups have landed; a neighbour's copies are seen after the barrier.
  const unsigned neighbour = (threadIdx.x + 1) % 32;
  for (unsigned i = 0; i < 8; ++i)
    args.output[i * 32 + threadIdx.x] = shared[i / 4 * 128 + neighbour * 4 + i % 4];
  wait_for_copies<0>();
  __syncwarp();
  for (unsigned i = 0; i < 4; ++i) args.output[(8 + i) * 32 + threadIdx.x] = shared[256 + neighbour * 4 + i];
}

const Test copy("ptx copy_16_async", [](Check& check) {
  std::vector<uint32_t> input(3 * 128);
  for (size_t i = 0; i < input.size(); ++i) input[i] = static_cast<uint32_t>(7 * i + 1);
  const std::vector<uint32_t> actual = run_warp(check, copy_kernel, input, 12, 3 * 512);
  std::vector<uint32_t> expected(12 * 32);
  for (size_t i = 0; i < 12; ++i)
    for (size_t lane = 0; lane < 32; ++lane)
      expected[i * 32 + lane] = i < 8 ? input[i / 4 * 128 + (lane + 1) % 32 * 4 + i % 4] : 0;
  check.same(actual, expected, "copies");
});

// ---- bf16
__global__ void pack_kernel(const WarpArgs args) {
  wait_for_inputs();
  const float value = __uint_as_float(args.input[threadIdx.x]);
  const uint32_t packed = pack_bf16(value, -value);
  args.output[threadIdx.x] = packed;
  args.output[32 + threadIdx.x] = __float_as_uint(low_half(packed));
  args.output[64 + threadIdx.x] = __float_as_uint(high_half(packed));
  args.output[96 + threadIdx.x] = to_bf16(value).bits;
}

const Test pack("ptx pack_bf16", [](Check& check) {
  std::vector<uint32_t> input(32);
  for (uint32_t& word : input) {
    const float value = static_cast<float>(check.random().unit() * 8 - 4);
    std::memcpy(&word, &value, sizeof word);
  }
  input[0] = 0x3F808000;  // halfway, to the even neighbour below
  input[1] = 0x3F818000;  // halfway, to the even neighbour above
  input[2] = 0x7F7FFFFF;  // becomes infinite
  input[3] = 0x00000001;  // the least denormal
  input[4] = 0x7F800000;  // infinite
  const std::vector<uint32_t> actual = run_warp(check, pack_kernel, input, 4);
  std::vector<uint32_t> expected(4 * 32);
  for (size_t lane = 0; lane < 32; ++lane) {
    float value;
    std::memcpy(&value, &input[lane], sizeof value);
    const uint32_t low = to_bf16(value).bits;
    const uint32_t high = to_bf16(-value).bits;
    expected[lane] = low | high << 16;
    expected[32 + lane] = low << 16;
    expected[64 + lane] = high << 16;
    expected[96 + lane] = low;
  }
  check.same(actual, expected, "bf16");
});

// ---- the warp
constexpr int kShuffles = 9;

__global__ void shuffle_kernel(const WarpArgs args) {
  wait_for_inputs();
  const uint32_t value = args.input[threadIdx.x];
  const int lane = static_cast<int>(threadIdx.x);
  uint32_t* const output = args.output + threadIdx.x;
  output[0 * 32] = __shfl_sync(kWholeWarp, value, lane * 5 + 3);
  output[1 * 32] = __shfl_sync(kWholeWarp, value, lane * 5 + 3, 8);
  output[2 * 32] = __shfl_xor_sync(kWholeWarp, value, 9);
  output[3 * 32] = __shfl_down_sync(kWholeWarp, value, 3, 16);
  output[4 * 32] = __shfl_up_sync(kWholeWarp, value, 5, 8);
  output[5 * 32] = __ballot_sync(kWholeWarp, value % 3 == 0);
  output[6 * 32] = __any_sync(kWholeWarp, value == args.input[31]) != 0;
  output[7 * 32] = __all_sync(kWholeWarp, value % 2 == 0) != 0;
  const unsigned half = lane < 16 ? 0xFFFFu : 0xFFFF0000u;  // two halves that do not wait for each other
  output[8 * 32] = lane < 16 ? __shfl_xor_sync(half, value, 1) : __ballot_sync(half, value % 5 == 0);
}

const Test shuffles("ptx shuffles", [](Check& check) {
  std::vector<uint32_t> input(32);
  for (uint32_t& value : input) value = static_cast<uint32_t>(check.random().integer(0, 1000));
  const std::vector<uint32_t> actual = run_warp(check, shuffle_kernel, input, kShuffles);
  std::vector<uint32_t> expected(kShuffles * 32);
  const auto ballot = [&](uint32_t divisor, size_t first) {
    uint32_t bits = 0;
    for (size_t lane = first; lane < 32; ++lane) bits |= uint32_t{input[lane] % divisor == 0} << lane;
    return bits;
  };
  bool all_even = true;
  for (const uint32_t value : input) all_even = all_even && value % 2 == 0;
  for (size_t lane = 0; lane < 32; ++lane) {
    const size_t in_16 = lane % 16;
    const size_t in_8 = lane % 8;
    const uint32_t lanes[kShuffles] = {
        input[(lane * 5 + 3) % 32],
        input[lane / 8 * 8 + (lane * 5 + 3) % 8],
        input[lane ^ 9],
        input[in_16 + 3 < 16 ? lane + 3 : lane],
        input[in_8 >= 5 ? lane - 5 : lane],
        ballot(3, 0),
        1,
        all_even,
        lane < 16 ? input[lane ^ 1] : ballot(5, 16),
    };
    for (size_t i = 0; i < kShuffles; ++i) expected[i * 32 + lane] = lanes[i];
  }
  check.same(actual, expected, "shuffles");
});

// ---- the block
struct BlockArgs {
  unsigned* counts;  // [3]
  int* results;      // [3, threads]
};

__global__ void votes_kernel(const BlockArgs args) {
  wait_for_inputs();
  const int thread = static_cast<int>(threadIdx.x);
  const int threads = static_cast<int>(blockDim.x);
  const int counted = __syncthreads_count(thread % 3 == 0);
  const int all = __syncthreads_and(thread < threads);
  const int any = __syncthreads_or(thread == threads);
  if (blockIdx.x == 0) {
    args.results[thread] = counted;
    args.results[threads + thread] = all;
    args.results[2 * threads + thread] = any;
  }
  atomicAdd(&args.counts[0], 2u);
  atomicMax(&args.counts[1], threadIdx.x + blockIdx.x * blockDim.x);
  atomicInc(&args.counts[2], 6u);
}

const Test votes("ptx votes and atomics", [](Check& check) {
  const int64_t threads = 96;
  const DeviceArray<unsigned> counts(check, std::vector<unsigned>{0, 0, 0});
  const DeviceArray<int> results(check, 3 * threads);
  const BlockArgs args{counts.data(), results.data()};
  check.finish(kernels::launch(votes_kernel, Grid{dim3(5), dim3(static_cast<unsigned>(threads))}, args,
                               check.where()));
  check.same(counts.read(), {960, 479, 480 % 7}, "counts");
  std::vector<int> expected(static_cast<size_t>(threads), 32);
  expected.insert(expected.end(), static_cast<size_t>(threads), 1);
  expected.insert(expected.end(), static_cast<size_t>(threads), 0);
  const std::vector<int> actual = results.read();
  for (size_t i = 0; i < actual.size(); ++i)
    check.require((actual[i] != 0) == (expected[i] != 0) && (i >= 96 || actual[i] == 32), "votes");
});

}  // namespace
}  // namespace msn::kernels::testing
