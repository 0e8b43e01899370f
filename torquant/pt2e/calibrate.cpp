#include "torquant/pt2e/calibrate.h"

#include <ATen/Parallel.h>
#include <ATen/core/dispatch/Dispatcher.h>
#include <ATen/core/grad_mode.h>
#include <fmt/format.h>

#include <algorithm>
#include <condition_variable>
#include <exception>
#include <limits>
#include <mutex>
#include <thread>
#include <unordered_map>

#include "torquant/core/error.h"
#include "torquant/graph/one_thread.h"
#include "torquant/graph/operator_schema.h"
#include "torquant/graph/ops.h"
#include "torquant/pass/constant_values.h"

namespace torquant {
namespace {

// The value whose memory `value` is a view of, as far as schemas say.
const Value* viewed(const Value* value) {
  for (;;) {
    const Node* producer = value->producer();
    const c10::OperatorHandle* op = producer == nullptr ? nullptr : find_operator(producer->op());
    if (op == nullptr || op->schema().arguments().empty() || op->schema().arguments()[0].alias_info() == nullptr) {
      return value;
    }
    const Value* first = producer->args().empty() ? nullptr : value_of(producer->args()[0].value);
    if (first == nullptr) return value;
    value = first;
  }
}

struct Stopped {};  // thrown through the interpreter

class Calibrator {
 public:
  Calibrator(PreparedProgram& prepared, int64_t batches, CalibrationPosition& position, const CalibrateOptions& options)
      : prepared_(prepared), batches_(batches), position_(position), options_(options) {
    const std::vector<PlacedObserver>& observers = prepared.observers();
    visits_a_batch_.resize(observers.size());
    const std::unordered_set<const Value*> constants = constant_values(prepared.program());
    for (const Node& node : prepared.program().graph()) {
      if (node.op() != ops::kObserve) continue;
      const auto observer = static_cast<size_t>(int_arg(node, "observer"));
      const bool fakes = observers[observer].spec.fake_quantize != FakeQuantizeType::kNone;
      if (constants.contains(node.input("input")) && !fakes) continue;  // observed by prepare
      whole_batches_ = whole_batches_ || fakes;
      places_[&node] = {observer, visits_a_batch_[observer]++};
    }
    whole_batches_ = whole_batches_ || keeps_state(prepared.program());
    start();
  }

  bool run(const std::function<std::vector<at::Tensor>(int64_t)>& load) {
    const int64_t left = batches_ - next_;
    const auto threads = whole_batches_ ? 1 : std::clamp<int64_t>(options_.threads, 1, std::max<int64_t>(left, 1));
    const OneThread one;
    std::vector<std::thread> helpers;
    for (int64_t i = 1; i < threads; ++i) helpers.emplace_back([&] { work(load); });
    work(load);
    for (std::thread& helper : helpers) helper.join();
    if (error_) std::rethrow_exception(error_);
    return !stopped_;
  }

 private:
  // The n-th visit to an observer in each batch.
  struct Place {
    size_t observer;
    int64_t visit;
  };

  // The first batch that an observer has not seen whole.
  void start() {
    if (position_.empty()) position_.resize(visits_a_batch_.size());
    bool fits = position_.size() == visits_a_batch_.size();
    int64_t first = batches_;
    for (size_t i = 0; fits && i < position_.size(); ++i) {
      fits = position_[i] >= 0 && position_[i] <= batches_ * visits_a_batch_[i];
      if (visits_a_batch_[i] > 0) first = std::min(first, position_[i] / visits_a_batch_[i]);
    }
    if (!fits) {
      throw Error({.where = "calibrate",
                   .what = fmt::format("the position is none of a calibration of {} observers with {} batches",
                                       visits_a_batch_.size(), batches_)});
    }
    next_ = done_ = places_.empty() ? 0 : first;
  }

