// The messages of argument errors.
#include "runtime/request_checks.h"

#include "base/error.h"

namespace msn {

void check_integer(const std::string& name, int64_t value, int64_t lowest, int64_t highest) {
  if (value >= lowest && value <= highest) return;
  throw Error(ErrorCode::kInvalidArgument,
              "expected an integer from " + std::to_string(lowest) + " to " + std::to_string(highest) +
                  ", received " + std::to_string(value),
              name);
}

void check_token_ids(const std::string& name, std::span<const int32_t> tokens, const ModelShape& shape) {
  for (size_t i = 0; i < tokens.size(); ++i)
    if (tokens[i] < 0 || tokens[i] >= shape.vocabulary_size)
      throw Error(ErrorCode::kInvalidArgument,
                  "expected a token id from 0 to " + std::to_string(shape.vocabulary_size - 1) +
                      ", received " + std::to_string(tokens[i]),
                  name + "[" + std::to_string(i) + "]");
}

void check_token_count(const std::string& name, std::span<const int32_t> tokens, int64_t highest,
                       const std::string& why) {
  const int64_t count = static_cast<int64_t>(tokens.size());
  if (count < 1) throw Error(ErrorCode::kInvalidArgument, "expected at least one token, received none", name);
  if (count > highest)
    throw Error(ErrorCode::kInvalidArgument,
                "expected at most " + std::to_string(highest) + " tokens (" + why + "), received " +
                    std::to_string(count),
                name);
}

}  // namespace msn
