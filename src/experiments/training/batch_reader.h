// The batches of an epoch, normalised as by data/batches.py. Shapes: N examples, B batch, I pixels.

#pragma once

#include <ATen/ATen.h>

#include <algorithm>

#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__)
#define FOR_EACH_PROCESSOR __attribute__((target_clones("avx512f", "avx2", "default")))
#else
#define FOR_EACH_PROCESSOR
#endif

namespace chain_steps {

using at::Tensor;

constexpr int64_t kAhead = 4;  // rows; a row of a shuffled data set is in no cache

struct Batch {
  Tensor images, labels;  // float32 (B, I) and int64 (B)
};

// As `normalise` of data/batches.py.
FOR_EACH_PROCESSOR
inline void normalise(const uint8_t* bytes, float* numbers, int64_t count) {
  for (int64_t i = 0; i < count; i++) numbers[i] = static_cast<float>(bytes[i]) / 127.5f - 1.0f;
}

// Reads the batches of an epoch one after the other, into two buffers in turn.
class Reader {
 public:
  Reader(const Tensor& images, const Tensor& labels, const Tensor& places, int64_t batch)
      : images_(images), labels_(labels), places_(places), batch_(batch) {
    for (const auto& each : {images, labels, places})
      TORCH_CHECK(each.is_contiguous() && each.numel(), "empty, or with gaps in memory");
    TORCH_CHECK(labels.dim() == 1 && labels.size(0) == images.size(0), "one label for each image");
    const auto [least, most] = std::minmax_element(
        places.const_data_ptr<int64_t>(), places.const_data_ptr<int64_t>() + places.numel());
    TORCH_CHECK(*least >= 0 && *most < images.size(0), "a place outside of the images");
    for (auto& each : buffers_) {
      each.images = at::empty({batch, images.numel() / images.size(0)}, at::kFloat);
      each.labels = at::empty({batch}, at::kLong);
    }
  }

  int64_t count() const { return (places_.size(0) + batch_ - 1) / batch_; }

  void read(int64_t number) {
    const int64_t first = number * batch_, rows = size(number), all = places_.size(0);
    const int64_t width = buffers_[0].images.size(1);
    const auto* bytes = images_.const_data_ptr<uint8_t>();
    const auto* classes = labels_.const_data_ptr<int64_t>();
    const auto* places = places_.const_data_ptr<int64_t>() + first;
    auto* numbers = buffers_[number % 2].images.mutable_data_ptr<float>();
    auto* labels = buffers_[number % 2].labels.mutable_data_ptr<int64_t>();
    for (int64_t row = 0; row < rows; row++) {
      const auto* ahead = bytes + width * places[first + row + kAhead < all ? row + kAhead : row];
      for (int64_t byte = 0; byte < width; byte += 64) __builtin_prefetch(ahead + byte);
      normalise(bytes + places[row] * width, numbers + row * width, width);
      labels[row] = classes[places[row]];
    }
  }

  Batch batch(int64_t number) const {
    const auto& [images, labels] = buffers_[number % 2];
    return {images.narrow(0, 0, size(number)), labels.narrow(0, 0, size(number))};
  }

 private:
  int64_t size(int64_t number) const { return std::min(batch_, places_.size(0) - number * batch_); }

  Tensor images_, labels_, places_;
  int64_t batch_;
  Batch buffers_[2];
};

}  // namespace chain_steps
