#include "graph/attr.h"

#include <functional>

namespace falconet {

size_t hash_attr(const Attr& attr) {
  size_t h = attr.index();
  const auto mix = [&h](size_t v) { h = (h ^ v) * 0x9E3779B97F4A7C15ull; h ^= h >> 29; };
  struct Visit {
    decltype(mix)& add;
    void operator()(std::monostate) const {}
    void operator()(bool v) const { add(v); }
    void operator()(int64_t v) const { add(static_cast<size_t>(v)); }
    void operator()(double v) const { add(std::hash<double>()(v)); }
    void operator()(const std::string& v) const { add(std::hash<std::string>()(v)); }
    void operator()(const Ints& v) const { for (int64_t i : v) add(static_cast<size_t>(i) + 1); }
    void operator()(DType v) const { add(static_cast<size_t>(v)); }
    void operator()(const std::shared_ptr<const Graph>& v) const { add(reinterpret_cast<size_t>(v.get())); }
    void operator()(const std::shared_ptr<const Callback>& v) const { add(reinterpret_cast<size_t>(v.get())); }
  };
  std::visit(Visit{mix}, attr);
  return h;
}

std::string attr_text(const Attr& attr) {
  struct Visit {
    std::string operator()(std::monostate) const { return "None"; }
    std::string operator()(bool v) const { return v ? "True" : "False"; }
    std::string operator()(int64_t v) const { return std::to_string(v); }
    std::string operator()(double v) const {
      char text[32];
      std::snprintf(text, sizeof text, "%g", v);
      return text;
    }
    std::string operator()(const std::string& v) const { return '"' + v + '"'; }
    std::string operator()(const Ints& v) const {
      std::string text = "[";
      for (size_t i = 0; i < v.size(); ++i) text += (i ? ", " : "") + std::to_string(v[i]);
      return text + "]";
    }
    std::string operator()(DType v) const { return std::string(name_of(v)); }
    std::string operator()(const std::shared_ptr<const Graph>&) const { return "<graph>"; }
    std::string operator()(const std::shared_ptr<const Callback>&) const { return "<function>"; }
  };
  return std::visit(Visit{}, attr);
}

}  // namespace falconet
