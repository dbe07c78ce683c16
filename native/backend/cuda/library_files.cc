#include "backend/cuda/library_files.h"

#include <dlfcn.h>

#include <cstdlib>

namespace msn {
namespace {

const char kAnchor = 0;  // an address inside this very file

}  // namespace

std::filesystem::path addon_folder() {
  Dl_info info{};
  if (dladdr(&kAnchor, &info) == 0 || info.dli_fname == nullptr) return {};
  std::error_code failed;
  const std::filesystem::path path = std::filesystem::canonical(info.dli_fname, failed);
  return (failed ? std::filesystem::path(info.dli_fname) : path).parent_path();
}

std::string environment(const char* name) {
  const char* value = std::getenv(name);
  return value != nullptr ? value : "";
}

}  // namespace msn
