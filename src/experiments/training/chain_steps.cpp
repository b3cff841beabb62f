// Many steps of a chain of linear layers in one call, without Python between their kernels.
//
// Each step calls the kernels that chain_gradients.py, fused_kernels.py and data/batches.py call,
// on the same numbers, so its results are equal to theirs to the bit. `experiments compile` builds
// this file, and training/compiled_steps.py tries it before it is used.
//
// Shapes: N examples of a data set, B batch, I inputs and O outputs of a layer.

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <ATen/core/dispatch/Dispatcher.h>
#include <torch/library.h>

#include <algorithm>

#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__)
#define FOR_EACH_PROCESSOR __attribute__((target_clones("avx512f", "avx2", "default")))
#else
#define FOR_EACH_PROCESSOR
#endif

namespace {

using at::Tensor;
using Bias = std::optional<Tensor>;
using Biases = c10::List<Bias>;
using Names = std::vector<std::string>;
using Scalars = c10::List<std::optional<at::Scalar>>;

constexpr int64_t kAhead = 4;  // rows; a row of a shuffled data set is in no cache

// Makes kernels use one thread. In a parallel region they do so anyway.
struct OneThread {
  const int before = at::in_parallel_region() ? 1 : at::get_num_threads();
  OneThread() { if (before > 1) at::set_num_threads(1); }
  ~OneThread() { if (before > 1) at::set_num_threads(before); }
};

struct Layer {
  Tensor weight;  // (O, I)
  Bias bias;      // (O)
  std::string activation;
};

struct Batch {
  Tensor images, labels;  // float32 (B, I) and int64 (B)
};

// As `normalise` of data/batches.py.
FOR_EACH_PROCESSOR
void normalise(const uint8_t* bytes, float* numbers, int64_t count) {
  for (int64_t i = 0; i < count; i++) numbers[i] = static_cast<float>(bytes[i]) / 127.5f - 1.0f;
}

// Reads the batches of an epoch one after the other, into two buffers in turn.
class Reader {
 public:
  Reader(const Tensor& images, const Tensor& labels, const Tensor& places, int64_t batch)
      : images_(images), labels_(labels), places_(places), batch_(batch) {
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

class Chain {
 public:
  Chain(at::TensorList weights, const Biases& biases, const Names& activations, int64_t large)
      : large_(large) {
    for (size_t n = 0; n < weights.size(); n++)
      layers_.push_back({weights[n], biases.get(n), activations[n]});
  }

  // The weight and the bias of each layer in turn.
  std::vector<Tensor> parameters() const {
    std::vector<Tensor> found;
    for (const auto& layer : layers_) {
      found.push_back(layer.weight);
      if (layer.bias) found.push_back(*layer.bias);
    }
    return found;
  }

  // Adds the mean cross-entropy of a batch to `total`; returns the gradients of `parameters()`.
  // Meanwhile `beside` runs on a second thread, since the small kernels of the last layer and of
  // the loss run on one.
  template <typename Beside>
  std::vector<Tensor> gradients(const Batch& batch, const Tensor& total, const Beside& beside) {
    values_ = {batch.images};
    gradients_.clear();
    const size_t last = layers_.size() - 1;
    for (size_t n = 0; n < last; n++) forward(n);
    const bool is_small = !is_large(layers_[last].weight, values_.back());
    if (!is_small) forward(last);
    Tensor gradient;
    at::parallel_for(0, 2, 1, [&](int64_t begin, int64_t end) {
      if (end == 2) beside();
      if (begin > 0) return;
      if (is_small) forward(last);
      gradient = loss(values_.back(), batch.labels, total);
      if (is_small) gradient = backward(last, gradient);
    });
    if (!is_small) gradient = backward(last, gradient);
    for (size_t n = last; n-- > 0;) gradient = backward(n, gradient);
    std::reverse(gradients_.begin(), gradients_.end());
    return gradients_;
  }

 private:
  bool is_large(const Tensor& weight, const Tensor& x) const {
    return weight.size(0) * x.numel() >= large_;
  }

  // x (B, I) times the transpose of a weight (O, I), plus a bias (O): `_product` of the chain.
  Tensor product(const Tensor& x, const Tensor& weight, const Bias& bias = std::nullopt) const {
    if (is_large(weight, x)) {
      static const auto onednn =
          c10::Dispatcher::singleton()
              .findSchemaOrThrow("mkldnn::_linear_pointwise", "")
              .typed<Tensor(const Tensor&, const Tensor&, const Bias&, c10::string_view, Scalars,
                            std::optional<c10::string_view>)>();
      static const Scalars none;
      return onednn.call(x, weight, bias, "none", none, "");
    }
    OneThread guard;
    return bias ? at::addmm(*bias, x, weight.t()) : at::mm(x, weight.t());
  }

  void forward(size_t n) {
    const auto& layer = layers_[n];
    auto value = product(values_.back(), layer.weight, layer.bias);
    values_.push_back(value);
    if (layer.activation == "relu") at::relu_(value);
    if (layer.activation == "sigmoid") at::sigmoid_(value);
    if (layer.activation == "tanh") at::tanh_(value);
  }

  // Adds the mean cross-entropy; returns the gradient of the logits.
  Tensor loss(const Tensor& logits, const Tensor& labels, Tensor total) const {
    OneThread guard;
    constexpr auto mean = at::Reduction::Mean;
    auto logs = at::log_softmax(logits, 1);
    auto [value, weight] = at::nll_loss_forward(logs, labels, {}, mean, -100);
    total.add_(value);
    auto one = at::ones_like(value);
    auto gradient = at::nll_loss_backward(one, logs, labels, {}, mean, -100, weight);
    return at::_log_softmax_backward_data(gradient, logs, 1, at::kFloat);
  }

  // Notes the gradients of a layer; returns that of its inputs, unless they are the images.
  Tensor backward(size_t n, Tensor gradient) {
    const auto& layer = layers_[n];
    auto value = values_.back();
    values_.pop_back();
    if (layer.activation == "relu") gradient = at::threshold_backward(gradient, value, 0);
    if (layer.activation == "sigmoid") gradient = at::sigmoid_backward(gradient, value);
    if (layer.activation == "tanh") gradient = at::tanh_backward(gradient, value);
    if (layer.bias) gradients_.push_back(gradient.sum(0));
    gradients_.push_back(product(gradient.t(), values_.back().t()));
    return n ? product(gradient, layer.weight.t()) : gradient;
  }

  std::vector<Layer> layers_;
  std::vector<Tensor> values_, gradients_;
  int64_t large_;
};

// `update` takes the parameters and their gradients.
template <typename Update>
void train(Chain chain, Reader reader, const Tensor& total, const Update& update) {
  at::AutoDispatchBelowADInplaceOrView no_autograd;
  reader.read(0);
  for (int64_t number = 0; number < reader.count(); number++) {
    update(chain.parameters(), chain.gradients(reader.batch(number), total, [&] {
      if (number + 1 < reader.count()) reader.read(number + 1);
    }));
  }
}

void sgd(const Tensor& images, const Tensor& labels, const Tensor& places, int64_t batch,
         at::TensorList weights, const Biases& biases, const Names& activations, int64_t large,
         const Tensor& total, at::TensorList momenta, double weight_decay, double momentum,
         double lr, double dampening, bool nesterov, bool maximize) {
  train({weights, biases, activations, large}, {images, labels, places, batch}, total,
        [&](at::TensorList parameters, at::TensorList gradients) {
          at::_fused_sgd_(parameters, gradients, momenta, weight_decay, momentum, lr, dampening,
                          nesterov, maximize, /*is_first_step=*/false);
        });
}

void adamw(const Tensor& images, const Tensor& labels, const Tensor& places, int64_t batch,
           at::TensorList weights, const Biases& biases, const Names& activations, int64_t large,
           const Tensor& total, at::TensorList steps, at::TensorList means,
           at::TensorList squares, at::TensorList largest, double lr, double weight_decay,
           double eps, bool maximize, bool amsgrad, double beta1, double beta2) {
  train({weights, biases, activations, large}, {images, labels, places, batch}, total,
        [&](at::TensorList parameters, at::TensorList gradients) {
          at::_foreach_add_(steps, 1);
          at::_fused_adamw_(parameters, gradients, means, squares, largest, steps, lr, beta1,
                            beta2, weight_decay, eps, amsgrad, maximize);
        });
}

}  // namespace

#define GIVEN \
  "Tensor images, Tensor labels, Tensor places, int batch, Tensor[] weights, Tensor?[] biases, " \
  "str[] activations, int large, Tensor(a!) total, "

TORCH_LIBRARY(chain_steps, m) {
  m.def("sgd(" GIVEN "Tensor[] momenta, float weight_decay, float momentum, float lr, "
        "float dampening, bool nesterov, bool maximize) -> ()",
        sgd);
  m.def("adamw(" GIVEN "Tensor[] steps, Tensor[] means, Tensor[] squares, Tensor[] largest, "
        "float lr, float weight_decay, float eps, bool maximize, bool amsgrad, float beta1, "
        "float beta2) -> ()",
        adamw);
}
