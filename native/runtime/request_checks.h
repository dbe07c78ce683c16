// Checks of what comes from outside, each with the one form of message: "prompt[3]: expected ..., received
// ...".
#pragma once
#include <cstdint>
#include <span>
#include <string>

#include "model/model_shape.h"

namespace msn {

// ERR_INVALID_ARGUMENT unless lowest <= value <= highest.
void check_integer(const std::string& name, int64_t value, int64_t lowest, int64_t highest);
// ERR_INVALID_ARGUMENT for an id outside the vocabulary.
void check_token_ids(const std::string& name, std::span<const int32_t> tokens, const ModelShape& shape);
// ERR_INVALID_ARGUMENT unless there are 1 .. highest tokens; `why` explains the limit.
void check_token_count(const std::string& name, std::span<const int32_t> tokens, int64_t highest,
                       const std::string& why);

}  // namespace msn
