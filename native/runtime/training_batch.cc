// Checks of a micro-batch.
#include "runtime/training_batch.h"

namespace msn {
namespace {

[[noreturn]] void refuse(const std::string& field, const std::string& message) {
  throw Error(ErrorCode::kInvalidArgument, message, field);
}

std::string item(const char* field, size_t index) {
  return std::string(field) + "[" + std::to_string(index) + "]";
}

void check_length(const char* field, size_t expected, size_t received) {
  if (expected != received)
    refuse(field, "expected " + std::to_string(expected) + " values, received " + std::to_string(received));
}

void check_offsets(const std::vector<int32_t>& offsets, size_t tokens, int64_t context_length) {
  if (offsets.size() < 2) refuse("documentOffsets", "expected at least one document");
  if (offsets.front() != 0)
    refuse("documentOffsets[0]", "expected 0, received " + std::to_string(offsets.front()));
  for (size_t i = 1; i < offsets.size(); ++i) {
    const int64_t length = int64_t{offsets[i]} - offsets[i - 1];
    if (length < 1)
      refuse(item("documentOffsets", i), "expected more than " + std::to_string(offsets[i - 1]) +
                                             ", received " + std::to_string(offsets[i]));
    if (length > context_length)
      refuse(item("documentOffsets", i), "a document of " + std::to_string(length) +
                                             " tokens exceeds the model's context of " +
                                             std::to_string(context_length));
  }
  if (static_cast<size_t>(offsets.back()) != tokens)
    refuse(item("documentOffsets", offsets.size() - 1), "expected " + std::to_string(tokens) +
                                                            ", the number of tokens, received " +
                                                            std::to_string(offsets.back()));
}

}  // namespace

void check_batch(const MicroBatch& batch, const ModelShape& shape) {
  check_offsets(batch.document_offsets, batch.tokens.size(), shape.context_length);
  check_length("labels", batch.tokens.size(), batch.labels.size());
  check_length("samples", batch.document_offsets.size() - 1, batch.samples.size());
  const std::string range = "0 to " + std::to_string(shape.vocabulary_size - 1);
  for (size_t i = 0; i < batch.tokens.size(); ++i) {
    const int32_t token = batch.tokens[i], label = batch.labels[i];
    if (token < 0 || token >= shape.vocabulary_size)
      refuse(item("tokens", i), "expected a token id from " + range + ", received " + std::to_string(token));
    if (label != kNoLoss && (label < 0 || label >= shape.vocabulary_size))
      refuse(item("labels", i), "expected " + std::to_string(kNoLoss) + " or a token id from " + range +
                                    ", received " + std::to_string(label));
  }
}

int64_t count_loss_tokens(const MicroBatch& batch) {
  int64_t count = 0;
  for (size_t document = 0; document + 1 < batch.document_offsets.size(); ++document)
    for (int32_t i = batch.document_offsets[document] + 1; i < batch.document_offsets[document + 1]; ++i)
      count += batch.labels[i] != kNoLoss;
  return count;
}

}  // namespace msn
