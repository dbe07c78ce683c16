// Initial weights of a model that is trained from scratch, or of a bench that only needs a shape.
#include <algorithm>
#include <cmath>
#include <numbers>

#include "base/parallel.h"
#include "base/philox.h"
#include "model/tensor_source.h"

namespace msn {
namespace {

constexpr int64_t kPairsWorthAThread = 1 << 18;

// Elements [2 * first_pair, min(2 * last_pair, count)) of tensor number `tensor`.
void fill_normal(std::vector<float>& values, uint64_t seed, uint32_t tensor, double deviation,
                 int64_t first_pair, int64_t last_pair) {
  const auto unit = [](uint32_t high, uint32_t low) {
    return static_cast<double>(((uint64_t{high} << 32) | low) >> 11) * 0x1p-53;
  };
  for (int64_t pair = first_pair; pair < last_pair; ++pair) {
    const RandomDraw draw(seed, RandomStream::kInitialization, static_cast<uint32_t>(pair), tensor,
                          static_cast<uint32_t>(pair >> 32));
    const PhiloxWords& words = draw.words();
    const double radius = deviation * std::sqrt(-2.0 * std::log(1.0 - unit(words.x0, words.x1)));
    const double angle = 2.0 * std::numbers::pi * unit(words.x2, words.x3);
    values[2 * pair] = static_cast<float>(radius * std::cos(angle));
    if (2 * pair + 1 < static_cast<int64_t>(values.size()))
      values[2 * pair + 1] = static_cast<float>(radius * std::sin(angle));
  }
}

}  // namespace

RandomTensors::RandomTensors(const ModelShape& shape, uint64_t seed, double initializer_range)
    : seed_(seed), initializer_range_(initializer_range) {
  uint32_t index = 0;
  for (TensorSpec& spec : tensor_specs(shape)) {
    const std::string name = spec.name;
    tensors_.emplace(name, Numbered{index++, std::move(spec)});
  }
}

bool RandomTensors::has(const std::string& name) const { return tensors_.contains(name); }

Tensor RandomTensors::tensor(const TensorSpec& spec) {
  const auto found = tensors_.find(spec.name);
  if (found == tensors_.end() || found->second.spec.shape != spec.shape)
    throw Error(ErrorCode::kModelFormat, "a model of this shape has no such tensor", spec.name);
  std::vector<float>& values = values_.emplace_back(element_count(spec));
  if (spec.name.ends_with("norm.weight"))
    std::fill(values.begin(), values.end(), 1.0f);
  else if (!spec.name.ends_with(".bias"))
    parallel_ranges((static_cast<int64_t>(values.size()) + 1) / 2, kPairsWorthAThread,
                    std::thread::hardware_concurrency(), [&](int64_t first, int64_t last) {
                      fill_normal(values, seed_, found->second.index, initializer_range_, first, last);
                    });

  Tensor view;
  view.data = values.data();
  view.rank = static_cast<int>(spec.shape.size());
  std::copy(spec.shape.begin(), spec.shape.end(), view.shape.begin());
  return view;
}

}  // namespace msn
