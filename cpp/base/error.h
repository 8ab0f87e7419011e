// Errors that reach the user, with the Python exception each becomes.
//
// Text has the form "[op or layer] what came; what is needed. Remedy where known." An InternalError is a bug of ours.
#pragma once

#include <sstream>
#include <stdexcept>
#include <string>
#include <utility>

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

template <class... Parts>
std::string join_text(Parts&&... parts) {
  std::ostringstream text;
  (text << ... << std::forward<Parts>(parts));
  return text.str();
}

template <class Kind = ValueError, class... Parts>
[[noreturn]] void fail(Parts&&... parts) {
  throw Kind(join_text(std::forward<Parts>(parts)...));
}

}  // namespace falconet
