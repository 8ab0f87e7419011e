/* Predicts one row with a model of 4 inputs and 1 output: predict MODEL.falconet */
#include <falconet/falconet.h>
#include <stdio.h>

int main(int argc, char** argv) {
  const float x[4] = {0.5f, -1.0f, 2.0f, 0.25f};
  float y[1];
  falconet_predictor* model = NULL;
  falconet_status status = falconet_predictor_load(argc > 1 ? argv[1] : NULL, NULL, &model);
  if (status == FALCONET_OK) status = falconet_predictor_run_f32(model, 1, x, 4, y, 1);
  if (status == FALCONET_OK) printf("%a\n", y[0]);
  if (status != FALCONET_OK) fprintf(stderr, "%s\n", falconet_last_error());
  falconet_predictor_free(model);
  return status;
}
