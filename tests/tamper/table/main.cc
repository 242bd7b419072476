// SPDX-License-Identifier: Apache-2.0
// e4c-tamper: the table of what tampering with the raw disk does. tests/tamper/README.md.
//
//   e4c-tamper make MOUNT 1|2                the files of all rows; 2: their second version
//   e4c-tamper inodes MOUNT                  prints them
//   e4c-tamper edit DEVICE OLD INODES        does what each row says; OLD is the device between versions 1 and 2
//   e4c-tamper judge MOUNT INODES [JSON]     "ok NAME" or "not ok NAME" for each row, and what was seen; JSON is the reader's output
//   e4c-tamper use MOUNT                     changes and removes all files as far as possible; 1: nothing can be made any more
//   e4c-tamper table                         the rows as they stand in docs/threat-model.md
#include <fcntl.h>
#include <sys/stat.h>

#include <cstdio>
#include <exception>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "../mutants/run.h"
#include "scene.h"

namespace tamper {
namespace {

// Whether programs are told, by what they see.
const char* Verdict(const std::string& kernel) {
  for (const char* untold : {"old ", "zeros ", "size ", "the other file's", "in plaintext", "ENOENT", "there again", "owner "}) {
    if (kernel.find(untold) != std::string::npos) return "**not noticed**";
  }
  return kernel == "true" ? "no effect" : "noticed";
}

void PrintTable() {
  std::printf("| test | change | | programs see | `volume verify` finds |\n|---|---|---|---|---|\n");
  for (const Row& row : Rows()) {
    std::printf("| `%s` | %s | %s | %s | %s |\n", row.name, row.change, Verdict(row.kernel), row.kernel, row.reader);
  }
}

// "a, b, ..." expects a and b, and whatever follows: that depends on random bytes there.
bool Agrees(const std::string& found, std::string expected) {
  if (!expected.ends_with("...")) return found == expected;
  expected.resize(expected.size() - 3);
  if (expected.ends_with(", ")) expected.resize(expected.size() - 2);
  return found.starts_with(expected);
}

int Judge(const std::string& mount, const std::string& inodes_path, const std::string& json_path) {
  const Inodes inodes = ReadInodes(inodes_path);
  std::ifstream in(json_path);
  const std::string json{std::istreambuf_iterator<char>(in), {}};
  for (const Row& row : Rows()) {
    const std::string kernel = Observe(mount, row), reader = json_path.empty() ? "not asked" : ReaderFound(json, inodes, row);
    const bool good = Agrees(kernel, row.kernel) && (json_path.empty() || Agrees(reader, row.reader));
    std::printf("%s %s: %s | %s\n", good ? "ok" : "not ok", row.name, kernel.c_str(), reader.c_str());
  }
  return 0;
}

int Main(const std::vector<std::string>& args) {
  const std::string verb = args.size() > 1 ? args[1] : "";
  if (verb == "table" && args.size() == 2) return PrintTable(), 0;
  if (verb == "make" && args.size() == 4) return MakeFiles(args[2], args[3] == "2"), 0;
  if (verb == "inodes" && args.size() == 3) return PrintInodes(args[2]), 0;
  if (verb == "judge" && (args.size() == 4 || args.size() == 5)) return Judge(args[2], args[3], args.size() == 5 ? args[4] : "");
  if (verb == "use" && args.size() == 3) return UseAll(args[2]) ? 0 : 1;
  if (verb == "edit" && args.size() == 5) {
    std::vector<uint8_t> now = ReadAll(args[2]), old = ReadAll(args[3]);
    Edit(now, old, ReadInodes(args[4]));
    WriteDevice(args[2], now);
    return 0;
  }
  std::fprintf(stderr, "e4c-tamper: see the head of tests/tamper/table/main.cc\n");
  return 2;
}

}  // namespace
}  // namespace tamper

int main(int argc, char** argv) {
  try {
    return tamper::Main({argv, argv + argc});
  } catch (const std::exception& error) {
    std::fprintf(stderr, "e4c-tamper: %s\n", error.what());
    return 1;
  }
}
