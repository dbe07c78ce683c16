// What the checks say: each passed or failed, with where it failed, so that a fault can be found without the device.
#pragma once
#include <cstdio>
#include <functional>
#include <string>
#include <vector>

#include "backend/backend.h"

namespace msn::gpu {

class Report {
 public:
  // `results`: the file of results; empty: none.
  Report(const Backend& backend, std::string results) : backend_(backend), results_(std::move(results)) {}
  void add(const std::string& check, bool passed, double value, const std::string& detail);
  // Checks that belong together; an error ends them, and fails what would have come next.
  void part(const std::string& name, const std::function<void()>& checks);
  int failed() const { return failed_; }

 private:
  const Backend& backend_;
  const std::string results_;
  std::string last_ = "nothing";
  int failed_ = 0;
};

inline std::string formatted(const char* format, auto... values) {
  char text[512];
  std::snprintf(text, sizeof text, format, values...);
  return text;
}

// Norm of the difference, relative to the norm of what is expected.
double relative_error(const std::vector<float>& actual, const std::vector<float>& expected);

// The element that differs most, as row and column of rows of `width`, and how many are not finite.
std::string worst_element(const std::vector<float>& actual, const std::vector<float>& expected, size_t width);

}  // namespace msn::gpu
