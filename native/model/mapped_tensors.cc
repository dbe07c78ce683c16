// Weights of safetensors files, mapped read-only. Nothing that a table or a file says is believed unchecked.
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <map>

#include "model/tensor_source.h"

namespace msn {
namespace {

std::string shape_text(const std::vector<int64_t>& shape) {
  std::string text = "[";
  for (size_t axis = 0; axis < shape.size(); ++axis)
    text += (axis == 0 ? "" : ", ") + std::to_string(shape[axis]);
  return text + "]";
}

[[noreturn]] void refuse(const std::string& file, const std::string& message) {
  throw Error(ErrorCode::kModelFormat, message, file);
}

// The bytes that a tensor's dtype and shape ask for, or -1 where they make no sense.
int64_t expected_bytes(const TensorEntry& entry) {
  int64_t bytes = dtype_size(entry.dtype);
  for (int64_t size : entry.shape)
    if (size < 0 || __builtin_mul_overflow(bytes, size, &bytes)) return -1;
  return bytes;
}

void check_entry(const TensorEntry& entry, int64_t file_size) {
  const std::string range = "bytes " + std::to_string(entry.begin) + " to " + std::to_string(entry.end);
  if (entry.begin < 0 || entry.end < entry.begin)
    refuse(entry.file, "tensor \"" + entry.name + "\" lies at " + range + ", which is no range");
  if (entry.end > file_size)
    refuse(entry.file, "tensor \"" + entry.name + "\" lies at " + range + ", but the file ends at " +
                           std::to_string(file_size) + "; it may be truncated: fetch it again");
  const int64_t bytes = expected_bytes(entry);
  if (bytes != entry.end - entry.begin)
    refuse(entry.file, "tensor \"" + entry.name + "\" has " + std::to_string(entry.end - entry.begin) +
                           " bytes, which do not hold " + shape_text(entry.shape) + " of " +
                           dtype_name(entry.dtype));
}

void check_overlaps(std::vector<const TensorEntry*> entries) {
  std::sort(entries.begin(), entries.end(), [](const TensorEntry* a, const TensorEntry* b) {
    return std::pair(a->begin, a->end) < std::pair(b->begin, b->end);
  });
  for (size_t i = 1; i < entries.size(); ++i)
    if (entries[i]->begin < entries[i - 1]->end)
      refuse(entries[i]->file, "tensors \"" + entries[i - 1]->name + "\" and \"" + entries[i]->name +
                                   "\" overlap at byte " + std::to_string(entries[i]->begin));
}

}  // namespace

struct MappedTensors::Mapping {
  explicit Mapping(const std::string& path) {
    descriptor = open(path.c_str(), O_RDONLY | O_CLOEXEC);
    if (descriptor < 0) refuse(path, std::string("cannot be opened: ") + std::strerror(errno));
    try {
      map(path);
    } catch (...) {
      close(descriptor);
      throw;
    }
  }
  ~Mapping() {
    if (data != nullptr) munmap(data, static_cast<size_t>(size));
    close(descriptor);
  }
  Mapping(const Mapping&) = delete;
  Mapping& operator=(const Mapping&) = delete;

  int64_t size_now() const {
    struct stat status;
    return fstat(descriptor, &status) == 0 ? static_cast<int64_t>(status.st_size) : -1;
  }

  int descriptor = -1;
  int64_t size = 0;
  std::byte* data = nullptr;  // null for an empty file

 private:
  void map(const std::string& path) {
    struct stat status;
    if (fstat(descriptor, &status) != 0) refuse(path, std::strerror(errno));
    if (!S_ISREG(status.st_mode))
      refuse(path, S_ISDIR(status.st_mode) ? "expected a file, found a folder" : "expected a regular file");
    size = status.st_size;
    if (size == 0) return;
    void* mapped = mmap(nullptr, static_cast<size_t>(size), PROT_READ, MAP_PRIVATE, descriptor, 0);
    if (mapped == MAP_FAILED)
      throw Error(errno == ENOMEM ? ErrorCode::kOutOfMemory : ErrorCode::kModelFormat,
                  std::string("cannot be mapped: ") + std::strerror(errno), path);
    data = static_cast<std::byte*>(mapped);
  }
};

MappedTensors::MappedTensors(std::vector<TensorEntry> entries) {
  std::map<std::string, std::vector<const TensorEntry*>> by_file;
  for (TensorEntry& entry : entries) {
    const auto [found, added] = entries_.try_emplace(entry.name, std::move(entry));
    if (!added) refuse(entry.file, "tensor \"" + found->first + "\" is listed twice");
    by_file[found->second.file].push_back(&found->second);
  }
  for (const auto& [path, tensors] : by_file) {
    auto mapping = std::make_unique<Mapping>(path);
    for (const TensorEntry* entry : tensors) check_entry(*entry, mapping->size);
    check_overlaps(tensors);
    files_.emplace(path, std::move(mapping));
  }
}

MappedTensors::~MappedTensors() = default;

bool MappedTensors::has(const std::string& name) const { return entries_.contains(name); }

Tensor MappedTensors::tensor(const TensorSpec& spec) {
  const auto found = entries_.find(spec.name);
  if (found == entries_.end())
    throw Error(ErrorCode::kModelFormat, "the model's files do not hold this tensor", spec.name);
  const TensorEntry& entry = found->second;
  if (entry.shape != spec.shape)
    refuse(entry.file, "tensor \"" + spec.name + "\" has the shape " + shape_text(entry.shape) +
                           ", expected " + shape_text(spec.shape) + " (config.json)");
  const Mapping& mapping = *files_.at(entry.file);
  // A page behind the end of a file that has shrunk cannot be read: the system would kill the process.
  if (mapping.size_now() < entry.end)
    refuse(entry.file, "the file has become shorter while it was read; load the model again");

  Tensor view;
  view.data = mapping.data + entry.begin;
  view.dtype = entry.dtype;
  view.rank = static_cast<int>(spec.shape.size());
  std::copy(spec.shape.begin(), spec.shape.end(), view.shape.begin());

  const int64_t page = sysconf(_SC_PAGESIZE);
  const int64_t first = entry.begin / page * page;
  const PageRange pages{mapping.data + first, static_cast<size_t>(entry.end - first)};
  madvise(pages.data, pages.bytes, MADV_WILLNEED);
  handed_out_.push_back(pages);
  return view;
}

void MappedTensors::release() {
  for (const PageRange& pages : handed_out_) madvise(pages.data, pages.bytes, MADV_DONTNEED);
  handed_out_.clear();
}

}  // namespace msn
