// Where the time of a pass or a training step goes, kind of operation by kind of operation.
#pragma once
#include <cstdint>
#include <map>
#include <string>

#include "model/model.h"
#include "profiled_backend.h"
#include "program.h"

namespace msn::gpu {

// One forward pass of `nodes` nodes in a chain behind `context` positions. Each kind of operation is recorded and
// replayed alone, in the order of the pass and with its own weights of every layer, so that the time is what
// the device needs for it, caches as cold as in a pass. `model` lies on `backend`.
std::map<std::string, OperationSum> profile_pass(const Model& model, ProfiledBackend& backend,
                                                 int64_t context, int64_t nodes);

// A line for each kind on stdout, the longest first, and as records: `fields` are what they share.
void write_profile(const std::map<std::string, OperationSum>& sums, const std::string& what,
                   const Record& fields, const std::string& results);

}  // namespace msn::gpu
