// A program with models in global objects, one of which has just run on many threads: for exit_test.
#include <cstdlib>
#include <vector>

#include "falconet/falconet.hpp"

static falconet::Predictor global(std::getenv("FALCONET_TEST_MODEL"));

int main() {
  static falconet::Predictor local(std::getenv("FALCONET_TEST_MODEL"));
  const std::size_t rows = 256;
  std::vector<float> x(global.input(0).elements(rows)), y(global.output(0).elements(rows));
  for (const falconet::Predictor* p : {&global, &local}) p->run(rows, x, y);
  return y[0] == y[rows - 1] ? 0 : 1;
}
