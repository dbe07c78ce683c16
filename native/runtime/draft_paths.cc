// The draft trees that have a name: the paper's, its first nodes, and the chain of plain Jacobi decoding.
#include <algorithm>
#include <string_view>

#include "runtime/draft_tree.h"

namespace msn {
namespace {

// mc_sim_7b_63 of Medusa (arXiv 2401.10774): columns along each path, in the order of their worth.
constexpr std::string_view kMedusaPaths[] = {
    "0",   "00",  "1",   "01",  "2",   "000", "10",  "02",  "3",    "03",  "4",    "04",  "20",
    "05",  "001", "5",   "06",  "6",   "07",  "010", "11",  "7",    "08",  "002",  "30",  "09",
    "8",   "9",   "100", "020", "12",  "003", "40",  "21",  "004",  "005", "0000", "011", "006",
    "030", "50",  "13",  "007", "008", "009", "60",  "040", "14",   "70",  "012",  "200", "31",
    "22",  "80",  "050", "15",  "101", "021", "90",  "060", "0001", "16",  "070"};

}  // namespace

std::vector<DraftPath> paper_paths(int32_t depth, int32_t width) {
  std::vector<DraftPath> paths;
  for (int32_t length = 1; length <= depth; ++length) paths.emplace_back(length, width);
  for (const std::string_view text : kMedusaPaths) {
    DraftPath path;
    for (const char digit : text) path.push_back(digit - '0');
    const bool in_table =
        static_cast<int32_t>(path.size()) <= depth &&
        std::all_of(path.begin(), path.end(), [=](int32_t column) { return column < width; });
    if (in_table) paths.push_back(std::move(path));
  }
  return paths;
}

std::vector<DraftPath> node_paths(int32_t nodes, int32_t depth, int32_t width) {
  std::vector<DraftPath> paths = paper_paths(depth, width);
  paths.resize(std::min<size_t>(std::max(nodes, 1) - 1, paths.size()));
  return paths;
}

std::vector<DraftPath> chain_paths(int32_t depth) {
  std::vector<DraftPath> paths;
  for (int32_t length = 1; length <= depth; ++length) paths.emplace_back(length, 0);
  return paths;
}

}  // namespace msn
