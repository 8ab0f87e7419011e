// Errors that reach the user, with the Python exception each becomes.
//
// Text has the form "[op or layer] what came; what is needed. Remedy where known." An InternalError is a bug of ours.
#pragma once

#include <initializer_list>
#include <ostream>
#include <stdexcept>
#include <string>
#include <type_traits>

namespace falconet {

struct Error : std::runtime_error {
  using std::runtime_error::runtime_error;
};
struct ValueError : Error {  // Python ValueError: a shape, range or count that does not fit
  using Error::Error;
};
struct TypeError : Error {  // Python TypeError: a dtype or kind of argument that does not fit
  using Error::Error;
};
struct InternalError : Error {  // Python RuntimeError: please report
  using Error::Error;
};

// One part of a text: whatever an ostream takes. It refers to its value, so it lives within one expression. Behind it
// the functions below are compiled once, and not for every list of types.
class TextPart {
 public:
  TextPart(const char* text) : value_(text), write_(write_characters) {}
  template <class T>
    requires(!std::is_convertible_v<const T&, const char*>)
  TextPart(const T& value) : value_(&value), write_(write_value<T>) {}

  void write_to(std::ostream& out) const { write_(out, value_); }

 private:
  static void write_characters(std::ostream& out, const void* value);
  template <class T>
  static void write_value(std::ostream& out, const void* value) {
    out << *static_cast<const T*>(value);
  }

  const void* value_;
  void (*write_)(std::ostream&, const void*);
};

std::string join_parts(std::initializer_list<TextPart> parts);

template <class... Parts>
std::string join_text(const Parts&... parts) {
  return join_parts({TextPart(parts)...});
}

template <class Kind = ValueError, class... Parts>
[[noreturn]] void fail(const Parts&... parts) {
  throw Kind(join_parts({TextPart(parts)...}));
}

}  // namespace falconet
