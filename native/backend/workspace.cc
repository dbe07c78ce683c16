// Cuts one allocation into the tensors of a plan.
#include "backend/backend.h"

namespace msn {

void Workspace::plan(Tensor* tensor, Dtype dtype, std::initializer_list<int64_t> shape) {
  constexpr int64_t kAlignment = 64;
  *tensor = Tensor(nullptr, dtype, shape);
  planned_.push_back({tensor, planned_bytes_});
  // A tensor without elements keeps a pointer of its own, since a null pointer means "none".
  const int64_t bytes = tensor->bytes() > 0 ? tensor->bytes() : 1;
  planned_bytes_ += (bytes + kAlignment - 1) / kAlignment * kAlignment;
}

void Workspace::commit() {
  buffer_ = backend_.allocate(planned_bytes_);
  auto* base = static_cast<std::byte*>(buffer_.data());
  for (const Planned& planned : planned_) planned.tensor->data = base + planned.offset;
}

}  // namespace msn
