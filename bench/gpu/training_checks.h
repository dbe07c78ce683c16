// An engine's loss and training against the CPU's, and against itself.
#pragma once
#include <memory>
#include <string>

#include "check_report.h"
#include "model/model_shape.h"

namespace msn::gpu {

// The output head's loss and gradients over more rows than a chunk of logits holds are about the CPU's.
void check_loss(Report& report, Backend& backend, Backend& reference, int64_t rows, int64_t hidden,
                int64_t vocabulary);
// The losses of some steps with noise follow the CPU's, and fall.
void check_training(Report& report, const std::string& name, const ModelShape& shape,
                    const std::shared_ptr<Backend>& backend, const std::shared_ptr<Backend>& reference,
                    int64_t steps, int64_t documents, int64_t length);
// Two runs of the same steps give the same bits.
void check_repeatable_training(Report& report, const std::string& name, const ModelShape& shape,
                               const std::shared_ptr<Backend>& backend, int64_t steps, int64_t documents,
                               int64_t length);

}  // namespace msn::gpu
