// What a micro-batch must satisfy before it goes near the device.
#pragma once
#include "model/model_shape.h"
#include "runtime/trainer.h"

namespace msn {

// Throws ERR_INVALID_ARGUMENT naming the field, the place and the value that make no sense for the model.
void check_batch(const MicroBatch& batch, const ModelShape& shape);
// Labels that count: those of tokens with a predecessor in their document.
int64_t count_loss_tokens(const MicroBatch& batch);

}  // namespace msn
