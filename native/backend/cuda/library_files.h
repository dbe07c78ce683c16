// Where this addon lies, and what the environment names: for libraries that are found at run time.
#pragma once
#include <filesystem>
#include <string>

namespace msn {

// The folder of the file that this code is in, symbolic links followed: package managers link packages.
std::filesystem::path addon_folder();
// The variable's value; empty when it is not set.
std::string environment(const char* name);

}  // namespace msn
