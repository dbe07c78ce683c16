// The CPU backend with bf16 activations: what a device that computes in bf16 is planned for, without one.
#pragma once
#include <memory>

#include "backend/backend.h"

namespace msn::testing {

// Training operations run on `exact` in f32; their activations are widened before and rounded behind.
std::shared_ptr<Backend> round_activations(std::shared_ptr<Backend> exact);

}  // namespace msn::testing
