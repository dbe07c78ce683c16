// Gradients of vectors that every row adds to (norm weights): a block sums a group of rows into a partial of
// its own, and the partials are added up in one order.
#pragma once
#include <algorithm>

#include "kernels/launch.h"

namespace msn::kernels {

// What a launcher cuts its rows into. It depends on the shape alone.
struct RowGroups {
  int64_t rows;   // of a group
  int64_t count;  // groups

  // At most `most` groups, none of fewer than `least` rows.
  RowGroups(int64_t all_rows, int64_t most, int64_t least)
      : rows(std::max(least, (all_rows + most - 1) / most)), count((all_rows + rows - 1) / rows) {}
};

// total[j] += sum over groups, ascending within each of eight slices of them, of partials[group][j].
struct PartialSums {
  const float* partials;  // [groups, width]
  float* total;           // [width], added to
  int64_t groups;
  int64_t stride;  // of the partials' rows, at least width
  int64_t width;
};
Status add_partials(const PartialSums& args, const Launch& where);

}  // namespace msn::kernels
