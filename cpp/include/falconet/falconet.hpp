// Falconet in C++17: falconet.h with owners, views and types.
//
//   falconet::Predictor model("m.falconet");
//   model.run(1, x, y);  // float x[4], y[1]; or std::array, std::vector, std::span of them
//
// Functions named try_... never throw: they return a Status, or a Result that holds a value or a Status, and are there
// under -fno-exceptions -fno-rtti too. The others throw falconet::Error and are there where exceptions are on.
//
// docs/embedding.md has examples; falconet.h says what each function does.
#pragma once

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <new>
#include <type_traits>
#include <utility>

#include "falconet/falconet.h"

#if defined(__cpp_exceptions) || defined(_CPPUNWIND)
#define FALCONET_EXCEPTIONS 1
#include <stdexcept>
#else
#define FALCONET_EXCEPTIONS 0
#endif

namespace falconet {
// A namespace of its own for symbols: the library's have other names, whatever a program links.
inline namespace v1 {

// Elements in a row somewhere: what a std::span is. Made from anything that has data() and size(), or from an array.
template <class T>
class Span {
 public:
  constexpr Span() noexcept = default;
  constexpr Span(T* data, std::size_t size) noexcept : data_(data), size_(size) {}
  template <std::size_t N>
  constexpr Span(T (&array)[N]) noexcept : data_(array), size_(N) {}
  template <class C, class = std::enable_if_t<std::is_convertible_v<
                         std::remove_pointer_t<decltype(std::declval<C&>().data())> (*)[], T (*)[]>>>
  constexpr Span(C&& container) noexcept : data_(container.data()), size_(container.size()) {}

  constexpr T* data() const noexcept { return data_; }
  constexpr std::size_t size() const noexcept { return size_; }
  constexpr bool empty() const noexcept { return size_ == 0; }
  constexpr T& operator[](std::size_t i) const noexcept { return data_[i]; }
  constexpr T* begin() const noexcept { return data_; }
  constexpr T* end() const noexcept { return data_ + size_; }

 private:
  T* data_ = nullptr;
  std::size_t size_ = 0;
};

// The dtype of a C++ type. There is none for 16-bit floats: give those by in(data, bytes, dtype).
template <class T>
constexpr falconet_dtype dtype_of() noexcept {
  if constexpr (std::is_same_v<T, bool>) {
    return FALCONET_BOOL;
  } else if constexpr (std::is_same_v<T, float>) {
    return FALCONET_FLOAT32;
  } else if constexpr (std::is_same_v<T, double>) {
    return FALCONET_FLOAT64;
  } else {
    static_assert(std::is_integral_v<T> && sizeof(T) <= 8, "Falconet has no dtype for this type");
    constexpr int kLog2 = sizeof(T) == 1 ? 0 : sizeof(T) == 2 ? 1 : sizeof(T) == 4 ? 2 : 3;
    return FALCONET_UINT8 + 2 * kLog2 + (std::is_signed_v<T> ? 1 : 0);
  }
}

// What an operation came to. Converts to true where it succeeded.
class [[nodiscard]] Status {
 public:
  constexpr Status() noexcept = default;
  constexpr Status(falconet_status code) noexcept : code_(code) {}
  constexpr explicit operator bool() const noexcept { return code_ == FALCONET_OK; }
  constexpr falconet_status code() const noexcept { return code_; }
  // What came and what was needed; valid until this thread's next failure. "" where it succeeded.
  const char* text() const noexcept { return code_ == FALCONET_OK ? "" : falconet_last_error(); }

 private:
  falconet_status code_ = FALCONET_OK;
};

#if FALCONET_EXCEPTIONS
class Error : public std::runtime_error {
 public:
  explicit Error(const Status& status) : std::runtime_error(status.text()), code_(status.code()) {}
  falconet_status code() const noexcept { return code_; }

 private:
  falconet_status code_;
};

inline void check(const Status& status) {
  if (!status) throw Error(status);
}
#endif

// A value, or why there is none.
template <class T>
class [[nodiscard]] Result {
 public:
  Result(T value) noexcept : value_(std::move(value)) {}
  Result(Status status) noexcept : status_(status) {}
  explicit operator bool() const noexcept { return static_cast<bool>(status_); }
  const Status& status() const noexcept { return status_; }
  const char* error() const noexcept { return status_.text(); }
  // Only where it is true.
  T& operator*() noexcept { return value_; }
  T* operator->() noexcept { return &value_; }
#if FALCONET_EXCEPTIONS
  T value() && {  // throws where there is none
    check(status_);
    return std::move(value_);
  }
#endif

 private:
  T value_;
  Status status_;
};

// Arrays for a call, by position or by name: of a container, an array, or one number.
template <class C, class T = std::remove_pointer_t<decltype(std::declval<const C&>().data())>>
constexpr falconet_input in(const C& x, const char* name = nullptr) noexcept {
  return {x.data(), x.size() * sizeof(T), dtype_of<std::remove_const_t<T>>(), name};
}
template <class T, std::size_t N>
constexpr falconet_input in(const T (&x)[N], const char* name = nullptr) noexcept {
  return {x, sizeof x, dtype_of<T>(), name};
}
template <class T, std::enable_if_t<std::is_arithmetic_v<T>, int> = 0>
constexpr falconet_input in(const T& x, const char* name = nullptr) noexcept {
  return {&x, sizeof x, dtype_of<T>(), name};
}
constexpr falconet_input in(const void* data, std::size_t bytes, falconet_dtype dtype,
                            const char* name = nullptr) noexcept {
  return {data, bytes, dtype, name};
}
template <class C, class T = std::remove_pointer_t<decltype(std::declval<C&>().data())>>
constexpr falconet_output out(C&& y, const char* name = nullptr) noexcept {
  return {y.data(), y.size() * sizeof(T), dtype_of<T>(), name};
}
template <class T, std::size_t N>
constexpr falconet_output out(T (&y)[N], const char* name = nullptr) noexcept {
  return {y, sizeof y, dtype_of<T>(), name};
}
template <class T, std::enable_if_t<std::is_arithmetic_v<T>, int> = 0>
constexpr falconet_output out(T& y, const char* name = nullptr) noexcept {
  return {&y, sizeof y, dtype_of<T>(), name};
}
constexpr falconet_output out(void* data, std::size_t bytes, falconet_dtype dtype,
                              const char* name = nullptr) noexcept {
  return {data, bytes, dtype, name};
}

using Inputs = std::initializer_list<falconet_input>;
using Outputs = std::initializer_list<falconet_output>;

// An input, output, weight or state.
struct Port : falconet_port {
  Port() noexcept : falconet_port(FALCONET_PORT_INIT) {}
  // Elements and bytes for `rows` rows; 0 where there are none or too many.
  std::size_t bytes(std::int64_t rows) const noexcept {
    std::size_t found = 0;
    return falconet_port_bytes(this, rows, &found) == FALCONET_OK ? found : 0;
  }
  std::size_t elements(std::int64_t rows) const noexcept {
    const std::size_t each = falconet_dtype_size(dtype);
    return each ? bytes(rows) / each : 0;
  }
};

struct PredictorOptions {
  int threads = 0;  // that one run may use; 0: all
  Span<const std::int64_t> batch_sizes;
  bool verify = true;  // run the model's stored test vector
};

// Answers from a model, from any number of threads at the same time.
class Predictor {
 public:
  Predictor() noexcept = default;  // none: every call fails
  ~Predictor() { falconet_predictor_free(handle_); }
  Predictor(Predictor&& other) noexcept : handle_(std::exchange(other.handle_, nullptr)) {}
  Predictor& operator=(Predictor&& other) noexcept {
    std::swap(handle_, other.handle_);
    return *this;
  }
  explicit operator bool() const noexcept { return handle_ != nullptr; }
  falconet_predictor* handle() const noexcept { return handle_; }

  static Result<Predictor> try_load(const char* path, const PredictorOptions& options = {}) noexcept {
    const falconet_predictor_options o = options_of(options);
    Predictor made;
    return made.keep(falconet_predictor_load(path, &o, &made.handle_));
  }
  static Result<Predictor> try_load(Span<const unsigned char> file, const PredictorOptions& options = {}) noexcept {
    const falconet_predictor_options o = options_of(options);
    Predictor made;
    return made.keep(falconet_predictor_load_memory(file.data(), file.size(), &o, &made.handle_));
  }
  Result<Predictor> try_copy() const noexcept {
    Predictor made;
    return made.keep(falconet_predictor_copy(handle_, &made.handle_));
  }

  std::size_t num_inputs() const noexcept { return falconet_predictor_num_inputs(handle_); }
  std::size_t num_outputs() const noexcept { return falconet_predictor_num_outputs(handle_); }
  std::size_t num_weights() const noexcept { return falconet_predictor_num_weights(handle_); }
  std::size_t num_states() const noexcept { return falconet_predictor_num_states(handle_); }
  // Where there is none at `index`: rank 0 and no name.
  Port input(std::size_t index) const noexcept { return port(falconet_predictor_input, index); }
  Port output(std::size_t index) const noexcept { return port(falconet_predictor_output, index); }
  Port weight(std::size_t index) const noexcept { return port(falconet_predictor_weight, index); }
  Port state(std::size_t index) const noexcept { return port(falconet_predictor_state, index); }
  const char* metadata(const char* key) const noexcept { return falconet_predictor_metadata(handle_, key); }

  Status try_run(std::int64_t rows, Span<const float> x, Span<float> y) const noexcept {
    return falconet_predictor_run_f32(handle_, rows, x.data(), x.size(), y.data(), y.size());
  }
  Status try_run(std::int64_t rows, Inputs inputs, Outputs outputs) const noexcept {
    return falconet_predictor_run(handle_, rows, inputs.begin(), inputs.size(), outputs.begin(), outputs.size());
  }
  Status try_prepare(Span<const std::int64_t> batch_sizes, int contexts = 1) const noexcept {
    return falconet_predictor_prepare(handle_, batch_sizes.data(), batch_sizes.size(), contexts);
  }
  Status try_update(Span<const falconet_input> weights) const noexcept {
    return falconet_predictor_update(handle_, weights.data(), weights.size());
  }
  Status try_update(const char* path) const noexcept { return falconet_predictor_update_from_file(handle_, path); }
  Status try_get_weights(Span<const falconet_output> weights) const noexcept {
    return falconet_predictor_get_weights(handle_, weights.data(), weights.size());
  }
  Status try_get_state(Span<const falconet_output> state) const noexcept {
    return falconet_predictor_get_state(handle_, state.data(), state.size());
  }
  Status try_set_state(Span<const falconet_input> state) const noexcept {
    return falconet_predictor_set_state(handle_, state.data(), state.size());
  }
  Status try_reset() const noexcept { return falconet_predictor_reset(handle_); }
  Status try_memory(falconet_memory& memory) const noexcept {
    memory = FALCONET_MEMORY_INIT;
    return falconet_predictor_memory(handle_, &memory);
  }
  Status try_release() const noexcept { return falconet_predictor_release(handle_); }

#if FALCONET_EXCEPTIONS
  explicit Predictor(const char* path, const PredictorOptions& options = {}) : Predictor(try_load(path, options).value()) {}
  explicit Predictor(Span<const unsigned char> file, const PredictorOptions& options = {})
      : Predictor(try_load(file, options).value()) {}
  Predictor copy() const { return try_copy().value(); }
  void run(std::int64_t rows, Span<const float> x, Span<float> y) const { check(try_run(rows, x, y)); }
  void run(std::int64_t rows, Inputs inputs, Outputs outputs) const { check(try_run(rows, inputs, outputs)); }
  void prepare(Span<const std::int64_t> batch_sizes, int contexts = 1) const { check(try_prepare(batch_sizes, contexts)); }
  void update(Span<const falconet_input> weights) const { check(try_update(weights)); }
  void update(const char* path) const { check(try_update(path)); }
  void get_weights(Span<const falconet_output> weights) const { check(try_get_weights(weights)); }
  void get_state(Span<const falconet_output> state) const { check(try_get_state(state)); }
  void set_state(Span<const falconet_input> state) const { check(try_set_state(state)); }
  void reset() const { check(try_reset()); }
  falconet_memory memory() const {
    falconet_memory found;
    check(try_memory(found));
    return found;
  }
  void release() const { check(try_release()); }
#endif

 private:
  using GetPort = falconet_status(const falconet_predictor*, std::size_t, falconet_port*) noexcept;
  Port port(GetPort* get, std::size_t index) const noexcept {
    Port found;
    get(handle_, index, &found);
    return found;
  }
  Result<Predictor> keep(falconet_status status) noexcept {
    if (status != FALCONET_OK) return Status(status);
    return std::move(*this);
  }
  static falconet_predictor_options options_of(const PredictorOptions& options) noexcept {
    falconet_predictor_options made = FALCONET_PREDICTOR_OPTIONS_INIT;
    made.threads = options.threads;
    made.flags = options.verify ? 0 : FALCONET_SKIP_TEST;
    made.batch_sizes = options.batch_sizes.data();
    made.num_batch_sizes = options.batch_sizes.size();
    return made;
  }

  falconet_predictor* handle_ = nullptr;
};

// Goes on training a model that was exported with training=True.
class Learner {
 public:
  Learner() noexcept = default;  // none: every call fails
  ~Learner() { falconet_learner_free(handle_); }
  Learner(Learner&& other) noexcept : handle_(std::exchange(other.handle_, nullptr)) {}
  Learner& operator=(Learner&& other) noexcept {
    std::swap(handle_, other.handle_);
    return *this;
  }
  explicit operator bool() const noexcept { return handle_ != nullptr; }
  falconet_learner* handle() const noexcept { return handle_; }

  static Result<Learner> try_load(const char* path, int threads = 0) noexcept {
    const falconet_learner_options o = options_of(threads);
    Learner made;
    return made.keep(falconet_learner_load(path, &o, &made.handle_));
  }
  static Result<Learner> try_load(Span<const unsigned char> file, int threads = 0) noexcept {
    const falconet_learner_options o = options_of(threads);
    Learner made;
    return made.keep(falconet_learner_load_memory(file.data(), file.size(), &o, &made.handle_));
  }

  // Of a function: FALCONET_TRAIN, FALCONET_PREDICT, FALCONET_EVALUATE.
  std::size_t num_inputs(falconet_function f) const noexcept { return falconet_learner_num_inputs(handle_, f); }
  std::size_t num_outputs(falconet_function f) const noexcept { return falconet_learner_num_outputs(handle_, f); }
  Port input(falconet_function f, std::size_t index) const noexcept { return port(falconet_learner_input, f, index); }
  Port output(falconet_function f, std::size_t index) const noexcept { return port(falconet_learner_output, f, index); }

  Status try_run(falconet_function f, std::int64_t rows, Inputs inputs, Outputs outputs) const noexcept {
    return falconet_learner_run(handle_, f, rows, inputs.begin(), inputs.size(), outputs.begin(), outputs.size());
  }
  Status try_step(std::int64_t rows, Inputs inputs, Outputs outputs) const noexcept {
    return try_run(FALCONET_TRAIN, rows, inputs, outputs);
  }
  Status try_predict(std::int64_t rows, Inputs inputs, Outputs outputs) const noexcept {
    return try_run(FALCONET_PREDICT, rows, inputs, outputs);
  }
  Status try_evaluate(std::int64_t rows, Inputs inputs, Outputs outputs) const noexcept {
    return try_run(FALCONET_EVALUATE, rows, inputs, outputs);
  }
  Status try_reset_metrics() const noexcept { return falconet_learner_reset_metrics(handle_); }
  Status try_save(const char* path) const noexcept { return falconet_learner_save(handle_, path); }
  Status try_snapshot(const Predictor& predictor) const noexcept {
    return falconet_learner_snapshot(handle_, predictor.handle());
  }

#if FALCONET_EXCEPTIONS
  explicit Learner(const char* path, int threads = 0) : Learner(try_load(path, threads).value()) {}
  explicit Learner(Span<const unsigned char> file, int threads = 0) : Learner(try_load(file, threads).value()) {}
  void step(std::int64_t rows, Inputs inputs, Outputs outputs) const { check(try_step(rows, inputs, outputs)); }
  void predict(std::int64_t rows, Inputs inputs, Outputs outputs) const { check(try_predict(rows, inputs, outputs)); }
  void evaluate(std::int64_t rows, Inputs inputs, Outputs outputs) const { check(try_evaluate(rows, inputs, outputs)); }
  void reset_metrics() const { check(try_reset_metrics()); }
  void save(const char* path) const { check(try_save(path)); }
  void snapshot(const Predictor& predictor) const { check(try_snapshot(predictor)); }
#endif

 private:
  using GetPort = falconet_status(const falconet_learner*, falconet_function, std::size_t, falconet_port*) noexcept;
  Port port(GetPort* get, falconet_function f, std::size_t index) const noexcept {
    Port found;
    get(handle_, f, index, &found);
    return found;
  }
  Result<Learner> keep(falconet_status status) noexcept {
    if (status != FALCONET_OK) return Status(status);
    return std::move(*this);
  }
  static falconet_learner_options options_of(int threads) noexcept {
    falconet_learner_options made = FALCONET_LEARNER_OPTIONS_INIT;
    made.threads = threads;
    return made;
  }

  falconet_learner* handle_ = nullptr;
};

}  // namespace v1
}  // namespace falconet
