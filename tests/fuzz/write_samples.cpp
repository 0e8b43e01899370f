// write_samples FOLDER: small prepared programs (NAME.pt2) and statistics (NAME.observers), for make_corpus.py.
#include <ATen/core/Tensor.h>
#include <ATen/ops/ones.h>

#include "tests/fuzz/small_net.h"
#include "tests/support/test_quantizer.h"
#include "torquant/pt2e/observer_statistics.h"
#include "torquant/pt2e/prepared_io.h"

namespace torquant::fuzz {
namespace {

// A bias whose scale is derived, and fake quantizers: one learns its scale, one has it from the start.
PreparedProgram derived_and_fake() {
  TestQuantizer quantizer([](const Program& program, Annotations& annotations) {
    const Node& fc = *program.graph().begin();
    const ObserverOptions int8 = {.dtype = DType::kInt8};
    QuantizationAnnotation& annotation = annotations.annotate(&fc);
    const auto observe = [&](const char* input, const AnyQuantizationSpec& spec) {
      annotation.set_input(fc.input(input), spec);
    };
    observe("input", QuantizationSpec{int8, {.fake_quantize = FakeQuantizeType::kLearnable}});
    observe("weight", QuantizationSpec{
                          int8, {.type = FixedQParamsSpec{.scale = 0.5}, .fake_quantize = FakeQuantizeType::kPlain}});
    observe("bias",
            DerivedQuantizationSpec{
                {{fc.input("input"), &fc}, {fc.input("weight"), &fc}}, derive_bias_qparams, {.dtype = DType::kInt32}});
    annotation.output_qspec =
        QuantizationSpec{int8, {.type = MovingAverageMinMaxSpec{}, .fake_quantize = FakeQuantizeType::kFused}};
  });
  return prepare_pt2e(small_net(), quantizer);
}

void write(PreparedProgram prepared, const std::string& path, bool finished = true) {
  prepared.forward({at::ones({2, 4})});
  save_prepared(prepared, path + ".pt2");
  ObserverStatistics statistics = collect_statistics(prepared, "r.json", 2);
  if (!finished) statistics.unfinished = {.position = {1, 0, 1}, .samples = 8, .samples_per_batch = 2, .data = "data"};
  save_statistics(statistics, path + ".observers");
}

}  // namespace
}  // namespace torquant::fuzz

int main(int argc, char** argv) {
  using namespace torquant;
  if (argc != 2) return 2;
  const std::string folder = argv[1];
  fuzz::write(fuzz::prepared_net(MinMaxSpec{}), folder + "/min_max");
  fuzz::write(fuzz::prepared_net(MovingAverageMinMaxSpec{}), folder + "/moving_average", /*finished=*/false);
  fuzz::write(fuzz::prepared_net(HistogramSpec{16}), folder + "/histogram");
  fuzz::write(fuzz::derived_and_fake(), folder + "/derived_and_fake");
}
