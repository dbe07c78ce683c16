// Random trees for the tests of what runs over them.
#pragma once
#include <vector>

#include "harness.h"

namespace msn::kernels::testing {

// Node 0 is the root.
struct DraftTree {
  std::vector<int32_t> parents, depths, columns, deepest_below;  // [nodes]
  int64_t nodes() const { return static_cast<int64_t>(parents.size()); }
};

inline DraftTree random_tree(Random& random, int64_t nodes, int32_t deepest) {
  DraftTree tree;
  for (int32_t node = 0; node < nodes; ++node) {
    int32_t parent = -1;
    if (node > 0) do {
        // Often the node before it, so that there are long paths.
        parent = random.integer(0, 2) > 0 ? node - 1 : static_cast<int32_t>(random.integer(0, node - 1));
      } while (tree.depths[parent] == deepest);
    tree.parents.push_back(parent);
    tree.depths.push_back(parent < 0 ? 0 : tree.depths[parent] + 1);
    tree.columns.push_back(static_cast<int32_t>(random.integer(0, 10)));
    tree.deepest_below.push_back(node);
  }
  for (int32_t node = static_cast<int32_t>(nodes) - 1; node > 0; --node) {
    int32_t& best = tree.deepest_below[tree.parents[node]];
    const int32_t candidate = tree.deepest_below[node];
    if (tree.depths[candidate] > tree.depths[best] ||
        (tree.depths[candidate] == tree.depths[best] && candidate < best))
      best = candidate;
  }
  return tree;
}

}  // namespace msn::kernels::testing
