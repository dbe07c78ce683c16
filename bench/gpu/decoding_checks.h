// An engine's logits against the CPU's, and its decoding against itself.
#pragma once
#include <string>

#include "check_report.h"
#include "model/model.h"

namespace msn::gpu {

// A tree's logits behind `prefix` tokens are about those of `reference`.
void check_logits(Report& report, const std::string& name, const Model& model, const Model& reference,
                  int64_t prefix);
// Every node of a tree has the bits that its path alone, a chain, gives.
void check_exactness(Report& report, const std::string& name, const Model& model, int64_t prefix);
// Texts of TR-Jacobi are those of autoregressive decoding; temperature 0: greedy.
void check_losslessness(Report& report, const std::string& name, const Model& model, int64_t prompts,
                        int64_t prompt_length, int64_t new_tokens, double temperature);

}  // namespace msn::gpu
