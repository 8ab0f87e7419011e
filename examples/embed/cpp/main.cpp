// Predicts one row with a model of 4 inputs and 1 output: predict MODEL.falconet
// Compiles with and without exceptions.
#include <array>
#include <cstdio>
#include <falconet/falconet.hpp>

int main(int argc, char** argv) {
  const std::array<float, 4> x = {0.5f, -1.0f, 2.0f, 0.25f};
  std::array<float, 1> y;
  auto model = falconet::Predictor::try_load(argc > 1 ? argv[1] : nullptr);
  if (!model) return std::fprintf(stderr, "%s\n", model.error()), 1;
  if (const falconet::Status status = model->try_run(1, x, y); !status) return std::fprintf(stderr, "%s\n", status.text()), 1;
#if FALCONET_EXCEPTIONS
  try {
    model->run(2, x, y);
  } catch (const falconet::Error& error) {  // two rows are not what came
    std::fprintf(stderr, "%s\n", error.what());
  }
#endif
  std::printf("%a\n", static_cast<double>(y[0]));
}
