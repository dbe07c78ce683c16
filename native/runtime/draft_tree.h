// The tree of guesses that one forward pass verifies: which columns of the draft table each node takes.
#pragma once
#include <cstdint>
#include <span>
#include <vector>

#include "base/decode_step.h"

namespace msn {

// Columns of the draft table from the row after the root downwards; the column number `width` is the
// retrieved one.
using DraftPath = std::vector<int32_t>;

// The trees of docs/method.md, without the root, in tree order. `width` is the number of model columns: paths
// over columns that a narrower table does not have are dropped, as are paths deeper than `depth`.
std::vector<DraftPath> paper_paths(int32_t depth, int32_t width);
// The first nodes - 1 of those.
std::vector<DraftPath> node_paths(int32_t nodes, int32_t depth, int32_t width);
// Plain Jacobi decoding: `depth` nodes in the first column, one below another.
std::vector<DraftPath> chain_paths(int32_t depth);

// Nodes are numbered in tree order, the root is 0.
class DraftTree {
 public:
  // Throws ERR_INVALID_ARGUMENT for sizes out of range, a column or depth outside the table, a path without
  // its parent before it, and a path given twice.
  DraftTree(std::span<const DraftPath> paths, int32_t depth, int32_t width);

  int32_t nodes() const { return static_cast<int32_t>(parents_.size()); }
  int32_t height() const { return height_; }  // depth of the deepest node
  const std::vector<int32_t>& parents() const { return parents_; }
  int32_t depth(int32_t node) const { return depths_[node]; }
  // The last column of the node's path; meaningless for the root.
  int32_t column(int32_t node) const { return columns_[node]; }
  // The deepest node at or below `node`, the first in tree order on a tie.
  int32_t deepest_below(int32_t node) const { return deepest_below_[node]; }
  // The ancestor of `node` at `depth`.
  int32_t ancestor(int32_t node, int32_t depth) const;
  // The tree without its nodes below `depth`.
  DraftTree pruned(int32_t depth) const;

 private:
  DraftTree() = default;
  void add(int32_t parent, int32_t column);
  void find_deepest();

  std::vector<int32_t> parents_;
  std::vector<int32_t> depths_;
  std::vector<int32_t> columns_;
  std::vector<int32_t> deepest_below_;
  int32_t height_ = 0;
};

}  // namespace msn
