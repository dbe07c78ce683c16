// From paths of columns to numbered nodes with parents, depths and columns.
#include "runtime/draft_tree.h"

#include <algorithm>
#include <map>
#include <string>

#include "base/error.h"
#include "runtime/request_checks.h"

namespace msn {
namespace {

[[noreturn]] void refuse(const std::string& where, const std::string& message) {
  throw Error(ErrorCode::kInvalidArgument, message, where);
}

std::string path_text(std::span<const int32_t> path) {
  std::string text = "[";
  for (size_t i = 0; i < path.size(); ++i) text += (i == 0 ? "" : ", ") + std::to_string(path[i]);
  return text + "]";
}

}  // namespace

DraftTree::DraftTree(std::span<const DraftPath> paths, int32_t depth, int32_t width) {
  check_integer("decoding.depth", depth, 1, kDeepestDraft);
  check_integer("decoding.topK", width, 1, kWidestDraft);
  if (paths.size() >= kMostDraftNodes)
    refuse("decoding.tree.paths", "expected at most " + std::to_string(kMostDraftNodes - 1) +
                                      " paths, received " + std::to_string(paths.size()));
  std::map<DraftPath, int32_t> node_of_path{{{}, 0}};
  add(-1, -1);
  for (size_t i = 0; i < paths.size(); ++i) {
    const DraftPath& path = paths[i];
    const std::string where = "decoding.tree.paths[" + std::to_string(i) + "]";
    if (path.empty() || path.size() > static_cast<size_t>(depth))
      refuse(where, "expected 1 to " + std::to_string(depth) + " columns (decoding.depth), received " +
                        std::to_string(path.size()));
    if (path.back() < 0 || path.back() > width)
      refuse(where, "expected columns from 0 to " + std::to_string(width) + " (decoding.topK), received " +
                        path_text(path));
    const DraftPath parent(path.begin(), path.end() - 1);
    const auto found = node_of_path.find(parent);
    if (found == node_of_path.end())
      refuse(where, "expected the parent path " + path_text(parent) + " before " + path_text(path));
    if (!node_of_path.try_emplace(path, nodes()).second)
      refuse(where, "expected every path once, received " + path_text(path) + " again");
    add(found->second, path.back());
  }
  find_deepest();
}

int32_t DraftTree::ancestor(int32_t node, int32_t depth) const {
  while (depths_[node] > depth) node = parents_[node];
  return node;
}

DraftTree DraftTree::pruned(int32_t depth) const {
  DraftTree result;
  std::vector<int32_t> number(nodes(), -1);
  for (int32_t node = 0; node < nodes(); ++node) {
    if (depths_[node] > depth) continue;
    number[node] = result.nodes();
    result.add(node == 0 ? -1 : number[parents_[node]], columns_[node]);
  }
  result.find_deepest();
  return result;
}

void DraftTree::add(int32_t parent, int32_t column) {
  parents_.push_back(parent);
  columns_.push_back(column);
  depths_.push_back(parent < 0 ? 0 : depths_[parent] + 1);
  height_ = std::max(height_, depths_.back());
}

void DraftTree::find_deepest() {
  deepest_below_.resize(nodes());
  for (int32_t node = 0; node < nodes(); ++node) deepest_below_[node] = node;
  // Later nodes first: every child has handed its best on before its parent does, and among equals the one
  // that comes first in tree order has the last word.
  for (int32_t node = nodes() - 1; node > 0; --node) {
    int32_t& best = deepest_below_[parents_[node]];
    const int32_t candidate = deepest_below_[node];
    if (depths_[candidate] > depths_[best] || (depths_[candidate] == depths_[best] && candidate < best))
      best = candidate;
  }
}

}  // namespace msn
