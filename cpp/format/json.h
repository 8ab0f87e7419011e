// JSON, read from front to back into whatever the caller makes of it, and written.
//
// The reader builds no tree: its memory is what the caller keeps, and its time is linear in the text. It takes RFC 8259
// in UTF-8, nesting at most kMaxDepth deep. All errors are ValueError and say at which byte.
#pragma once

#include <string>
#include <string_view>

#include "base/error.h"

namespace falconet {

class JsonReader {
 public:
  static constexpr int kMaxDepth = 64;
  static constexpr size_t kMaxString = 4096;  // bytes of a name or other short text

  // `what` names the text in errors. Throws where it is not UTF-8.
  JsonReader(std::string_view text, const char* what);

  enum class Kind { object, array, string, number, boolean, null };
  Kind kind();  // of the value that follows

  // Calls on_member(key) for each member; it must read the value.
  template <class F>
  void object(F&& on_member) {
    open('{');
    for (bool first = true; more('}', first); first = false) {
      const std::string key = string();
      expect(':');
      on_member(key);
    }
  }
  // Calls on_item() for each item; it must read it.
  template <class F>
  void array(F&& on_item) {
    open('[');
    for (bool first = true; more(']', first); first = false) on_item();
  }
  std::string string(size_t max_bytes = kMaxString);
  int64_t integer();
  double number();
  bool boolean();
  void end();  // only blanks may follow

  size_t position() const { return at_; }
  template <class... Parts>
  [[noreturn]] void refuse(const Parts&... parts) const {
    falconet::fail("[load] ", what_, ", byte ", at_, ": ", parts...);
  }
  [[noreturn]] void unknown_key(const std::string& key) const { refuse("unknown key \"", key, "\""); }

 private:
  void skip_blanks();
  void open(char bracket);
  bool more(char bracket, bool first);
  void expect(char c);
  void word(std::string_view expected);
  std::string_view number_token();
  unsigned hex4();
  void append_escape(std::string& to);

  std::string_view text_;
  const char* what_;
  size_t at_ = 0;
  int depth_ = 0;
};

// Members that an object has had, so that none comes twice and none is missing.
class SeenKeys {
 public:
  explicit SeenKeys(const JsonReader& reader) : reader_(reader) {}
  void add(unsigned bit, const std::string& key) {
    if (bits_ >> bit & 1) reader_.refuse("key \"", key, "\" comes twice");
    bits_ |= 1u << bit;
  }
  bool has(unsigned bit) const { return bits_ >> bit & 1; }
  void require(unsigned bit, const char* key) const {
    if (!has(bit)) reader_.refuse("key \"", key, "\" is missing");
  }

 private:
  const JsonReader& reader_;
  unsigned bits_ = 0;
};

void append_json_string(std::string& to, std::string_view text);
// The shortest of 15 to 17 digits that reads back as the same number; finite numbers only.
void append_json_number(std::string& to, double value);

bool is_utf8(std::string_view text);

}  // namespace falconet
