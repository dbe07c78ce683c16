#include "check_report.h"

#include <cmath>

#include "program.h"

namespace msn::gpu {

void Report::add(const std::string& check, bool passed, double value, const std::string& detail) {
  std::printf("%s  %-44s %s\n", passed ? "passed" : "FAILED", check.c_str(), detail.c_str());
  std::fflush(stdout);
  failed_ += !passed;
  last_ = check;
  Record record("check");
  describe(record, backend_)
      .text("check", check)
      .boolean("passed", passed)
      .number("value", value)
      .text("detail", detail)
      .write(results_);
}

void Report::part(const std::string& name, const std::function<void()>& checks) {
  try {
    checks();
  } catch (const std::exception& error) {
    add(name, false, NAN, std::string("behind \"") + last_ + "\": " + error.what());
  }
}

double relative_error(const std::vector<float>& actual, const std::vector<float>& expected) {
  double difference = 0, norm = 0;
  for (size_t i = 0; i < expected.size(); ++i) {
    difference += std::pow(double{actual[i]} - expected[i], 2);
    norm += std::pow(double{expected[i]}, 2);
  }
  return std::sqrt(difference / norm);
}

std::string worst_element(const std::vector<float>& actual, const std::vector<float>& expected, size_t width) {
  size_t worst = 0;
  int64_t not_finite = 0;
  double largest = -1;
  for (size_t i = 0; i < expected.size(); ++i) {
    const double difference = std::abs(double{actual[i]} - expected[i]);
    not_finite += !std::isfinite(actual[i]);
    if (difference <= largest) continue;
    largest = std::isnan(difference) ? INFINITY : difference;
    worst = i;
  }
  return formatted("worst at [%zu, %zu]: expected %.9g, received %.9g; %lld not finite", worst / width,
                   worst % width, double{expected[worst]}, double{actual[worst]},
                   static_cast<long long>(not_finite));
}

}  // namespace msn::gpu
