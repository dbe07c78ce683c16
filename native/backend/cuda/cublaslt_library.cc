// Finds and loads cuBLASLt.
#include "backend/cuda/cublaslt_library.h"

#include <dlfcn.h>

#include <algorithm>
#include <vector>

#include "backend/cuda/cuda_module.h"
#include "backend/cuda/library_files.h"

namespace msn {
namespace {

namespace fs = std::filesystem;

constexpr int kMajors[] = {13, 12};

std::string file_name(int major) { return "libcublasLt.so." + std::to_string(major); }

// dir/<sub> of every folder in `dir` whose name begins with `prefix`, newest name first.
std::vector<fs::path> folders_beginning(const fs::path& dir, const std::string& prefix) {
  std::vector<fs::path> found;
  std::error_code failed;
  for (fs::directory_iterator entry(dir, failed), end; !failed && entry != end; entry.increment(failed))
    if (entry->path().filename().string().starts_with(prefix)) found.push_back(entry->path());
  std::sort(found.rbegin(), found.rend());
  return found;
}

// The folders of pip's packages nvidia-cublas (13) and nvidia-cublas-cu12 in one Python environment.
void add_pip_folders(const fs::path& environment_root, std::vector<fs::path>& folders) {
  for (const fs::path& python : folders_beginning(environment_root / "lib", "python3"))
    for (const char* packages : {"site-packages", "dist-packages"})
      for (const char* nvidia : {"nvidia/cu13/lib", "nvidia/cublas/lib"})
        folders.push_back(python / packages / nvidia);
}

std::vector<fs::path> usual_folders() {
  std::vector<fs::path> folders = {fs::path(cuda_module().path).parent_path()};
  for (const char* variable : {"CUDA_HOME", "CUDA_PATH"}) {
    const std::string root = environment(variable);
    if (!root.empty()) folders.push_back(fs::path(root) / "lib64");
  }
  folders.push_back("/usr/local/cuda/lib64");
  const std::string conda = environment("CONDA_PREFIX");
  if (!conda.empty()) folders.push_back(fs::path(conda) / "lib");
  for (const char* variable : {"VIRTUAL_ENV", "CONDA_PREFIX"}) {
    const std::string root = environment(variable);
    if (!root.empty()) add_pip_folders(root, folders);
  }
  const std::string home = environment("HOME");
  if (!home.empty()) add_pip_folders(fs::path(home) / ".local", folders);
  for (const char* root : {"/usr/local", "/opt/conda", "/usr"}) add_pip_folders(root, folders);
  return folders;
}

template <class Function>
bool find_function(void* library, const char* name, Function& function) {
  function = reinterpret_cast<Function>(dlsym(library, name));
  return function != nullptr;
}

std::optional<cublaslt::Functions> find_functions(void* library) {
  cublaslt::Functions all{};
  const bool complete = find_function(library, "cublasLtGetVersion", all.get_version) &&
                        find_function(library, "cublasLtCreate", all.create) &&
                        find_function(library, "cublasLtDestroy", all.destroy) &&
                        find_function(library, "cublasLtMatmulDescCreate", all.product_create) &&
                        find_function(library, "cublasLtMatmulDescDestroy", all.product_destroy) &&
                        find_function(library, "cublasLtMatmulDescSetAttribute", all.product_set) &&
                        find_function(library, "cublasLtMatrixLayoutCreate", all.layout_create) &&
                        find_function(library, "cublasLtMatrixLayoutDestroy", all.layout_destroy) &&
                        find_function(library, "cublasLtMatmulPreferenceCreate", all.preference_create) &&
                        find_function(library, "cublasLtMatmulPreferenceDestroy", all.preference_destroy) &&
                        find_function(library, "cublasLtMatmulPreferenceSetAttribute", all.preference_set) &&
                        find_function(library, "cublasLtMatmulAlgoGetHeuristic", all.find_algorithms) &&
                        find_function(library, "cublasLtMatmul", all.multiply);
  if (!complete) return std::nullopt;
  return all;
}

class Search {
 public:
  explicit Search(int newest_major) : newest_major_(newest_major) {}

  CublasLtLibrary run() {
    const std::string named = environment("MSN_CUBLASLT");
    if (named == "off") {
      found_.reason = "switched off by MSN_CUBLASLT";
    } else if (!named.empty()) {
      std::error_code failed;
      if (fs::is_directory(named, failed))
        try_folder(named);
      else
        try_file(named);
      if (!found_.functions) found_.reason = "MSN_CUBLASLT names " + named + ", but " + why_not();
    } else if (cuda_module().is_shim()) {
      found_.reason = "the host shim uses only a library that MSN_CUBLASLT names";
    } else {
      search_usual_places();
      if (!found_.functions)
        found_.reason = why_not() +
                        "; install the CUDA toolkit or pip's nvidia-cublas, or name the file in "
                        "MSN_CUBLASLT. Large products run on the project's own kernels";
    }
    return std::move(found_);
  }

 private:
  void search_usual_places() {
    const std::vector<fs::path> folders = usual_folders();
    if (try_folder(folders.front())) return;
    for (const int major : kMajors)
      if (major <= newest_major_ && try_file(file_name(major))) return;
    for (size_t i = 1; i < folders.size(); ++i)
      if (try_folder(folders[i])) return;
  }

  bool try_folder(const fs::path& folder) {
    for (const int major : kMajors) {
      std::error_code failed;
      const fs::path file = folder / file_name(major);
      if (major <= newest_major_ && fs::exists(file, failed) && try_file(file.string())) return true;
    }
    return false;
  }

  // A bare name is looked for on the loader's path.
  bool try_file(const std::string& file) {
    void* const library = dlopen(file.c_str(), RTLD_NOW | RTLD_LOCAL);
    if (library == nullptr) {
      const char* why = dlerror();
      // That the loader's path does not have it is no finding.
      if (file.find('/') != std::string::npos)
        failures_ += (failures_.empty() ? "" : "; ") + std::string(why);
      return false;
    }
    found_.functions = find_functions(library);
    if (!found_.functions) {
      failures_ += (failures_.empty() ? "" : "; ") + file + " lacks functions of cuBLASLt";
      dlclose(library);
      return false;
    }
    found_.path = file;
    const size_t version = found_.functions->get_version();
    found_.version = std::to_string(version / 10000) + "." + std::to_string(version / 100 % 100) + "." +
                     std::to_string(version % 100);
    return true;
  }

  std::string why_not() const {
    return failures_.empty() ? "no " + file_name(std::min(newest_major_, kMajors[0])) + " was found"
                             : failures_;
  }

  const int newest_major_;
  CublasLtLibrary found_;
  std::string failures_;  // files that are there but cannot be used
};

}  // namespace

std::string CublasLtLibrary::describe() const {
  return functions ? "cuBLASLt " + version + " (" + path + ")" : "no cuBLASLt: " + reason;
}

const CublasLtLibrary& cublaslt_library() {
  static const CublasLtLibrary once = Search(cuda_module().driver_version / 1000).run();
  return once;
}

}  // namespace msn
