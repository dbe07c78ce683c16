// Lines of two kinds:
//   shape FIELD VALUE
//   tensor NAME DTYPE FILE BEGIN END SIZE...
#include "model_table.h"

#include <fstream>
#include <map>
#include <sstream>

namespace msn::gpu {
namespace {

bool set_field(ModelShape& shape, const std::string& field, double value) {
  const std::map<std::string, int64_t*> integers = {
      {"vocabulary_size", &shape.vocabulary_size},
      {"hidden_size", &shape.hidden_size},
      {"intermediate_size", &shape.intermediate_size},
      {"layers", &shape.layers},
      {"heads", &shape.heads},
      {"kv_heads", &shape.kv_heads},
      {"head_dim", &shape.head_dim},
      {"context_length", &shape.context_length},
  };
  const auto found = integers.find(field);
  if (found != integers.end())
    *found->second = static_cast<int64_t>(value);
  else if (field == "norm_epsilon")
    shape.norm_epsilon = static_cast<float>(value);
  else if (field == "rope_theta")
    shape.rope.theta = value;
  else if (field == "tied_head")
    shape.tied_head = value != 0;
  else
    return false;
  return true;
}

bool read_tensor(std::istream& line, TensorEntry& entry) {
  const std::map<std::string, Dtype> dtypes = {
      {"F32", Dtype::kF32}, {"BF16", Dtype::kBf16}, {"F16", Dtype::kF16}};
  std::string dtype;
  if (!(line >> entry.name >> dtype >> entry.file >> entry.begin >> entry.end)) return false;
  for (int64_t size; line >> size;) entry.shape.push_back(size);
  const auto found = dtypes.find(dtype);
  if (found == dtypes.end()) return false;
  entry.dtype = found->second;
  return true;
}

}  // namespace

ModelTable read_model_table(const std::string& path) {
  std::ifstream file(path);
  if (!file) throw Error(ErrorCode::kModelFormat, "cannot be read", path);
  ModelTable table;
  for (std::string text; std::getline(file, text);) {
    std::istringstream line(text);
    std::string kind, field;
    double value = 0;
    TensorEntry entry;
    line >> kind;
    if (kind == "shape" && line >> field >> value && set_field(table.shape, field, value)) continue;
    if (kind != "tensor" || !read_tensor(line, entry))
      throw Error(ErrorCode::kModelFormat, "expected a shape or a tensor, received: " + text, path);
    table.tensors.push_back(std::move(entry));
  }
  check_shape(table.shape);
  return table;
}

}  // namespace msn::gpu
