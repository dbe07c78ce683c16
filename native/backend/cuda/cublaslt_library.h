// NVIDIA's library for large matrix products, where this machine has it.
#pragma once
#include <optional>
#include <string>

#include "backend/cuda/cublaslt_functions.h"

namespace msn {

struct CublasLtLibrary {
  std::optional<cublaslt::Functions> functions;  // none: `reason` says why
  std::string path;                              // as it was found; a bare name came from the loader's path
  std::string version;                           // "13.0.2"
  std::string reason;

  // For people: "cuBLASLt 13.0.2 (/usr/local/cuda/lib64/libcublasLt.so.13)", or why there is none.
  std::string describe() const;
};

// Looked for once per process, major version 13 before 12 and none newer than the driver: in what
// MSN_CUBLASLT names (a file, a folder, or 'off') and nowhere else if it is set; else beside the CUDA module,
// on the loader's path, in CUDA_HOME and CUDA_PATH, in conda's and in the folders of pip's nvidia packages.
// The host shim computes in host memory, which the true library cannot reach: with it, only what MSN_CUBLASLT
// names.
const CublasLtLibrary& cublaslt_library();

}  // namespace msn
