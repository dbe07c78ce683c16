// Writes a safetensors file: the header that TypeScript composed, then the tensors one behind another.
#pragma once
#include <cstdint>
#include <functional>
#include <span>
#include <string>

#include "base/cancel.h"

namespace msn {

// `header` is the whole header, length prefix included. next(i) returns the bytes of tensor i, valid until
// the next call. The file is created (never an existing one overwritten), written, fsynced and closed; on any
// failure it is removed and ERR_CHECKPOINT says the path and the system's reason ("No space left on device").
void write_tensor_file(const std::string& path, std::span<const uint8_t> header, int64_t tensors,
                       const std::function<std::span<const uint8_t>(int64_t index)>& next,
                       const CancelToken& cancel);

}  // namespace msn
