// Resolves what a relocatable object's code says of itself.
//
//   resolve_relocations FILE.o      x86-64 ELF; changed in place
//
// `ld -r` keeps a relocation for every call, though the distance between two places of one section is final: here these
// distances are written down. What else refers to a local symbol refers to its section from here on, so that
// `objcopy --strip-unneeded` can drop the names. Anything unexpected ends with status 1 and leaves the file as it was.
#include <elf.h>

#include <cstdint>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <iterator>
#include <stdexcept>
#include <string>
#include <vector>

namespace {

template <class T>
T* at(std::vector<char>& file, uint64_t offset, uint64_t count = 1) {
  if (offset > file.size() || count > (file.size() - offset) / sizeof(T)) throw std::runtime_error("is cut short");
  return reinterpret_cast<T*>(file.data() + offset);
}

struct Object {
  std::vector<char>& file;
  const Elf64_Ehdr header = *at<Elf64_Ehdr>(file, 0);
  Elf64_Shdr* sections = at<Elf64_Shdr>(file, header.e_shoff, header.e_shnum);

  const Elf64_Shdr& section(uint64_t index) const {
    if (index >= header.e_shnum) throw std::runtime_error("has a section out of range");
    return sections[index];
  }
};

// Writes the distance from a place in `target` to another one there.
void settle(Object& object, const Elf64_Shdr& target, const Elf64_Rela& entry) {
  const int64_t distance = static_cast<int64_t>(entry.r_addend - entry.r_offset);
  const int32_t word = static_cast<int32_t>(distance);
  if (entry.r_offset + sizeof word > target.sh_size) throw std::runtime_error("has a relocation out of range");
  if (word != distance) throw std::runtime_error("has code too far apart");
  std::memcpy(at<char>(object.file, target.sh_offset + entry.r_offset, sizeof word), &word, sizeof word);
}

void resolve_section(Object& object, Elf64_Shdr& relocations) {
  const Elf64_Shdr& target = object.section(relocations.sh_info);
  const Elf64_Shdr& table = object.section(relocations.sh_link);
  const uint64_t num_symbols = table.sh_size / sizeof(Elf64_Sym);
  const Elf64_Sym* symbols = at<Elf64_Sym>(object.file, table.sh_offset, num_symbols);
  std::vector<uint64_t> of_section(object.header.e_shnum, 0);  // the symbol that stands for a section
  for (uint64_t i = 0; i < num_symbols; ++i) {
    if (ELF64_ST_TYPE(symbols[i].st_info) == STT_SECTION) of_section.at(symbols[i].st_shndx) = i;
  }
  const uint64_t count = relocations.sh_size / sizeof(Elf64_Rela);
  Elf64_Rela* entries = at<Elf64_Rela>(object.file, relocations.sh_offset, count);
  uint64_t kept = 0;
  for (uint64_t r = 0; r < count; ++r) {
    Elf64_Rela entry = entries[r];
    const uint64_t type = ELF64_R_TYPE(entry.r_info), symbol = ELF64_R_SYM(entry.r_info);
    if (symbol >= num_symbols) throw std::runtime_error("has a symbol out of range");
    if (type == R_X86_64_NONE) continue;  // of what was left out
    const Elf64_Sym& to = symbols[symbol];
    const bool is_plain = type == R_X86_64_PC32 || type == R_X86_64_PLT32 || type == R_X86_64_64;
    const bool is_local = ELF64_ST_BIND(to.st_info) == STB_LOCAL && to.st_shndx != SHN_UNDEF &&
                          to.st_shndx < SHN_LORESERVE && ELF64_ST_TYPE(to.st_info) != STT_TLS &&
                          ELF64_ST_TYPE(to.st_info) != STT_GNU_IFUNC && of_section.at(to.st_shndx) != 0 &&
                          !(object.section(to.st_shndx).sh_flags & SHF_MERGE);  // merged by what a symbol points at
    if (is_plain && is_local) {
      entry.r_addend += static_cast<int64_t>(to.st_value);
      entry.r_info = ELF64_R_INFO(of_section[to.st_shndx], type == R_X86_64_PLT32 ? R_X86_64_PC32 : type);
      if (to.st_shndx == relocations.sh_info && type != R_X86_64_64) {
        settle(object, target, entry);
        continue;
      }
    }
    entries[kept++] = entry;
  }
  relocations.sh_size = kept * sizeof(Elf64_Rela);
}

void resolve(std::vector<char>& file) {
  Object object{file};
  const Elf64_Ehdr& header = object.header;
  if (std::memcmp(header.e_ident, ELFMAG, SELFMAG) != 0 || header.e_ident[EI_CLASS] != ELFCLASS64 ||
      header.e_machine != EM_X86_64 || header.e_type != ET_REL) {
    throw std::runtime_error("is no relocatable object for x86-64");
  }
  for (int i = 0; i < header.e_shnum; ++i) {
    if (object.sections[i].sh_type == SHT_RELA) resolve_section(object, object.sections[i]);
  }
}

}  // namespace

int main(int argc, char** argv) {
  const std::string path = argc == 2 ? argv[1] : "";
  try {
    std::ifstream in(path, std::ios::binary);
    if (!in) throw std::runtime_error("cannot be read");
    std::vector<char> file((std::istreambuf_iterator<char>(in)), std::istreambuf_iterator<char>());
    in.close();
    resolve(file);
    std::ofstream out(path, std::ios::binary);
    if (!out.write(file.data(), static_cast<std::streamsize>(file.size())).flush()) throw std::runtime_error("cannot be written");
  } catch (const std::exception& error) {
    std::fprintf(stderr, "resolve_relocations: %s %s\n", path.c_str(), error.what());
    return 1;
  }
  return 0;
}
