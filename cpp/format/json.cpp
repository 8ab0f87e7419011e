#include "format/json.h"

#include <algorithm>
#include <charconv>
#include <locale>
#include <sstream>

namespace falconet {

namespace {

bool is_digit(char c) { return c >= '0' && c <= '9'; }

// False where the number is beyond the largest.
bool parse_double(std::string_view token, double& value) {
  std::istringstream in{std::string(token)};
  in.imbue(std::locale::classic());
  return static_cast<bool>(in >> value);
}

void append_utf8(std::string& to, unsigned code) {
  if (code < 0x80) {
    to += static_cast<char>(code);
    return;
  }
  const int more = code < 0x800 ? 1 : code < 0x10000 ? 2 : 3;
  const unsigned lead = more == 1 ? 0xC0 : more == 2 ? 0xE0 : 0xF0;
  to += static_cast<char>(lead | code >> 6 * more);
  for (int i = more - 1; i >= 0; --i) to += static_cast<char>(0x80 | (code >> 6 * i & 0x3F));
}

}  // namespace

bool is_utf8(std::string_view text) {
  for (size_t i = 0; i < text.size();) {
    const unsigned char lead = static_cast<unsigned char>(text[i]);
    if (lead < 0x80) {
      ++i;
      continue;
    }
    const int more = lead >= 0xC2 && lead < 0xE0   ? 1
                     : lead >= 0xE0 && lead < 0xF0 ? 2
                     : lead >= 0xF0 && lead < 0xF5 ? 3
                                                   : 0;
    if (more == 0 || i + more >= text.size()) return false;
    unsigned code = lead & (0x3F >> more);
    for (int k = 1; k <= more; ++k) {
      const unsigned char next = static_cast<unsigned char>(text[i + k]);
      if ((next & 0xC0) != 0x80) return false;
      code = code << 6 | (next & 0x3F);
    }
    const unsigned least = more == 1 ? 0x80 : more == 2 ? 0x800 : 0x10000;
    if (code < least || code > 0x10FFFF || (code >= 0xD800 && code < 0xE000)) return false;
    i += 1 + more;
  }
  return true;
}

JsonReader::JsonReader(std::string_view text, const char* what) : text_(text), what_(what) {
  if (!is_utf8(text)) fail("[load] ", what, " is not UTF-8");
}

void JsonReader::skip_blanks() {
  while (at_ < text_.size() && (text_[at_] == ' ' || text_[at_] == '\n' || text_[at_] == '\r' || text_[at_] == '\t'))
    ++at_;
}

JsonReader::Kind JsonReader::kind() {
  skip_blanks();
  const char c = at_ < text_.size() ? text_[at_] : '\0';
  switch (c) {
    case '{':
      return Kind::object;
    case '[':
      return Kind::array;
    case '"':
      return Kind::string;
    case 't':
    case 'f':
      return Kind::boolean;
    case 'n':
      return Kind::null;
    default:
      if (c == '-' || is_digit(c)) return Kind::number;
      refuse("a value is needed");
  }
}

void JsonReader::expect(char c) {
  skip_blanks();
  if (at_ >= text_.size() || text_[at_] != c) refuse("'", c, "' is needed");
  ++at_;
}

void JsonReader::open(char bracket) {
  expect(bracket);
  if (++depth_ > kMaxDepth) refuse("nested more than ", kMaxDepth, " deep");
}

bool JsonReader::more(char bracket, bool first) {
  skip_blanks();
  if (at_ < text_.size() && text_[at_] == bracket) {
    ++at_;
    --depth_;
    return false;
  }
  if (!first) expect(',');
  return true;
}

unsigned JsonReader::hex4() {
  unsigned code = 0;
  for (int i = 0; i < 4; ++i, ++at_) {
    const char c = at_ < text_.size() ? text_[at_] : '\0';
    const int digit = is_digit(c)            ? c - '0'
                      : c >= 'a' && c <= 'f' ? c - 'a' + 10
                      : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                             : -1;
    if (digit < 0) refuse("\\u needs four hexadecimal digits");
    code = code << 4 | static_cast<unsigned>(digit);
  }
  return code;
}

void JsonReader::append_escape(std::string& to) {
  const char c = at_ < text_.size() ? text_[at_++] : '\0';
  switch (c) {
    case '"':
    case '\\':
    case '/':
      to += c;
      return;
    case 'b':
      to += '\b';
      return;
    case 'f':
      to += '\f';
      return;
    case 'n':
      to += '\n';
      return;
    case 'r':
      to += '\r';
      return;
    case 't':
      to += '\t';
      return;
    case 'u':
      break;
    default:
      refuse("unknown escape in a string");
  }
  unsigned code = hex4();
  if (code >= 0xD800 && code < 0xDC00 && text_.substr(at_, 2) == "\\u") {
    at_ += 2;
    const unsigned low = hex4();
    if (low < 0xDC00 || low >= 0xE000) refuse("half of a surrogate pair");
    code = 0x10000 + ((code - 0xD800) << 10) + (low - 0xDC00);
  } else if (code >= 0xD800 && code < 0xE000) {
    refuse("half of a surrogate pair");
  }
  append_utf8(to, code);
}

std::string JsonReader::string(size_t max_bytes) {
  expect('"');
  std::string found;
  // A long one is reserved whole, up to where it must have ended: growing would hold it more than once.
  if (max_bytes > kMaxString) found.reserve(std::min(text_.find('"', at_), text_.size()) - at_);
  while (true) {
    if (at_ >= text_.size()) refuse("the text ends inside a string");
    const char c = text_[at_++];
    if (c == '"') return found;
    if (static_cast<unsigned char>(c) < 0x20) refuse("a control character in a string");
    if (c == '\\') {
      append_escape(found);
    } else {
      found += c;
    }
    if (found.size() > max_bytes) refuse("a string of more than ", max_bytes, " bytes");
  }
}

// The characters of a number, of JSON's grammar; at most 40.
std::string_view JsonReader::number_token() {
  skip_blanks();
  const size_t begin = at_;
  const auto here = [&] { return at_ < text_.size() ? text_[at_] : '\0'; };
  const auto digits = [&] {
    if (!is_digit(here())) refuse("a digit is needed");
    while (is_digit(here())) ++at_;
  };
  if (here() == '-') ++at_;
  if (here() == '0') {
    ++at_;
  } else {
    digits();
  }
  if (here() == '.') {
    ++at_;
    digits();
  }
  if (here() == 'e' || here() == 'E') {
    ++at_;
    if (here() == '+' || here() == '-') ++at_;
    digits();
  }
  if (at_ - begin > 40) refuse("a number of more than 40 characters");
  return text_.substr(begin, at_ - begin);
}

int64_t JsonReader::integer() {
  const std::string_view token = number_token();
  int64_t value = 0;
  const auto [rest, error] = std::from_chars(token.data(), token.data() + token.size(), value);
  if (error != std::errc() || rest != token.data() + token.size()) refuse(token, " is not an integer of 64 bits");
  return value;
}

double JsonReader::number() {
  const std::string_view token = number_token();
  double value = 0;
  if (!parse_double(token, value)) refuse(token, " is too large");
  return value;
}

void JsonReader::word(std::string_view expected) {
  if (text_.substr(at_, expected.size()) != expected) refuse("a value is needed");
  at_ += expected.size();
}

bool JsonReader::boolean() {
  if (kind() != Kind::boolean) refuse("true or false is needed");
  const bool value = text_[at_] == 't';
  word(value ? "true" : "false");
  return value;
}

void JsonReader::end() {
  skip_blanks();
  if (at_ != text_.size()) refuse("something follows the end");
}

void append_json_string(std::string& to, std::string_view text) {
  static const char* hex = "0123456789abcdef";
  to += '"';
  for (char c : text) {
    const auto code = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      (to += '\\') += c;
    } else if (code < 0x20) {
      ((to += "\\u00") += hex[code >> 4]) += hex[code & 15];
    } else {
      to += c;
    }
  }
  to += '"';
}

void append_json_number(std::string& to, double value) {
  for (int digits = 15; digits <= 17; ++digits) {
    std::ostringstream out;
    out.imbue(std::locale::classic());
    out.precision(digits);
    out << value;
    double again = 0;
    if (digits < 17 && (!parse_double(out.str(), again) || again != value)) continue;
    to += out.str();
    return;
  }
}

}  // namespace falconet
