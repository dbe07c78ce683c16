// Writes a safetensors file so that it is either whole and on the disk, or not there.
#include "runtime/tensor_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <system_error>

#include "base/error.h"

namespace msn {
namespace {

// Large enough that the system call costs nothing, small enough that cancelling is prompt.
constexpr size_t kChunkBytes = size_t{8} << 20;

[[noreturn]] void fail(const std::string& path, int reason) {
  std::string advice;
  if (reason == EEXIST)
    advice = "; choose another name or remove it";
  else if (reason == ENOSPC || reason == EDQUOT)
    advice = "; free space or choose another folder";
  else if (reason == EACCES || reason == EPERM || reason == EROFS)
    advice = "; choose a folder that can be written";
  throw Error(ErrorCode::kCheckpoint,
              "cannot be written: " + std::generic_category().message(reason) + advice, path);
}

// A file that did not exist before; removed again unless keep() was called.
class NewFile {
 public:
  explicit NewFile(const std::string& path) : path_(path) {
    do {
      descriptor_ = ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
    } while (descriptor_ < 0 && errno == EINTR);
    if (descriptor_ < 0) fail(path_, errno);
  }
  ~NewFile() {
    if (descriptor_ >= 0) ::close(descriptor_);
    if (!kept_) ::unlink(path_.c_str());
  }
  NewFile(const NewFile&) = delete;
  NewFile& operator=(const NewFile&) = delete;

  void write(std::span<const uint8_t> bytes, const CancelToken& cancel) {
    while (!bytes.empty()) {
      cancel.throw_if_cancelled();
      const ssize_t written = ::write(descriptor_, bytes.data(), std::min(bytes.size(), kChunkBytes));
      if (written < 0 && errno == EINTR) continue;
      if (written < 0) fail(path_, errno);
      if (written == 0) fail(path_, ENOSPC);
      bytes = bytes.subspan(static_cast<size_t>(written));
    }
  }

  void keep() {
    if (::fsync(descriptor_) != 0) fail(path_, errno);
    // Whatever close answers, the descriptor is gone; some network file systems report a full disk only here.
    const int closed = ::close(descriptor_);
    descriptor_ = -1;
    if (closed != 0 && errno != EINTR) fail(path_, errno);
    kept_ = true;
  }

 private:
  const std::string& path_;
  int descriptor_ = -1;
  bool kept_ = false;
};

}  // namespace

void write_tensor_file(const std::string& path, std::span<const uint8_t> header, int64_t tensors,
                       const std::function<std::span<const uint8_t>(int64_t index)>& next,
                       const CancelToken& cancel) {
  NewFile file(path);
  file.write(header, cancel);
  for (int64_t index = 0; index < tensors; ++index) file.write(next(index), cancel);
  cancel.throw_if_cancelled();
  file.keep();
}

}  // namespace msn
