// Many steps of a chain of linear layers in one call, without Python between their kernels.
//
// Each step calls the kernels that chain_gradients.py, fused_kernels.py and data/batches.py call,
// on the same numbers, so its results are equal to theirs to the bit. `experiments build` builds
// this file, and training/compiled_steps.py tries it before it is used.
//
// Shapes: N examples of a data set, B batch, I inputs and O outputs of a layer.

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <ATen/core/dispatch/Dispatcher.h>
#include <ATen/native/CPUBlas.h>
#include <torch/library.h>

#include <algorithm>

#include "batch_reader.h"

namespace chain_steps {

using Bias = std::optional<Tensor>;
using Biases = c10::List<Bias>;
using Names = std::vector<std::string>;
using Scalars = c10::List<std::optional<at::Scalar>>;

constexpr int64_t kColumns = 64;  // of a product, the fewest for a thread
constexpr int64_t kSum = 512;     // numbers; oneDNN's products divide longer sums

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

class Chain {
 public:
  Chain(at::TensorList weights, const Biases& biases, const Names& activations, int64_t large)
      : large_(large) {
    TORCH_CHECK(weights.size() && weights.size() == biases.size(), "one bias for each weight");
    TORCH_CHECK(weights.size() == activations.size(), "one activation for each weight");
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

  // The gradient of a weight (O, I), from those of its outputs (B, O) and its inputs (B, I). oneDNN's
  // own kernel has the bits of `product` and takes less time to call, where the processor has it.
  Tensor weight_gradient(const Tensor& gradient, const Tensor& inputs) const {
    static const bool has_kernel = has_brgemm();
    if (!has_kernel || gradient.size(0) > kSum || !is_large(gradient.t(), inputs.t())) {
      return product(gradient.t(), inputs.t());
    }
    const int64_t rows = gradient.size(1), inner = gradient.size(0), width = inputs.size(1);
    const auto turned = gradient.t().contiguous();
    auto found = at::empty({rows, width}, at::kFloat);
    const auto *left = turned.const_data_ptr<float>(), *right = inputs.const_data_ptr<float>();
    auto* target = found.mutable_data_ptr<float>();
    at::parallel_for(0, width, kColumns, [&](int64_t begin, int64_t end) {
      at::native::cpublas::brgemm(rows, end - begin, inner, inner, width, width, /*add_C=*/false,
                                  left, right + begin, target + begin);
    });
    return found;
  }

  static bool has_brgemm() {
    float one = 1, found = 0;
    try {
      at::native::cpublas::brgemm(1, 1, 1, 1, 1, 1, /*add_C=*/false, &one, &one, &found);
    } catch (const c10::Error&) {
      return false;
    }
    return found == 1;
  }

  void forward(size_t n) {
    const auto& layer = layers_[n];
    auto value = product(values_.back(), layer.weight, layer.bias);
    values_.push_back(value);
    if (layer.activation == "relu") at::relu_(value);
    if (layer.activation == "tanh") at::tanh_(value);
    if (layer.activation == "sigmoid") {
      OneThread guard;
      at::sigmoid_(value);
    }
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
    gradients_.push_back(weight_gradient(gradient, values_.back()));
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

}  // namespace chain_steps

#define GIVEN \
  "Tensor images, Tensor labels, Tensor places, int batch, Tensor(a!)[] weights, " \
  "Tensor(b!)?[] biases, str[] activations, int large, Tensor(c!) total, "

TORCH_LIBRARY(chain_steps, m) {
  using namespace chain_steps;
  m.def("sgd(" GIVEN "Tensor(d!)[] momenta, float weight_decay, float momentum, float lr, "
        "float dampening, bool nesterov, bool maximize) -> ()",
        sgd);
  m.def("adamw(" GIVEN "Tensor(d!)[] steps, Tensor(e!)[] means, Tensor(f!)[] squares, "
        "Tensor(g!)[] largest, "
        "float lr, float weight_decay, float eps, bool maximize, bool amsgrad, float beta1, "
        "float beta2) -> ()",
        adamw);
}
