// output[r][o] = sum over i of input[r][i] * weight[o][i] (+ bias[o]) (+ output[r][o]).
// Every output is one chain of fused product-sums over the inputs in ascending order, whatever the number of
// rows and threads: docs/exactness.md. Blocks of rows only share the loads of the weights.
#include "ops/linear.h"

#include "cpu/kernels.h"
#include "cpu/packed_weight.h"

namespace msn::cpu::MSN_ISA {
namespace {

// Rows of one block: kMostRows * kPanelVectors sums, the weights and a broadcast input fill the registers.
#if defined(MSN_ISA_AVX512)
constexpr int kMostRows = 8;
#elif defined(MSN_ISA_AVX2)
constexpr int kMostRows = 5;
#else
constexpr int kMostRows = 2;
#endif

// sums[row][vector] over all inputs, for the kPanels panels from `panel` on.
template <int kRows, int kVectors>
struct Sums {
  Vector value[kRows][kVectors];

  // Adds input `index` of each row times the weights.
  inline __attribute__((always_inline)) void add(const float* input, int64_t stride, int64_t index,
                                                 const Vector (&weights)[kVectors]) {
#pragma GCC unroll 16
    for (int row = 0; row < kRows; ++row) {
      const Vector x = Vector::broadcast(input[row * stride + index]);
#pragma GCC unroll 16
      for (int v = 0; v < kVectors; ++v) value[row][v] = fma(x, weights[v], value[row][v]);
    }
  }
};

struct F32Weights {
  using Value = float;

  template <int kRows, int kPanels>
  static inline __attribute__((always_inline)) void sum(const float* input, int64_t stride,
                                                        const float* panel, int64_t size, int64_t inputs,
                                                        Sums<kRows, kPanels * kPanelVectors>& sums) {
    for (int64_t i = 0; i < inputs; ++i) {
      Vector weights[kPanels * kPanelVectors];
#pragma GCC unroll 16
      for (int v = 0; v < kPanels * kPanelVectors; ++v)
        weights[v] = Vector::load(panel + (v / kPanelVectors) * size + i * kPanel +
                                  (v % kPanelVectors) * Vector::kWidth);
      sums.add(input, stride, i, weights);
    }
  }
};

struct Bf16Weights {
  using Value = uint16_t;

  template <int kRows, int kPanels>
  static inline __attribute__((always_inline)) void sum(const float* input, int64_t stride,
                                                        const uint16_t* panel, int64_t size, int64_t inputs,
                                                        Sums<kRows, kPanels * kPanelVectors>& sums) {
    Vector first[kPanels * kPanelVectors];
    Vector second[kPanels * kPanelVectors];
    const auto load_pair = [&](int64_t i) __attribute__((always_inline)) {
#pragma GCC unroll 16
      for (int v = 0; v < kPanels * kPanelVectors; ++v)
        Vector::load_bf16_pairs(
            panel + (v / kPanelVectors) * size + i * kPanel + (v % kPanelVectors) * 2 * Vector::kWidth,
            first[v], second[v]);
    };
    int64_t i = 0;
    for (; i + 1 < inputs; i += 2) {
      load_pair(i);
      sums.add(input, stride, i, first);
      sums.add(input, stride, i + 1, second);
    }
    if (i < inputs) {
      load_pair(i);
      sums.add(input, stride, i, first);
    }
  }
};

// One block of rows times the panels from `panel` on, for the outputs from `output` on.
template <class Weights, int kRows, int kPanels>
void multiply_block(const LinearForward& args, int64_t row, int64_t panel) {
  constexpr int kVectors = kPanels * kPanelVectors;
  const int64_t inputs = args.weight->inputs;
  const int64_t outputs = args.weight->outputs;
  const int64_t size = panel_size(inputs, args.weight->dtype);
  Sums<kRows, kVectors> sums;
#pragma GCC unroll 16
  for (int r = 0; r < kRows; ++r)
#pragma GCC unroll 16
    for (int v = 0; v < kVectors; ++v) sums.value[r][v] = Vector::zero();
  Weights::template sum<kRows, kPanels>(
      args.input.f32() + row * inputs, inputs,
      static_cast<const typename Weights::Value*>(args.weight->storage.data()) + panel * size, size, inputs,
      sums);

#pragma GCC unroll 16
  for (int v = 0; v < kVectors; ++v) {
    const int64_t output = panel * kPanel + v * Vector::kWidth;
    const int count = outputs - output < Vector::kWidth ? static_cast<int>(outputs - output) : Vector::kWidth;
    if (count <= 0) break;
    const Vector bias = args.bias ? Vector::load_partial(args.bias.f32() + output, count) : Vector::zero();
#pragma GCC unroll 16
    for (int r = 0; r < kRows; ++r) {
      float* target = args.output.mutable_f32() + (row + r) * outputs + output;
      Vector result = sums.value[r][v];
      if (args.bias) result = result + bias;
      if (args.accumulate) result = result + Vector::load_partial(target, count);
      result.store_partial(target, count);
    }
  }
}

template <class Weights, int kRows>
void multiply_rows(const LinearForward& args, int64_t rows, int64_t row, int64_t panel) {
  if constexpr (kRows > 1) {
    if (rows < kRows) return multiply_rows<Weights, kRows - 1>(args, rows, row, panel);
  }
  multiply_block<Weights, kRows, 1>(args, row, panel);
}

template <class Weights>
void multiply(Context& context, const LinearForward& args) {
  const int64_t rows = args.input.shape[0];
  const int64_t panels = panel_count(args.weight->outputs);
  const int64_t blocks = (rows + kMostRows - 1) / kMostRows;
  const int64_t work = rows * args.weight->inputs * args.weight->outputs;
  // Several panels to a task, so that a thread reads long stretches of memory, but enough tasks to even out.
  const int64_t share = panels / (context.pool.threads() * 8);
  const int64_t group = share < 1 ? 1 : share;
  context.parallel_for((panels + group - 1) / group, work, [&](int64_t task, int) {
    const int64_t end = (task + 1) * group < panels ? (task + 1) * group : panels;
    int64_t panel = task * group;
    if (rows == 1) {
      // More sums at once hide the latency of the product-sum.
      for (; panel + 1 < end; panel += 2) multiply_block<Weights, 1, 2>(args, 0, panel);
    }
    for (; panel < end; ++panel) {
      for (int64_t block = 0; block < blocks; ++block) {
        // Blocks of nearly equal height: 9 rows are 5 and 4, not 8 and 1.
        const int64_t first = rows * block / blocks;
        multiply_rows<Weights, kMostRows>(args, rows * (block + 1) / blocks - first, first, panel);
      }
    }
  });
}

}  // namespace

void run(Context& context, const LinearForward& args) {
  if (args.weight->dtype == Dtype::kBf16) {
    multiply<Bf16Weights>(context, args);
  } else {
    multiply<F32Weights>(context, args);
  }
}

}  // namespace msn::cpu::MSN_ISA
