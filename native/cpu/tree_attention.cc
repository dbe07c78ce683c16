// output[n] = sum over visible t of softmax_t(query[n] . key[t] / sqrt(head_dim)) value[t], where node n at
// position p sees positions p - window + 1 .. p: the prefix, then its ancestors, then itself. Positions, not
// cache rows, decide the order of every sum, so a node has the same bits alone, in a chain and in a tree.
#include "ops/tree_attention.h"

#include "cpu/attention_tiles.h"
#include "cpu/kernels.h"

namespace msn::cpu::MSN_ISA {
namespace {

constexpr int64_t kBlock =
    64;  // positions whose keys or values stay in the first cache while nodes take turns
constexpr int64_t kNodes = 4;  // nodes of a task, which take turns

int64_t least(int64_t a, int64_t b) { return a < b ? a : b; }
int64_t most(int64_t a, int64_t b) { return a > b ? a : b; }

// The tree, as every task needs it.
struct Tree {
  const int32_t* parents;  // [nodes]
  int32_t* depths;         // [nodes]: 0 directly behind the prefix
  int32_t* run_starts;     // [nodes]: first node of the unbroken chain i, i + 1, ... that ends in this node
  int64_t prefix;
  int64_t window;

  void build(int64_t nodes) const {
    for (int64_t node = 0; node < nodes; ++node) {
      const int32_t parent = parents[node];
      depths[node] = parent < 0 ? 0 : depths[parent] + 1;
      run_starts[node] = node > 0 && parent == node - 1 ? run_starts[parent] : static_cast<int32_t>(node);
    }
  }
  int64_t position(int64_t node) const { return prefix + depths[node]; }
  int64_t first_visible(int64_t node) const { return window > 0 ? most(0, position(node) - window + 1) : 0; }
  // rows[t - base] = cache row of position t on the path of `node`, for t = base .. end - 1; behind the node
  // its own row, so that whole vectors of keys can be read.
  void path_rows(int64_t node, int64_t base, int64_t end, int32_t* rows) const {
    int64_t t = position(node);
    for (int64_t behind = t + 1; behind < end; ++behind)
      rows[behind - base] = static_cast<int32_t>(prefix + node);
    for (int64_t last = node; last >= 0; last = parents[run_starts[last]])
      for (int64_t ancestor = last; ancestor >= run_starts[last]; --ancestor, --t) {
        if (t < base) return;
        rows[t - base] = static_cast<int32_t>(prefix + ancestor);
      }
    for (t = base; t < prefix; ++t) rows[t - base] = static_cast<int32_t>(t);
  }
};

// Some heads that share one key head, for up to kNodes nodes.
struct Task {
  const TreeAttention& args;
  const Tree& tree;
  int64_t first_node, nodes;
  int64_t first_head, heads;
  int64_t base = 0;    // first position held in scratch, a multiple of kBlock
  int64_t length = 0;  // positions held, a multiple of kBlock
  int32_t* rows;       // [nodes, length]
  float* scores;       // [nodes, heads, length]

  int64_t all_heads() const { return args.query.shape[1]; }
  int64_t head_dim() const { return args.query.shape[2]; }
  int32_t* node_rows(int64_t n) const { return rows + n * length; }
  float* node_scores(int64_t n) const { return scores + n * heads * length; }
  const float* cache(const Tensor& tensor) const {
    const int64_t key_head = first_head / (all_heads() / args.keys.shape[0]);
    return tensor.f32() + key_head * args.keys.shape[1] * head_dim();
  }
  int64_t offset(int64_t n) const { return ((first_node + n) * all_heads() + first_head) * head_dim(); }
  float* output(int64_t n) const { return args.output.mutable_f32() + offset(n); }

  // Scores of the positions of one block, -infinity where the node does not see.
  void score(int64_t n, int64_t block, float scale) const {
    const int64_t first = tree.first_visible(first_node + n);
    const int64_t end = tree.position(first_node + n) + 1;
    if (block + kBlock <= first || block >= end) return;
    const float* keys = cache(args.keys);
    for (int64_t t = block; t < least(block + kBlock, end); t += Vector::kWidth) {
      const int32_t* key_rows = node_rows(n) + (t - base);
      if (n == 0 && t + 2 * Vector::kWidth <= base + length)
        prefetch_rows(keys, key_rows + Vector::kWidth, head_dim());
      score_keys(args.query.f32() + offset(n), heads, keys, key_rows, head_dim(), scale,
                 node_scores(n) + (t - base), length);
    }
    for (int64_t head = 0; head < heads; ++head) {
      float* row = node_scores(n) + head * length - base;
      for (int64_t t = block; t < first; ++t) row[t] = -__builtin_inff();
      for (int64_t t = end; t < block + kBlock; ++t) row[t] = -__builtin_inff();
    }
  }

