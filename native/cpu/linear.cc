// output[r][o] = sum over i of input[r][i] * weight[o][i] (+ bias[o]) (+ output[r][o]).
// Every output is one chain of fused product-sums over the inputs in ascending order, whatever the number of
// rows and threads: docs/exactness.md. Blocks of rows only share the loads of the weights.
#include "ops/linear.h"

#include "cpu/kernels.h"
#include "cpu/packed_weight.h"

#define MSN_INLINE inline __attribute__((always_inline))

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

// The weights behind `memory`, a moment ahead: one row is done as fast as memory delivers, and the
// processor's own reading ahead stops at every page.
MSN_INLINE void prefetch_weights(const void* memory) {
  constexpr int kAhead = 2048;
  constexpr int kBytes = kPanelVectors * Vector::kWidth * 4;
  for (int line = 0; line < kBytes; line += 64)
    __builtin_prefetch(static_cast<const char*>(memory) + kAhead + line);
}

// The sums of a block of rows and one panel.
template <int kRows>
struct Sums {
  Vector value[kRows][kPanelVectors];

  // Adds input `i` of each row times its weights.
  MSN_INLINE void add(const float* input, int64_t stride, int64_t i, const Vector (&weights)[kPanelVectors]) {
#pragma GCC unroll 16
    for (int row = 0; row < kRows; ++row) {
      const Vector x = Vector::broadcast(input[row * stride + i]);
#pragma GCC unroll 16
      for (int v = 0; v < kPanelVectors; ++v) value[row][v] = fma(x, weights[v], value[row][v]);
    }
  }

  MSN_INLINE void add_panel(const float* input, const float* panel, int64_t inputs) {
    for (int64_t i = 0; i < inputs; ++i, panel += kPanel) {
      Vector weights[kPanelVectors];
      prefetch_weights(panel);
#pragma GCC unroll 16
      for (int v = 0; v < kPanelVectors; ++v) weights[v] = Vector::load(panel + v * Vector::kWidth);
      add(input, inputs, i, weights);
    }
  }

  MSN_INLINE void add_panel(const float* input, const uint16_t* panel, int64_t inputs) {
    Vector first[kPanelVectors];
    Vector second[kPanelVectors];
    for (int64_t i = 0; i < inputs; i += 2, panel += 2 * kPanel) {
      prefetch_weights(panel);
#pragma GCC unroll 16
      for (int v = 0; v < kPanelVectors; ++v)
        Vector::load_bf16_pairs(panel + v * 2 * Vector::kWidth, first[v], second[v]);
      add(input, inputs, i, first);
      if (i + 1 < inputs) add(input, inputs, i + 1, second);
    }
  }
};

// kRows rows from `row` on times one panel. Value is what the panel holds.
template <class Value, int kRows>
void multiply_block(const LinearForward& args, int64_t row, int64_t panel) {
  const int64_t inputs = args.weight->inputs;
  const int64_t outputs = args.weight->outputs;
  Sums<kRows> sums;
#pragma GCC unroll 16
  for (int r = 0; r < kRows; ++r)
#pragma GCC unroll 16
    for (int v = 0; v < kPanelVectors; ++v) sums.value[r][v] = Vector::zero();
  sums.add_panel(
      args.input.f32() + row * inputs,
      static_cast<const Value*>(args.weight->storage.data()) + panel * panel_size(inputs, args.weight->dtype),
      inputs);

#pragma GCC unroll 16
  for (int v = 0; v < kPanelVectors; ++v) {
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

// Up to kRows rows.
template <class Value, int kRows>
void multiply_rows(const LinearForward& args, int64_t rows, int64_t row, int64_t panel) {
  if constexpr (kRows > 1) {
    if (rows < kRows) return multiply_rows<Value, kRows - 1>(args, rows, row, panel);
  }
  multiply_block<Value, kRows>(args, row, panel);
}

template <class Value>
void multiply(Context& context, const LinearForward& args) {
  const int64_t rows = args.input.shape[0];
  const int64_t panels = panel_count(args.weight->outputs);
  const int64_t blocks = (rows + kMostRows - 1) / kMostRows;
  // Each thread begins with one long stretch, which memory delivers faster than pieces; the rest is dealt out
  // in small shares to whoever is done first.
  const int64_t threads = context.pool.threads();
  const int64_t stretch = panels * 3 / 4 / threads;
  const int64_t share = 1 + panels / (threads * 64);
  const int64_t shares = (panels - stretch * threads + share - 1) / share;
  const int64_t work = rows * args.weight->inputs * args.weight->outputs;
  context.parallel_for(threads + shares, work, [&](int64_t task, int) {
    const bool long_stretch = task < threads;
    const int64_t begin = long_stretch ? task * stretch : stretch * threads + (task - threads) * share;
    const int64_t wanted = begin + (long_stretch ? stretch : share);
    const int64_t end = wanted < panels ? wanted : panels;
    for (int64_t panel = begin; panel < end; ++panel) {
      for (int64_t block = 0; block < blocks; ++block) {
        // Blocks of nearly equal height: 9 rows are 5 and 4, not 8 and 1.
        const int64_t row = rows * block / blocks;
        multiply_rows<Value, kMostRows>(args, rows * (block + 1) / blocks - row, row, panel);
      }
    }
  });
}

}  // namespace

void run(Context& context, const LinearForward& args) {
  check(!args.gated, "the CPU engine has no gated products", "linear.gated");
  if (args.weight->dtype == Dtype::kBf16) {
    multiply<uint16_t>(context, args);
  } else {
    multiply<float>(context, args);
  }
}

}  // namespace msn::cpu::MSN_ISA
