// Reads JavaScript values.
#include "addon/arguments.h"

#include <cmath>

#include "base/error.h"

namespace msn::addon {
namespace {

// For messages: short, and never running user code.
std::string describe(const Napi::Value& value) {
  if (value.IsEmpty() || value.IsUndefined()) return "undefined";
  if (value.IsNull()) return "null";
  if (value.IsNumber() || value.IsBoolean() || value.IsBigInt()) return value.ToString().Utf8Value();
  if (value.IsString()) {
    constexpr size_t kShown = 40;
    const std::string text = value.As<Napi::String>().Utf8Value();
    return text.size() <= kShown ? "\"" + text + "\""
                                 : "a string of " + std::to_string(text.size()) + " bytes";
  }
  if (value.IsTypedArray()) return "another kind of typed array";
  if (value.IsArray()) return "an array";
  if (value.IsFunction()) return "a function";
  if (value.IsSymbol()) return "a symbol";
  return "an object";
}

template <class Element>
std::vector<Element> read_typed_array(const Napi::Value& value, const std::string& name,
                                      napi_typedarray_type type, const char* expected) {
  if (!value.IsTypedArray() || value.As<Napi::TypedArray>().TypedArrayType() != type)
    refuse(name, expected, value);
  const auto array = value.As<Napi::TypedArrayOf<Element>>();
  if (array.ElementLength() == 0) return {};
  return {array.Data(), array.Data() + array.ElementLength()};
}

}  // namespace

void refuse(const std::string& name, const std::string& expected, const Napi::Value& received) {
  throw Error(ErrorCode::kInvalidArgument, "expected " + expected + ", received " + describe(received), name);
}

int64_t read_integer(const Napi::Value& value, const std::string& name, int64_t min, int64_t max) {
  const auto wrong = [&] {
    refuse(name, "an integer from " + std::to_string(min) + " to " + std::to_string(max), value);
  };
  if (!value.IsNumber()) wrong();
  const double number = value.As<Napi::Number>().DoubleValue();
  if (!(number >= static_cast<double>(min) && number <= static_cast<double>(max)) ||
      number != std::floor(number))
    wrong();
  return static_cast<int64_t>(number);
}

double read_number(const Napi::Value& value, const std::string& name) {
  if (!value.IsNumber()) refuse(name, "a finite number", value);
  const double number = value.As<Napi::Number>().DoubleValue();
  if (!std::isfinite(number)) refuse(name, "a finite number", value);
  return number;
}

bool read_boolean(const Napi::Value& value, const std::string& name) {
  if (!value.IsBoolean()) refuse(name, "true or false", value);
  return value.As<Napi::Boolean>().Value();
}

std::string read_string(const Napi::Value& value, const std::string& name) {
  if (!value.IsString()) refuse(name, "a string", value);
  return value.As<Napi::String>().Utf8Value();
}

Napi::Array read_array(const Napi::Value& value, const std::string& name) {
  if (!value.IsArray()) refuse(name, "an array", value);
  return value.As<Napi::Array>();
}

Napi::Function read_function(const Napi::Value& value, const std::string& name) {
  if (!value.IsFunction()) refuse(name, "a function", value);
  return value.As<Napi::Function>();
}

std::vector<int32_t> read_int32_array(const Napi::Value& value, const std::string& name) {
  return read_typed_array<int32_t>(value, name, napi_int32_array, "an Int32Array");
}

std::vector<uint8_t> read_uint8_array(const Napi::Value& value, const std::string& name) {
  return read_typed_array<uint8_t>(value, name, napi_uint8_array, "a Uint8Array");
}

Fields::Fields(const Napi::Value& value, std::string name) : name_(std::move(name)) {
  if (!value.IsObject()) refuse(name_, "an object", value);
  object_ = value.As<Napi::Object>();
}

}  // namespace msn::addon
