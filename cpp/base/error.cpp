#include "base/error.h"

#include <sstream>

namespace falconet {

void TextPart::write_characters(std::ostream& out, const void* value) { out << static_cast<const char*>(value); }

std::string join_parts(std::initializer_list<TextPart> parts) {
  std::ostringstream text;
  for (const TextPart& part : parts) part.write_to(text);
  return text.str();
}

}  // namespace falconet
