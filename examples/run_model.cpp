// run_model MODEL.tqm: runs a model on zeros and prints its first output, in C++17. The twin of run_model.c.
#include <torquant/runtime/torquant_runtime.hpp>

#include <cstdio>

int main(int argc, char** argv) {
  if (argc != 2) return 2;
  try {
    const torquant_runtime::Model model(argv[1]);
    torquant_runtime::Session session(model, {model.batch_range().least, 1});
    std::vector<float> x(session.input(0).elements()), y(session.output(0).elements());
    session.run({torquant_runtime::input(x)}, {torquant_runtime::output(y)});
    std::printf("%s:", session.output(0).name.c_str());
    for (const float number : y) std::printf(" %g", static_cast<double>(number));
    std::printf("\n");
  } catch (const torquant_runtime::Error& error) {
    std::fprintf(stderr, "error %d: %s\n", static_cast<int>(error.status()), error.what());
    return 1;
  }
  return 0;
}
