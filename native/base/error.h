// The one error type of the native side. The addon turns it into a MakeSomeNoiseError with the same code.
#pragma once
#include <stdexcept>
#include <string>
#include <utility>

namespace msn {

enum class ErrorCode {
  kInvalidArgument,
  kModelFormat,
  kUnsupported,
  kOutOfMemory,
  kDevice,
  kAborted,
  kDisposed,
  kCheckpoint,
  kInternal,
};

// The stable name that JavaScript sees, "ERR_INVALID_ARGUMENT" and so on.
constexpr const char* error_code_name(ErrorCode code) {
  switch (code) {
    case ErrorCode::kInvalidArgument:
      return "ERR_INVALID_ARGUMENT";
    case ErrorCode::kModelFormat:
      return "ERR_MODEL_FORMAT";
    case ErrorCode::kUnsupported:
      return "ERR_UNSUPPORTED";
    case ErrorCode::kOutOfMemory:
      return "ERR_OUT_OF_MEMORY";
    case ErrorCode::kDevice:
      return "ERR_DEVICE";
    case ErrorCode::kAborted:
      return "ERR_ABORTED";
    case ErrorCode::kDisposed:
      return "ERR_DISPOSED";
    case ErrorCode::kCheckpoint:
      return "ERR_CHECKPOINT";
    case ErrorCode::kInternal:
      break;
  }
  return "ERR_INTERNAL";
}

class Error : public std::runtime_error {
 public:
  // where: the function, file or tensor concerned; part of the message, for the reader.
  Error(ErrorCode code, const std::string& message, std::string where = {})
      : std::runtime_error(where.empty() ? message : where + ": " + message),
        code_(code),
        where_(std::move(where)) {}
  ErrorCode code() const { return code_; }
  const std::string& where() const { return where_; }

 private:
  ErrorCode code_;
  std::string where_;
};

// What `action` returns; an out-of-memory error of it also says what would take less.
template <class Action>
auto with_memory_advice(const std::string& advice, const Action& action) {
  try {
    return action();
  } catch (const Error& error) {
    if (error.code() != ErrorCode::kOutOfMemory) throw;
    throw Error(error.code(), std::string(error.what()) + ". " + advice);
  }
}

}  // namespace msn
