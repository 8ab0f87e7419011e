// The C API: learners, where the library was built with FALCONET_INFERENCE_ONLY.
#include "api/error.h"

using namespace falconet;

namespace {

falconet_status absent(const char* function) noexcept {
  return api::guarded([=] {
    fail("[", function, "] this library was built for inference only; learning needs one built without FALCONET_INFERENCE_ONLY");
  });
}

}  // namespace

extern "C" {

falconet_status falconet_learner_load(const char*, const falconet_learner_options*, falconet_learner** l) noexcept {
  if (l) *l = nullptr;
  return absent("falconet_learner_load");
}
falconet_status falconet_learner_load_memory(const void*, size_t, const falconet_learner_options*,
                                             falconet_learner** l) noexcept {
  if (l) *l = nullptr;
  return absent("falconet_learner_load_memory");
}
// There never is a learner: these are called with NULL.
void falconet_learner_free(falconet_learner*) noexcept {}
size_t falconet_learner_num_inputs(const falconet_learner*, falconet_function) noexcept { return 0; }
size_t falconet_learner_num_outputs(const falconet_learner*, falconet_function) noexcept { return 0; }
falconet_status falconet_learner_input(const falconet_learner*, falconet_function, size_t, falconet_port*) noexcept {
  return absent("falconet_learner_input");
}
falconet_status falconet_learner_output(const falconet_learner*, falconet_function, size_t, falconet_port*) noexcept {
  return absent("falconet_learner_output");
}
falconet_status falconet_learner_run(falconet_learner*, falconet_function, int64_t, const falconet_input*, size_t,
                                     const falconet_output*, size_t) noexcept {
  return absent("falconet_learner_run");
}
falconet_status falconet_learner_step(falconet_learner*, int64_t, const falconet_input*, size_t, const falconet_output*,
                                      size_t) noexcept {
  return absent("falconet_learner_step");
}
falconet_status falconet_learner_predict(falconet_learner*, int64_t, const falconet_input*, size_t,
                                         const falconet_output*, size_t) noexcept {
  return absent("falconet_learner_predict");
}
falconet_status falconet_learner_reset_metrics(falconet_learner*) noexcept {
  return absent("falconet_learner_reset_metrics");
}
falconet_status falconet_learner_save(falconet_learner*, const char*) noexcept { return absent("falconet_learner_save"); }
falconet_status falconet_learner_snapshot(falconet_learner*, falconet_predictor*) noexcept {
  return absent("falconet_learner_snapshot");
}

}  // extern "C"