  void add(int64_t n, int64_t block) const {
    const int64_t begin = most(block, tree.first_visible(first_node + n));
    const int64_t end = least(block + kBlock, tree.position(first_node + n) + 1);
    if (begin >= end) return;
    add_weighted_values(node_scores(n) + (begin - base), length, cache(args.values),
                        node_rows(n) + (begin - base), end - begin, head_dim(), heads, output(n));
  }

  void run() {
    int64_t end = 0;
    base = tree.first_visible(first_node);
    for (int64_t n = 0; n < nodes; ++n) {
      base = least(base, tree.first_visible(first_node + n));
      end = most(end, tree.position(first_node + n) + 1);
    }
    base = base / kBlock * kBlock;
    end = (end + kBlock - 1) / kBlock * kBlock;
    length = end - base;

    const float scale = 1.0f / __builtin_sqrtf(static_cast<float>(head_dim()));
    for (int64_t n = 0; n < nodes; ++n) tree.path_rows(first_node + n, base, end, node_rows(n));
    for (int64_t block = base; block < end; block += kBlock)
      for (int64_t n = 0; n < nodes; ++n) score(n, block, scale);
    float sums[kNodes][kMostHeads];
    for (int64_t n = 0; n < nodes; ++n) {
      const int64_t first = tree.first_visible(first_node + n) / Vector::kWidth * Vector::kWidth;
      const int64_t count =
          (tree.position(first_node + n) - first) / Vector::kWidth * Vector::kWidth + Vector::kWidth;
      for (int64_t head = 0; head < heads; ++head)
        sums[n][head] = exponentials(node_scores(n) + head * length + (first - base), count);
      std::memset(output(n), 0, static_cast<size_t>(heads * head_dim()) * sizeof(float));
    }
    for (int64_t block = base; block < end; block += kBlock)
      for (int64_t n = 0; n < nodes; ++n) add(n, block);
    for (int64_t n = 0; n < nodes; ++n)
      for (int64_t head = 0; head < heads; ++head)
        scale_row(output(n) + head * head_dim(), 1.0f / sums[n][head]);
  }

  void scale_row(float* row, float factor) const {
    for (int64_t d = 0; d < head_dim(); ++d) row[d] *= factor;
  }

  static constexpr int64_t kMostHeads = 16;
};

}  // namespace

void run(Context& context, const TreeAttention& args) {
  const int64_t nodes = args.query.shape[0];
  const int64_t heads = args.query.shape[1];
  const int64_t kv_heads = args.keys.shape[0];
  const int64_t group = heads / kv_heads;
  const int64_t prefix = args.prefix_length.i32()[0];
  const int64_t seen = args.window > 0 ? least(prefix + nodes, args.window) : prefix + nodes;
  const int64_t node_blocks = (nodes + kNodes - 1) / kNodes;

  // Where there are fewer tasks than threads, the heads of a group are dealt one by one, at the price of
  // reading their keys several times.
  const bool few = kv_heads * node_blocks < context.pool.threads();
  const int64_t task_heads = few ? 1 : least(group, Task::kMostHeads);
  const int64_t parts = (group + task_heads - 1) / task_heads;

  // Positions in scratch: what the window or the prefix shows, the deepest path, and rounding at both ends.
  const int64_t length = (args.window > 0 ? least(prefix, args.window) : prefix) + nodes + 2 * kBlock;
  const int64_t tree_bytes = (2 * nodes * static_cast<int64_t>(sizeof(int32_t)) + 63) / 64 * 64;
  const int64_t rows_bytes = kNodes * length * static_cast<int64_t>(sizeof(int32_t));
  const int64_t scores_bytes = kNodes * task_heads * length * static_cast<int64_t>(sizeof(float));
  std::byte* scratch = context.scratch(tree_bytes + rows_bytes + scores_bytes);

  auto* depths = reinterpret_cast<int32_t*>(scratch);
  const Tree tree{args.parents.i32(), depths, depths + nodes, prefix, args.window};
  tree.build(nodes);
  const int64_t work = 2 * nodes * heads * seen * args.query.shape[2];
  context.parallel_for(kv_heads * parts * node_blocks, work, [&](int64_t index, int thread) {
    const int64_t node = index % node_blocks * kNodes;
    const int64_t part = index / node_blocks % parts;
    const int64_t key_head = index / node_blocks / parts;
    std::byte* own = scratch + thread * context.scratch_stride() + tree_bytes;
    Task task{.args = args,
              .tree = tree,
              .first_node = node,
              .nodes = least(kNodes, nodes - node),
              .first_head = key_head * group + part * task_heads,
              .heads = least(task_heads, group - part * task_heads),
              .rows = reinterpret_cast<int32_t*>(own),
              .scores = reinterpret_cast<float*>(own + rows_bytes)};
    task.run();
  });
}

}  // namespace msn::cpu::MSN_ISA
