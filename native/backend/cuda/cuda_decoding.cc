// The operations of a decode step as calls of their kernels, and the events between steps.
#include "backend/cuda/cuda_backend.h"

namespace msn {
namespace {

class StreamEvent final : public Event {
 public:
  StreamEvent(const CudaDevice& device, std::shared_ptr<CudaStream> stream)
      : device_(device), stream_(std::move(stream)), event_(device) {}
  void record() override {
    device_.select();
    event_.record(*stream_);
  }
  void wait() override {
    device_.select();
    event_.wait();
  }

 private:
  const CudaDevice& device_;
  const std::shared_ptr<CudaStream> stream_;
  CudaEvent event_;
};

}  // namespace

std::unique_ptr<Event> CudaBackend::make_event() { return std::make_unique<StreamEvent>(device_, stream_); }

void CudaBackend::run(const LongestMatch&) { refuse_unmapped("longest_match"); }
void CudaBackend::run(const DraftNodes&) { refuse_unmapped("draft_nodes"); }
void CudaBackend::run(const SampleTokens&) { refuse_unmapped("sample_tokens"); }
void CudaBackend::run(const AcceptPath&) { refuse_unmapped("accept_path"); }

}  // namespace msn
