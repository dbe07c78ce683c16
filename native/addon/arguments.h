// Reads JavaScript values. Whatever does not fit throws ERR_INVALID_ARGUMENT in the package's one form:
// "request.topK: expected an integer from 0 to 100, received "ten"".
#pragma once
#include <napi.h>

#include <cstdint>
#include <string>
#include <vector>

namespace msn::addon {

// Integers that a JavaScript number holds exactly.
inline constexpr int64_t kMaxSafeInteger = (int64_t{1} << 53) - 1;

[[noreturn]] void refuse(const std::string& name, const std::string& expected, const Napi::Value& received);

int64_t read_integer(const Napi::Value& value, const std::string& name, int64_t min, int64_t max);
double read_number(const Napi::Value& value, const std::string& name);  // finite
bool read_boolean(const Napi::Value& value, const std::string& name);
std::string read_string(const Napi::Value& value, const std::string& name);
Napi::Array read_array(const Napi::Value& value, const std::string& name);
Napi::Function read_function(const Napi::Value& value, const std::string& name);
std::vector<int32_t> read_int32_array(const Napi::Value& value, const std::string& name);  // a copy
std::vector<uint8_t> read_uint8_array(const Napi::Value& value, const std::string& name);  // a copy

// The fields of an options object called `name`.
class Fields {
 public:
  Fields(const Napi::Value& value, std::string name);
  std::string path(const char* field) const { return name_ + "." + field; }
  Napi::Value value(const char* field) const { return object_.Get(field); }
  int64_t integer(const char* field, int64_t min, int64_t max = kMaxSafeInteger) const {
    return read_integer(value(field), path(field), min, max);
  }
  int32_t int32(const char* field, int32_t min) const {
    return static_cast<int32_t>(integer(field, min, INT32_MAX));
  }
  uint64_t seed(const char* field) const { return static_cast<uint64_t>(integer(field, 0)); }
  double number(const char* field) const { return read_number(value(field), path(field)); }
  bool boolean(const char* field) const { return read_boolean(value(field), path(field)); }
  std::string string(const char* field) const { return read_string(value(field), path(field)); }
  std::vector<int32_t> int32_array(const char* field) const {
    return read_int32_array(value(field), path(field));
  }
  Napi::Array array(const char* field) const { return read_array(value(field), path(field)); }

 private:
  Napi::Object object_;
  std::string name_;
};

}  // namespace msn::addon
