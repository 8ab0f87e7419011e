/* Falconet in C: predictions from a model file, and learning that goes on where the data is.
 *
 * Every function that can fail returns a falconet_status; after any but FALCONET_OK, falconet_last_error() has the
 * text: what came and what was needed. Nothing is changed by a call that failed, unless its comment says otherwise. No
 * function throws, ends the process, prints, or installs a handler.
 *
 * The interface is stable: functions, constants and the order of members never change, they are only added to. Structs
 * that may grow begin with their size in bytes, which their _INIT macro sets; what an older program does not know of is
 * taken as zero.
 *
 * docs/embedding.md has examples.
 */
#ifndef FALCONET_FALCONET_H_
#define FALCONET_FALCONET_H_

#include <stddef.h>
#include <stdint.h>

#if defined(_WIN32) && defined(FALCONET_BUILDING)
#define FALCONET_API __declspec(dllexport)
#elif defined(_WIN32) && defined(FALCONET_SHARED)
#define FALCONET_API __declspec(dllimport)
#elif defined(_WIN32)
#define FALCONET_API
#else
#define FALCONET_API __attribute__((visibility("default")))
#endif

#ifdef __cplusplus
#define FALCONET_NOEXCEPT noexcept
extern "C" {
#else
#define FALCONET_NOEXCEPT
#endif

/* --- errors and the library ---------------------------------------------------------------------------------------- */

typedef int32_t falconet_status;
enum {
  FALCONET_OK = 0,
  FALCONET_INVALID_ARGUMENT = 1, /* null, an unknown name, a size, shape or number of rows that does not fit */
  FALCONET_WRONG_TYPE = 2,       /* a dtype other than the model's */
  FALCONET_BAD_MODEL = 3,        /* not a well-formed model file, or it does not give what its test vector says */
  FALCONET_FILE_ERROR = 4,       /* a file that cannot be opened, read or written */
  FALCONET_OUT_OF_MEMORY = 5,
  FALCONET_INTERNAL_ERROR = 6 /* a mistake of the library's: please report it with the text */
};

/* The text of this thread's last failure, UTF-8, "" before the first. Valid until this thread's next call that fails. */
FALCONET_API const char* falconet_last_error(void) FALCONET_NOEXCEPT;
/* "FALCONET_OK" and so on; "unknown status" for other numbers. */
FALCONET_API const char* falconet_status_name(falconet_status status) FALCONET_NOEXCEPT;

FALCONET_API const char* falconet_version(void) FALCONET_NOEXCEPT; /* of the library: "0.1.0" */
FALCONET_API const char* falconet_isa(void) FALCONET_NOEXCEPT;     /* the kernels in use: "avx512"; "" where none run */

/* Threads that large work may be shared among, the caller's included. Set from FALCONET_THREADS, or the processors that
 * this process may use. Small work never leaves the caller's thread. */
FALCONET_API int32_t falconet_num_threads(void) FALCONET_NOEXCEPT;
/* From 1 to 1024, for predictors and learners made from then on. */
FALCONET_API falconet_status falconet_set_num_threads(int32_t threads) FALCONET_NOEXCEPT;

/* --- arrays -------------------------------------------------------------------------------------------------------- */

typedef int32_t falconet_dtype;
enum {
  FALCONET_BOOL = 0, /* one byte, 0 or 1 */
  FALCONET_UINT8 = 1,
  FALCONET_INT8 = 2,
  FALCONET_UINT16 = 3,
  FALCONET_INT16 = 4,
  FALCONET_UINT32 = 5,
  FALCONET_INT32 = 6,
  FALCONET_UINT64 = 7,
  FALCONET_INT64 = 8,
  FALCONET_FLOAT16 = 9,
  FALCONET_BFLOAT16 = 10,
  FALCONET_FLOAT32 = 11,
  FALCONET_FLOAT64 = 12
};
FALCONET_API const char* falconet_dtype_name(falconet_dtype dtype) FALCONET_NOEXCEPT; /* "float32"; "" where unknown */
FALCONET_API size_t falconet_dtype_size(falconet_dtype dtype) FALCONET_NOEXCEPT;      /* in bytes; 0 where unknown */

enum { FALCONET_MAX_RANK = 8 };

/* An input, output, weight or state of a model. The size of axis d for n rows is fixed[d] + per_row[d] * n; for most
 * models axis 0 of inputs and outputs is the rows (fixed 0, per_row 1) and nothing else depends on them. */
typedef struct falconet_port {
  size_t size;
  const char* name; /* lives as long as what it was asked of */
  falconet_dtype dtype;
  int32_t rank;
  int64_t fixed[FALCONET_MAX_RANK];
  int64_t per_row[FALCONET_MAX_RANK];
} falconet_port;
#define FALCONET_PORT_INIT {sizeof(falconet_port), NULL, 0, 0, {0}, {0}}

/* Bytes for `rows` rows. */
FALCONET_API falconet_status falconet_port_bytes(const falconet_port* port, int64_t rows,
                                                 size_t* bytes) FALCONET_NOEXCEPT;
/* The sizes of its axes for `rows` rows; `shape` has room for port->rank of them. */
FALCONET_API falconet_status falconet_port_shape(const falconet_port* port, int64_t rows,
                                                 int64_t* shape) FALCONET_NOEXCEPT;

/* Memory of the caller's that a model reads or writes: contiguous, row-major, aligned to the dtype. `bytes` must be what
 * the port takes for the rows. An array with a name stands for the port of that name, one without (NULL) for the port at
 * its position; every port comes once. These two structs never grow. */
typedef struct falconet_input {
  const void* data;
  size_t bytes;
  falconet_dtype dtype;
  const char* name;
} falconet_input;

typedef struct falconet_output {
  void* data;
  size_t bytes;
  falconet_dtype dtype;
  const char* name;
} falconet_output;

/* --- predictors ---------------------------------------------------------------------------------------------------- */

/* Answers from a model. Any number of threads may run one predictor at the same time; a predictor with a state (a
 * streaming model) does one run at a time, and others wait. Only falconet_predictor_free must come after everything
 * else. Make predictors before the process forks: children share what was made before. */
typedef struct falconet_predictor falconet_predictor;

typedef struct falconet_predictor_options {
  size_t size;
  int32_t threads; /* that one run may use, the caller's included; 0: falconet_num_threads() */
  int32_t flags;   /* 0 or FALCONET_SKIP_TEST */
  /* Numbers of rows to be ready for; others are planned when they are first met. NULL and 0: one row. */
  const int64_t* batch_sizes;
  size_t num_batch_sizes;
} falconet_predictor_options;
#define FALCONET_PREDICTOR_OPTIONS_INIT {sizeof(falconet_predictor_options), 0, 0, NULL, 0}

enum { FALCONET_SKIP_TEST = 1 }; /* do not run the model's stored test vector at load */

/* `options` may be NULL. *predictor is set to NULL where it fails. */
FALCONET_API falconet_status falconet_predictor_load(const char* path, const falconet_predictor_options* options,
                                                     falconet_predictor** predictor) FALCONET_NOEXCEPT;
/* From the bytes of a model file, which are copied. */
FALCONET_API falconet_status falconet_predictor_load_memory(const void* data, size_t bytes,
                                                            const falconet_predictor_options* options,
                                                            falconet_predictor** predictor) FALCONET_NOEXCEPT;
/* Another predictor on the same weights, which updates replace for both, with a copy of the state. */
FALCONET_API falconet_status falconet_predictor_copy(falconet_predictor* predictor,
                                                     falconet_predictor** copy) FALCONET_NOEXCEPT;
FALCONET_API void falconet_predictor_free(falconet_predictor* predictor) FALCONET_NOEXCEPT; /* NULL is allowed */

/* What the model has, and the port at a position of it. Counts are 0 for NULL. */
FALCONET_API size_t falconet_predictor_num_inputs(const falconet_predictor* predictor) FALCONET_NOEXCEPT;
FALCONET_API size_t falconet_predictor_num_outputs(const falconet_predictor* predictor) FALCONET_NOEXCEPT;
FALCONET_API size_t falconet_predictor_num_weights(const falconet_predictor* predictor) FALCONET_NOEXCEPT;
FALCONET_API size_t falconet_predictor_num_states(const falconet_predictor* predictor) FALCONET_NOEXCEPT;
FALCONET_API falconet_status falconet_predictor_input(const falconet_predictor* predictor, size_t index,
                                                      falconet_port* port) FALCONET_NOEXCEPT;
FALCONET_API falconet_status falconet_predictor_output(const falconet_predictor* predictor, size_t index,
                                                       falconet_port* port) FALCONET_NOEXCEPT;
FALCONET_API falconet_status falconet_predictor_weight(const falconet_predictor* predictor, size_t index,
                                                       falconet_port* port) FALCONET_NOEXCEPT;
FALCONET_API falconet_status falconet_predictor_state(const falconet_predictor* predictor, size_t index,
                                                      falconet_port* port) FALCONET_NOEXCEPT;
/* What the model was exported with; NULL where there is no such key. Lives as long as the predictor. */
FALCONET_API const char* falconet_predictor_metadata(const falconet_predictor* predictor,
                                                     const char* key) FALCONET_NOEXCEPT;

/* Predicts `rows` rows; 1 where the model has a fixed batch size. After the first run of a number of rows: no allocation, no lock, no system call, except where
 * the work is large enough to be shared among threads. Outputs must not overlap inputs or one another.
 * FALCONET_INVALID_ARGUMENT also where an index in an input is out of range (of an embedding, say): outputs then hold
 * anything, and a state has moved on. */
FALCONET_API falconet_status falconet_predictor_run(falconet_predictor* predictor, int64_t rows,
                                                    const falconet_input* inputs, size_t num_inputs,
                                                    const falconet_output* outputs,
                                                    size_t num_outputs) FALCONET_NOEXCEPT;
/* The same for a model of one float32 input and one float32 output; `x_count` and `y_count` are elements. */
FALCONET_API falconet_status falconet_predictor_run_f32(falconet_predictor* predictor, int64_t rows, const float* x,
                                                        size_t x_count, float* y, size_t y_count) FALCONET_NOEXCEPT;

/* Plans for these numbers of rows and touches all memory they need, for `contexts` (1 to 256) threads at once: first
 * runs then take no longer than later ones. */
FALCONET_API falconet_status falconet_predictor_prepare(falconet_predictor* predictor, const int64_t* batch_sizes,
                                                        size_t num_batch_sizes, int32_t contexts) FALCONET_NOEXCEPT;

/* Replaces all weights at once while other threads predict: a run sees the old ones or the new ones, never a mixture.
 * The arrays are copied. */
FALCONET_API falconet_status falconet_predictor_update(falconet_predictor* predictor, const falconet_input* weights,
                                                       size_t num_weights) FALCONET_NOEXCEPT;
/* From a model file that has the same weights by name. */
FALCONET_API falconet_status falconet_predictor_update_from_file(falconet_predictor* predictor,
                                                                 const char* path) FALCONET_NOEXCEPT;
/* Copies the weights, or the state, into the caller's memory. */
FALCONET_API falconet_status falconet_predictor_get_weights(falconet_predictor* predictor,
                                                            const falconet_output* weights,
                                                            size_t num_weights) FALCONET_NOEXCEPT;
FALCONET_API falconet_status falconet_predictor_get_state(falconet_predictor* predictor, const falconet_output* state,
                                                          size_t num_states) FALCONET_NOEXCEPT;
FALCONET_API falconet_status falconet_predictor_set_state(falconet_predictor* predictor, const falconet_input* state,
                                                          size_t num_states) FALCONET_NOEXCEPT;
/* Puts the state back to what it was in the model. */
FALCONET_API falconet_status falconet_predictor_reset(falconet_predictor* predictor) FALCONET_NOEXCEPT;

/* What a predictor holds. */
typedef struct falconet_memory {
  size_t size;
  int64_t weight_bytes, packed_bytes, arena_bytes;
  int64_t contexts, plans; /* how many */
} falconet_memory;
#define FALCONET_MEMORY_INIT {sizeof(falconet_memory), 0, 0, 0, 0, 0}
FALCONET_API falconet_status falconet_predictor_memory(falconet_predictor* predictor,
                                                       falconet_memory* memory) FALCONET_NOEXCEPT;
/* Gives back the plans and arenas of contexts that are idle; the next runs make them again. */
FALCONET_API falconet_status falconet_predictor_release(falconet_predictor* predictor) FALCONET_NOEXCEPT;

/* --- learners ------------------------------------------------------------------------------------------------------ */

/* Goes on training a model that was exported with training=True. One step or prediction at a time; other threads wait.
 * An inference-only library has these functions too, and all of them fail. */
typedef struct falconet_learner falconet_learner;

typedef struct falconet_learner_options {
  size_t size;
  int32_t threads; /* as in falconet_predictor_options */
  int32_t flags;   /* must be 0 */
} falconet_learner_options;
#define FALCONET_LEARNER_OPTIONS_INIT {sizeof(falconet_learner_options), 0, 0}

/* The functions of a learner. Inputs of training and evaluation are the model's, then "y" (or "y/<name>"), then
 * "sample_weight" where the model was exported with it; their outputs are "loss" and the metrics, averages since they
 * were last reset. */
typedef int32_t falconet_function;
enum { FALCONET_TRAIN = 0, FALCONET_PREDICT = 1, FALCONET_EVALUATE = 2 };

FALCONET_API falconet_status falconet_learner_load(const char* path, const falconet_learner_options* options,
                                                   falconet_learner** learner) FALCONET_NOEXCEPT;
FALCONET_API falconet_status falconet_learner_load_memory(const void* data, size_t bytes,
                                                          const falconet_learner_options* options,
                                                          falconet_learner** learner) FALCONET_NOEXCEPT;
FALCONET_API void falconet_learner_free(falconet_learner* learner) FALCONET_NOEXCEPT; /* NULL is allowed */

/* Counts are 0 for NULL and for a function that the model lacks. */
FALCONET_API size_t falconet_learner_num_inputs(const falconet_learner* learner,
                                                falconet_function function) FALCONET_NOEXCEPT;
FALCONET_API size_t falconet_learner_num_outputs(const falconet_learner* learner,
                                                 falconet_function function) FALCONET_NOEXCEPT;
FALCONET_API falconet_status falconet_learner_input(const falconet_learner* learner, falconet_function function,
                                                    size_t index, falconet_port* port) FALCONET_NOEXCEPT;
FALCONET_API falconet_status falconet_learner_output(const falconet_learner* learner, falconet_function function,
                                                     size_t index, falconet_port* port) FALCONET_NOEXCEPT;

/* Runs a function on `rows` rows, as falconet_predictor_run. A training step changes the weights. After the first run of
 * a number of rows nothing is allocated. */
FALCONET_API falconet_status falconet_learner_run(falconet_learner* learner, falconet_function function, int64_t rows,
                                                  const falconet_input* inputs, size_t num_inputs,
                                                  const falconet_output* outputs,
                                                  size_t num_outputs) FALCONET_NOEXCEPT;
/* falconet_learner_run with FALCONET_TRAIN, and with FALCONET_PREDICT. */
FALCONET_API falconet_status falconet_learner_step(falconet_learner* learner, int64_t rows,
                                                   const falconet_input* inputs, size_t num_inputs,
                                                   const falconet_output* outputs,
                                                   size_t num_outputs) FALCONET_NOEXCEPT;
FALCONET_API falconet_status falconet_learner_predict(falconet_learner* learner, int64_t rows,
                                                      const falconet_input* inputs, size_t num_inputs,
                                                      const falconet_output* outputs,
                                                      size_t num_outputs) FALCONET_NOEXCEPT;

/* Starts the averages of loss and metrics anew. */
FALCONET_API falconet_status falconet_learner_reset_metrics(falconet_learner* learner) FALCONET_NOEXCEPT;
/* Writes a model file with all there is: a learner loaded from it goes on exactly where this one is. The file is replaced
 * whole or not at all. */
FALCONET_API falconet_status falconet_learner_save(falconet_learner* learner, const char* path) FALCONET_NOEXCEPT;
/* Puts the weights as they are now into a predictor of the same model, as falconet_predictor_update; neither stops. */
FALCONET_API falconet_status falconet_learner_snapshot(falconet_learner* learner,
                                                       falconet_predictor* predictor) FALCONET_NOEXCEPT;

#ifdef __cplusplus
} /* extern "C" */
#endif

#endif /* FALCONET_FALCONET_H_ */
