// Counter-based random numbers: Philox4x32-10 (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3",
// 2011). A draw is a function of (seed, stream, counter) alone, so every device and every resumed run draws
// the same. The streams are those of docs/method.md.
#pragma once
#include <cstdint>

#ifdef __CUDACC__
#define MSN_HOST_DEVICE __host__ __device__
#else
#define MSN_HOST_DEVICE
#endif

namespace msn {

enum class RandomStream : uint32_t {
  kNoiseStart = 1,
  kNoiseToken = 2,
  kDraftCell = 3,
  kSampling = 4,
  kDenoiseStart = 5,
  kShuffle = 6,
  kInitialization = 7,
};

struct PhiloxWords {
  uint32_t x0, x1, x2, x3;
};

MSN_HOST_DEVICE inline PhiloxWords philox4x32_10(PhiloxWords counter, uint32_t key0, uint32_t key1) {
  for (int round = 0; round < 10; ++round) {
    const uint64_t product0 = uint64_t{0xD2511F53u} * counter.x0;
    const uint64_t product1 = uint64_t{0xCD9E8D57u} * counter.x2;
    counter = {static_cast<uint32_t>(product1 >> 32) ^ counter.x1 ^ key0, static_cast<uint32_t>(product1),
               static_cast<uint32_t>(product0 >> 32) ^ counter.x3 ^ key1, static_cast<uint32_t>(product0)};
    key0 += 0x9E3779B9u;
    key1 += 0xBB67AE85u;
  }
  return counter;
}

// One draw at counter (c0, c1, c2) of a stream.
class RandomDraw {
 public:
  MSN_HOST_DEVICE RandomDraw(uint64_t seed, RandomStream stream, uint32_t c0, uint32_t c1 = 0,
                             uint32_t c2 = 0)
      : words_(philox4x32_10({c0, c1, c2, static_cast<uint32_t>(stream)}, static_cast<uint32_t>(seed),
                             static_cast<uint32_t>(seed >> 32))) {}
  // Uniform in [0, n), n >= 1.
  MSN_HOST_DEVICE uint32_t bounded(uint32_t n) const {
    return static_cast<uint32_t>((uint64_t{words_.x0} * n) >> 32);
  }
  // Uniform in [0, 1) with 53 bits.
  MSN_HOST_DEVICE double unit() const {
    const uint64_t bits = (uint64_t{words_.x0} << 32) | words_.x1;
    return static_cast<double>(bits >> 11) * 0x1p-53;
  }
  MSN_HOST_DEVICE const PhiloxWords& words() const { return words_; }

 private:
  PhiloxWords words_;
};

}  // namespace msn
