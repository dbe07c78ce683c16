// Shows the draft trees.
#include "runtime/draft_tree.h"
#include "testing/testing.h"

namespace msn::testing {
namespace {

Napi::Array numbers(Napi::Env env, std::span<const int32_t> values) {
  auto result = Napi::Array::New(env, values.size());
  for (size_t i = 0; i < values.size(); ++i) result.Set(static_cast<uint32_t>(i), values[i]);
  return result;
}

// { kind, nodes, depth, width } -> number[][]
const Register paths_function{"draftPaths", [](const Napi::CallbackInfo& info) -> Napi::Value {
                                const auto args = info[0].As<Napi::Object>();
                                const std::string kind = string(args, "kind");
                                const int32_t depth = static_cast<int32_t>(number(args, "depth", 5));
                                const int32_t width = static_cast<int32_t>(number(args, "width", 10));
                                const int32_t nodes = static_cast<int32_t>(number(args, "nodes"));
                                const std::vector<DraftPath> paths = kind == "chain" ? chain_paths(depth)
                                                                     : kind == "nodes"
                                                                         ? node_paths(nodes, depth, width)
                                                                         : paper_paths(depth, width);
                                auto result = Napi::Array::New(info.Env());
                                for (const DraftPath& path : paths)
                                  result.Set(result.Length(), numbers(info.Env(), path));
                                return result;
                              }};

// { paths, depth, width, pruned? } -> { parents, depths, columns, deepestBelow, height }
const Register tree_function{"draftTree", [](const Napi::CallbackInfo& info) -> Napi::Value {
                               const auto args = info[0].As<Napi::Object>();
                               const auto list = args.Get("paths").As<Napi::Array>();
                               std::vector<DraftPath> paths;
                               for (uint32_t i = 0; i < list.Length(); ++i) {
                                 const auto columns = list.Get(i).As<Napi::Array>();
                                 DraftPath& path = paths.emplace_back();
                                 for (uint32_t j = 0; j < columns.Length(); ++j)
                                   path.push_back(columns.Get(j).ToNumber().Int32Value());
                               }
                               DraftTree tree(paths, static_cast<int32_t>(number(args, "depth", 5)),
                                              static_cast<int32_t>(number(args, "width", 10)));
                               const int32_t pruned = static_cast<int32_t>(number(args, "pruned", -1));
                               if (pruned >= 0) tree = tree.pruned(pruned);
                               std::vector<int32_t> depths, columns, deepest;
                               for (int32_t node = 0; node < tree.nodes(); ++node) {
                                 depths.push_back(tree.depth(node));
                                 columns.push_back(tree.column(node));
                                 deepest.push_back(tree.deepest_below(node));
                               }
                               auto result = Napi::Object::New(info.Env());
                               result.Set("parents", numbers(info.Env(), tree.parents()));
                               result.Set("depths", numbers(info.Env(), depths));
                               result.Set("columns", numbers(info.Env(), columns));
                               result.Set("deepestBelow", numbers(info.Env(), deepest));
                               result.Set("height", tree.height());
                               return result;
                             }};

}  // namespace
}  // namespace msn::testing