  void work(const std::function<std::vector<at::Tensor>(int64_t)>& load) {
    const at::NoGradGuard no_grad;
    at::set_num_threads(1);  // LibTorch counts them for each thread
    int64_t batch = 0;
    InterpreterOptions options;
    options.handlers[ops::kObserve] = [&](const Node& node, std::vector<c10::IValue>& stack) {
      stack.pop_back();  // the observer's index
      if (const auto place = places_.find(&node); place != places_.end()) {
        stack[0] = observe(place->second, batch, stack[0].toTensor());
      }
    };
    try {
      Interpreter interpreter(prepared_.program(), std::move(options));
      while (take(batch)) {
        const std::vector<at::Tensor> inputs = load(batch);
        interpreter.run({inputs.begin(), inputs.end()});
        finish();
      }
    } catch (const Stopped&) {
    } catch (const Error& error) {
      fail(batch, std::make_exception_ptr(
                      error.within(options_.name_of ? options_.name_of(batch) : fmt::format("batch {}", batch))));
    } catch (...) {
      fail(batch, std::current_exception());
    }
  }

  bool take(int64_t& batch) {
    const std::lock_guard lock(mutex_);
    ask_to_stop();
    if (stopped_ || next_ >= std::min(batches_, failed_)) return false;
    batch = next_++;
    return true;
  }

  // Lets the batches before this one go first. What was recorded before an interruption is not recorded again.
  at::Tensor observe(const Place& place, int64_t batch, const at::Tensor& x) {
    const int64_t turn = batch * visits_a_batch_[place.observer] + place.visit;
    int64_t& recorded = position_[place.observer];
    std::unique_lock lock(mutex_);
    if (!whole_batches_) ask_to_stop();
    changed_.wait(lock, [&] { return recorded >= turn || ends(batch); });
    if (ends(batch)) throw Stopped();
    if (recorded > turn) return x;
    lock.unlock();  // the turn is ours alone
    at::Tensor result = prepared_.observers()[place.observer].observer->observe(x);
    lock.lock();
    ++recorded;
    changed_.notify_all();
    return result;
  }

  void finish() {
    const std::lock_guard lock(mutex_);
    ++done_;
    if (options_.after_batch) options_.after_batch(done_);
  }

  // Of several that fail, the first one in the order of the data is told.
  void fail(int64_t batch, std::exception_ptr error) {
    const std::lock_guard lock(mutex_);
    if (batch < failed_) {
      failed_ = batch;
      error_ = std::move(error);
    }
    changed_.notify_all();
  }

  void ask_to_stop() {
    if (stopped_ || !options_.stop || !options_.stop()) return;
    stopped_ = true;
    changed_.notify_all();
  }

  bool ends(int64_t batch) const { return (stopped_ && !whole_batches_) || batch > failed_; }

  PreparedProgram& prepared_;
  const int64_t batches_;
  CalibrationPosition& position_;
  const CalibrateOptions& options_;
  std::unordered_map<const Node*, Place> places_;
  std::vector<int64_t> visits_a_batch_;  // by observer
  bool whole_batches_ = false;

  std::mutex mutex_;  // of all below, and of position_
  std::condition_variable changed_;
  int64_t next_ = 0;
  int64_t done_ = 0;
  bool stopped_ = false;
  int64_t failed_ = std::numeric_limits<int64_t>::max();
  std::exception_ptr error_;
};

}  // namespace

bool keeps_state(const Program& program) {
  const bool declared = std::ranges::any_of(program.output_specs(), [](const OutputSpec& spec) {
    return spec.kind == OutputKind::kBufferMutation || spec.kind == OutputKind::kParameterMutation;
  });
  if (declared) return true;
  return std::ranges::any_of(program.graph(), [&](const Node& node) {
    const c10::OperatorHandle* op = find_operator(node.op());
    if (op == nullptr || op->schema().arguments().empty() || node.args().empty()) return false;
    const auto* alias = op->schema().arguments()[0].alias_info();
    const Value* written = alias != nullptr && alias->isWrite() ? value_of(node.args()[0].value) : nullptr;
    return written != nullptr && program.tensor_of(viewed(written)) != nullptr;
  });
}

bool calibrate(PreparedProgram& prepared, int64_t batches,
               const std::function<std::vector<at::Tensor>(int64_t batch)>& load, CalibrationPosition& position,
               const CalibrateOptions& options) {
  return Calibrator(prepared, batches, position, options).run(load);
}

}  // namespace torquant
