#include "kernels/tree_attention.h"

#include <algorithm>
#include <limits>

#include "harness.h"
#include "kernels/position_spans.h"
#include "ops/tree_attention.h"

namespace msn::kernels::testing {
namespace {

static_assert(kDeepestTreeNode == kDeepestNode);

struct Heads {
  int64_t heads, kv_heads, head_dim;
};

// The nodes of one call and the cache that they see.
struct Nodes {
  Heads heads;
  int64_t prefix;
  int64_t capacity;
  std::vector<int32_t> parents;
  bool chain;
  int64_t window;
  std::vector<Bf16> query;   // [nodes, heads, head_dim]
  std::vector<Bf16> keys;    // [kv_heads, capacity, head_dim], NaN behind the nodes
  std::vector<Bf16> values;  // the same

  int64_t count() const { return static_cast<int64_t>(parents.size()); }
  int64_t cached() const { return prefix + count(); }
  int64_t width() const { return heads.heads * heads.head_dim; }
  int64_t depth(int64_t node) const {
    int64_t depth = 0;
    for (int32_t ancestor = parents[node]; ancestor >= 0; ancestor = parents[ancestor]) ++depth;
    return depth;
  }
  std::string name() const {
    return std::to_string(count()) + (chain ? " nodes in a chain" : " nodes in a tree") + ", prefix " +
           std::to_string(prefix) + ", window " + std::to_string(window) + ", heads " +
           std::to_string(heads.heads) + "/" + std::to_string(heads.kv_heads) + " of " +
           std::to_string(heads.head_dim) + ", capacity " + std::to_string(capacity);
  }
};

std::vector<int32_t> chain_of(int64_t nodes) {
  std::vector<int32_t> parents(static_cast<size_t>(nodes));
  for (int64_t node = 0; node < nodes; ++node) parents[node] = static_cast<int32_t>(node) - 1;
  return parents;
}

// A random tree no deeper than `deepest`; some nodes beside the first may follow the prefix directly.
std::vector<int32_t> random_tree(Random& random, int64_t nodes, int64_t deepest) {
  std::vector<int32_t> parents, depths;
  for (int64_t node = 0; node < nodes; ++node) {
    int32_t parent = -1;
    if (node > 0) parent = static_cast<int32_t>(random.integer(std::max<int64_t>(-1, node - 6), node - 1));
    if (parent >= 0 && depths[parent] == deepest) parent = static_cast<int32_t>(random.integer(-1, 0));
    parents.push_back(parent);
    depths.push_back(parent < 0 ? 0 : depths[parent] + 1);
  }
  return parents;
}

// Every number random, rows that nobody may read NaN.
Nodes random_nodes(Random& random, const Heads& heads, int64_t prefix, std::vector<int32_t> parents,
                   bool chain, int64_t window, int64_t spare_rows) {
  Nodes nodes{heads, prefix, 0, std::move(parents), chain, window, {}, {}, {}};
  nodes.capacity = nodes.cached() + spare_rows;
  nodes.query = random.normal_bf16(nodes.count() * nodes.width(), 2);
  nodes.keys = random.normal_bf16(heads.kv_heads * nodes.capacity * heads.head_dim);
  nodes.values = random.normal_bf16(heads.kv_heads * nodes.capacity * heads.head_dim);
  for (int64_t head = 0; head < heads.kv_heads; ++head)
    for (std::vector<Bf16>* cache : {&nodes.keys, &nodes.values})
      std::fill(cache->begin() + (head * nodes.capacity + nodes.cached()) * heads.head_dim,
                cache->begin() + (head + 1) * nodes.capacity * heads.head_dim, Bf16{0x7FC0});
  return nodes;
}

constexpr int64_t kPoisonedBytes = 1 << 20;

// The outputs [nodes, heads * head_dim]. scratch_bytes: of what there is, 0: all. Scratch memory holds NaN.
std::vector<Bf16> on_device(Check& check, const Nodes& nodes, int64_t scratch_bytes = 0) {
  const DeviceArray<Bf16> query(check, nodes.query);
  const DeviceArray<Bf16> keys(check, nodes.keys);
  const DeviceArray<Bf16> values(check, nodes.values);
  const DeviceArray<int32_t> prefix(check, std::vector<int32_t>{static_cast<int32_t>(nodes.prefix)});
  const DeviceArray<int32_t> parents(check, nodes.parents);
  const DeviceArray<Bf16> output(check, nodes.count() * nodes.width());
  Launch where = check.where();
  if (scratch_bytes > 0) where.scratch_bytes = scratch_bytes;
  check.ok(check.device().fill(where.scratch, 0xFF, kPoisonedBytes, where.stream), "fill");
  check.finish(tree_attention(TreeAttention{.query = query.data(),
                                            .keys = keys.data(),
                                            .values = values.data(),
                                            .prefix_length = prefix.data(),
                                            .parents = parents.data(),
                                            .output = output.data(),
                                            .nodes = nodes.count(),
                                            .heads = nodes.heads.heads,
                                            .kv_heads = nodes.heads.kv_heads,
                                            .head_dim = nodes.heads.head_dim,
                                            .capacity = nodes.capacity,
                                            .window = nodes.window,
                                            .chain = nodes.chain},
                              where));
  return output.read();
}

std::vector<float> on_cpu(Check& check, const Nodes& nodes) {
  const auto& [heads, kv_heads, head_dim] = nodes.heads;
  std::vector<float> query = to_floats(nodes.query), keys = to_floats(nodes.keys);
  std::vector<float> values = to_floats(nodes.values), output(query.size());
  std::vector<int32_t> prefix = {static_cast<int32_t>(nodes.prefix)}, parents = nodes.parents;
  check.cpu().run(msn::TreeAttention{.query = tensor(query, {nodes.count(), heads, head_dim}),
                                     .keys = tensor(keys, {kv_heads, nodes.capacity, head_dim}),
                                     .values = tensor(values, {kv_heads, nodes.capacity, head_dim}),
                                     .prefix_length = tensor(prefix, {1}),
                                     .parents = tensor(parents, {nodes.count()}),
                                     .chain = nodes.chain,
                                     .window = nodes.window,
                                     .output = tensor(output, {nodes.count(), heads * head_dim})});
  return output;
}

void compare_with_cpu(Check& check, const Nodes& nodes) {
  check.close(to_floats(on_device(check, nodes)), on_cpu(check, nodes), kBf16Tolerance, nodes.name());
}

const Test trees("tree_attention", [](Check& check) {
  Random& random = check.random();
  const auto tree = [&](const Heads& heads, int64_t prefix, int64_t nodes, int64_t deepest, int64_t window) {
    compare_with_cpu(check, random_nodes(random, heads, prefix, random_tree(random, nodes, deepest), false,
                                         window, random.integer(0, 40)));
  };
  tree({2, 1, 8}, 0, 1, 5, 0);
  tree({4, 2, 16}, 131, 9, 5, 0);
  tree({3, 3, 14}, 70, 5, 5, 33);
  if (check.tiny()) return;
  for (const int64_t head_dim : {8, 12, 14, 20, 24, 32, 48, 64, 80, 96, 112, 128, 256}) {
    tree({4, 2, head_dim}, random.integer(150, 420), random.integer(1, 8), 5, 0);
    tree({4, 2, head_dim}, random.integer(150, 420), random.integer(9, 24), 5, 0);
  }
  for (const int64_t group : {1, 2, 3, 4, 5, 6, 7, 8, 19})
    tree({group * 2, 2, 16}, random.integer(60, 700), random.integer(1, 70), 6, 0);
  for (const int64_t prefix : {0, 1, 31, 32, 63, 64, 65, 95, 96, 97, 127, 128, 129, 2999})
    tree({4, 2, 16}, prefix, random.integer(1, 70), 32, 0);
  for (const int64_t window : {1, 7, 33, 64, 96, 200, 1000})
    tree({4, 2, 16}, random.integer(30, 1500), random.integer(1, 40), 8, window);
  tree({1, 1, 8}, 131'000, 9, 5, 0);
});

const Test chains("tree_attention of a chain", [](Check& check) {
  Random& random = check.random();
  const auto chain = [&](const Heads& heads, int64_t prefix, int64_t nodes, int64_t window) {
    compare_with_cpu(
        check, random_nodes(random, heads, prefix, chain_of(nodes), true, window, random.integer(0, 40)));
  };
  chain({2, 1, 16}, 60, 10, 0);
  if (check.tiny()) return;
  for (const int64_t nodes : {1, 2, 63, 64, 65, 129, 200}) {
    chain({4, 2, 16}, 0, nodes, 0);
    chain({6, 2, 24}, random.integer(1, 300), nodes, 0);
    chain({2, 2, 12}, random.integer(1, 300), nodes, random.integer(1, 150));
  }
});

// One text: the numbers of every position. A node on the text's path must give what its position gives alone.
struct Text {
  Heads heads;
  int64_t length;
  std::vector<Bf16> query;         // [length, heads, head_dim]
  std::vector<Bf16> keys, values;  // [length, kv_heads, head_dim]

  Text(Random& random, const Heads& shape, int64_t positions)
      : heads(shape),
        length(positions),
        query(random.normal_bf16(positions * shape.heads * shape.head_dim, 2)),
        keys(random.normal_bf16(positions * shape.kv_heads * shape.head_dim)),
        values(random.normal_bf16(positions * shape.kv_heads * shape.head_dim)) {}

  void put(Nodes& nodes, int64_t position, int64_t row) const {
    const int64_t dim = heads.head_dim;
    for (int64_t head = 0; head < heads.kv_heads; ++head) {
      const int64_t from = (position * heads.kv_heads + head) * dim;
      const int64_t to = (head * nodes.capacity + row) * dim;
      std::copy_n(keys.begin() + from, dim, nodes.keys.begin() + to);
      std::copy_n(values.begin() + from, dim, nodes.values.begin() + to);
    }
    if (row < nodes.prefix) return;
    const int64_t width = nodes.width();
    std::copy_n(query.begin() + position * width, width, nodes.query.begin() + (row - nodes.prefix) * width);
  }
  // Nodes behind a prefix of the text; on_path: those that spell the text on, one behind another.
  Nodes nodes(Random& random, int64_t prefix, std::vector<int32_t> parents, const std::vector<int>& on_path,
              bool chain, int64_t window, int64_t spare_rows) const {
    Nodes nodes = random_nodes(random, heads, prefix, std::move(parents), chain, window, spare_rows);
    for (int64_t position = 0; position < prefix; ++position) put(nodes, position, position);
    for (size_t i = 0; i < on_path.size(); ++i)
      put(nodes, prefix + static_cast<int64_t>(i), prefix + on_path[i]);
    return nodes;
  }
};

std::vector<int> all_of(int64_t nodes) {
  std::vector<int> path(static_cast<size_t>(nodes));
  for (size_t i = 0; i < path.size(); ++i) path[i] = static_cast<int>(i);
  return path;
}

struct Exactness {
  Check& check;
  const Text& text;
  int64_t window;

  std::vector<Bf16> alone(int64_t position) const {
    return on_device(
        check, text.nodes(check.random(), position, {-1}, {0}, false, window, check.random().integer(0, 3)));
  }
  void expect(const std::vector<Bf16>& output, int64_t node, const std::vector<Bf16>& alone,
              const std::string& where) const {
    const int64_t width = text.heads.heads * text.heads.head_dim;
    check.same(rows_of(output, node, 1, width), alone, where + ", node " + std::to_string(node));
  }
  // The last of `before` + 1 nodes in a chain, with others behind.
  void chain(int64_t position, int64_t before, int64_t behind, bool declared, int64_t spare_rows,
             const std::vector<Bf16>& alone) const {
    const int64_t count = before + 1;
    const Nodes nodes = text.nodes(check.random(), position - before, chain_of(count + behind), all_of(count),
                                   declared, window, spare_rows);
    expect(on_device(check, nodes), before, alone, nodes.name());
  }
  // A node `depth` deep in a tree of `count` random ones, its ancestors strewn among them.
  void tree(int64_t position, int64_t depth, int64_t count, const std::vector<Bf16>& alone,
            int64_t scratch_bytes = 0) const {
    Random& random = check.random();
    std::vector<int32_t> parents;
    std::vector<int> path, depths;
    while (static_cast<int64_t>(parents.size()) < count || static_cast<int64_t>(path.size()) <= depth) {
      const int node = static_cast<int>(parents.size());
      int32_t parent = -1;
      if (static_cast<int64_t>(path.size()) <= depth && random.integer(0, 1) == 0) {
        if (!path.empty()) parent = path.back();
        path.push_back(node);
      } else if (node > 0) {
        parent = static_cast<int32_t>(random.integer(-1, node - 1));
        if (parent >= 0 && depths[parent] == kDeepestTreeNode) parent = -1;
      }
      parents.push_back(parent);
      depths.push_back(parent < 0 ? 0 : depths[parent] + 1);
    }
    const Nodes nodes =
        text.nodes(random, position - depth, parents, path, false, window, random.integer(0, 90));
    expect(on_device(check, nodes, scratch_bytes), path.back(), alone, nodes.name());
  }
  // Every position computed in prefill chunks.
  void prefill(int64_t chunk, const std::vector<std::pair<int64_t, std::vector<Bf16>>>& alone,
               int64_t scratch_bytes = 0) const {
    const int64_t width = text.heads.heads * text.heads.head_dim;
    for (int64_t first = 0; first < text.length; first += chunk) {
      const int64_t count = std::min(chunk, text.length - first);
      const Nodes nodes = text.nodes(check.random(), first, chain_of(count), all_of(count), true, window, 0);
      const std::vector<Bf16> output = on_device(check, nodes, scratch_bytes);
      for (const auto& [position, expected] : alone)
        if (position >= first && position < first + count)
          check.same(rows_of(output, position - first, 1, width), expected,
                     nodes.name() + ", node " + std::to_string(position - first));
    }
  }
};

// The bits of a node are those of its position alone, whatever is computed beside it.
void check_exactness(Check& check, const Heads& heads, int64_t window,
                     const std::vector<int64_t>& positions) {
  Random& random = check.random();
  const Text text(random, heads, 330);
  const Exactness exactness{check, text, window};
  std::vector<std::pair<int64_t, std::vector<Bf16>>> alone;
  for (const int64_t position : positions) {
    alone.emplace_back(position, exactness.alone(position));
    const std::vector<Bf16>& expected = alone.back().second;
    const int64_t before = std::min<int64_t>(position, random.integer(1, kDeepestTreeNode));
    exactness.chain(position, before, random.integer(0, 3), true, random.integer(0, 300), expected);
    exactness.tree(position, before, random.integer(1, 70), expected);
    if (check.tiny()) return;
    exactness.chain(position, before, kDeepestTreeNode - before, false, 0, expected);
    exactness.tree(position, std::min<int64_t>(position, 3), random.integer(5, 12), expected);
    exactness.tree(position, std::min<int64_t>(position, kDeepestTreeNode), 70, expected, 1 << 17);
  }
  exactness.prefill(330, alone);
  exactness.prefill(330, alone, 1 << 16);  // in launches of some tiles, or of some heads
  exactness.prefill(330, alone, 1 << 14);
  exactness.prefill(61, alone);
}

const Test exact("tree_attention exactness", [](Check& check) {
  check_exactness(check, {4, 2, 16}, 0, {97,  0,   1,   31,  32,  63,  64,  65,  95,  96,  127,
                                         128, 129, 159, 160, 161, 255, 256, 287, 288, 289, 329});
  if (check.tiny()) return;
  check_exactness(check, {3, 1, 12}, 0, {2, 96, 161, 290});
  check_exactness(check, {2, 2, 8}, 50, {50, 95, 96, 131, 288});
  check_exactness(check, {4, 2, 16}, 150, {20, 149, 150, 223, 259, 329});
});

// Head sizes at which warps share rows and columns in other ways.
const Test exact_sizes("tree_attention exactness of head sizes", [](Check& check) {
  if (check.tiny()) return;
  for (const int64_t head_dim : {32, 64, 80, 96, 112, 128, 256}) {
    const Text text(check.random(), {2, 1, head_dim}, 240);
    const Exactness exactness{check, text, 0};
    for (const int64_t position : {162, 239}) {
      const std::vector<Bf16> alone = exactness.alone(position);
      exactness.chain(position, 40, 2, true, 0, alone);
      exactness.tree(position, 5, 12, alone);
    }
  }
});

// Where spans of another length begin.
const Test exact_far("tree_attention exactness far behind", [](Check& check) {
  if (check.tiny()) return;
  const Heads heads = {2, 1, 8};
  const Text text(check.random(), heads, 16700);
  for (const int64_t position : {4095, 4096, 4128, 4160, 4161, 5153, 16384, 16448, 16699}) {
    const Exactness exactness{check, text, position % 2 == 0 ? 0 : 4500};
    const std::vector<Bf16> alone = exactness.alone(position);
    exactness.chain(position, 40, 2, true, 900, alone);
    exactness.tree(position, check.random().integer(0, kDeepestTreeNode), 40, alone);
  }
});

}  // namespace
}  // namespace msn::kernels::testing
