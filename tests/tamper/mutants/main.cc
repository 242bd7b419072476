// SPDX-License-Identifier: Apache-2.0
// e4c-mutants: images that were changed to hurt, and what becomes of who reads them. tests/tamper/README.md.
//
//   e4c-mutants make MOUNT                                  makes the files of the base image; the key is added
//   e4c-mutants mounted BASE FIRST COUNT DEVICE MOUNT FSTYPE    in a guest; BASE is an unmounted base image
//   e4c-mutants offline BASE FIRST COUNT SCRATCH TOOL KEYFILE   anywhere; TOOL is ext4crypt-volume
//   e4c-mutants apply BASE SEED OUT                         writes a mutant, and says what is changed in it
#include <sys/mount.h>

#include <cstdio>
#include <cstdlib>
#include <exception>
#include <stdexcept>
#include <string>
#include <vector>

#include "mutate.h"
#include "run.h"
#include "world.h"

namespace tamper {
namespace {

uint64_t Number(const std::string& text) { return std::stoull(text); }

int Make(const std::string& mount) {
  uint8_t identifier[16];
  if (!AddKey(mount, identifier)) throw std::runtime_error("cannot add the key");
  MakeWorld(mount, identifier);
  return 0;
}

int Mounted(const std::vector<std::string>& args) {
  const Plan plan = {.first = Number(args[3]), .count = Number(args[4]), .device = args[5], .mount = args[6], .fstype = args[7]};
  const std::vector<uint8_t> base = ReadAll(args[2]);
  WriteDevice(plan.device, base);
  uint8_t identifier[16];
  if (::mount(plan.device.c_str(), plan.mount.c_str(), plan.fstype.c_str(), 0, "") != 0 || !AddKey(plan.mount, identifier)) {
    throw std::runtime_error("cannot mount the base image");
  }
  const Truths truths = ReadTruths(plan.mount);
  if (::umount(plan.mount.c_str()) != 0) throw std::runtime_error("cannot unmount the base image");
  return RunMounted(base, truths, plan);
}

int Apply(const std::vector<std::string>& args) {
  std::vector<uint8_t> image = ReadAll(args[2]);
  for (const std::string& change : Mutate(image, Number(args[3])).changes) std::printf("%s\n", change.c_str());
  WriteDevice(args[4], image);
  return 0;
}

int Main(const std::vector<std::string>& args) {
  const std::string verb = args.size() > 1 ? args[1] : "";
  if (verb == "make" && args.size() == 3) return Make(args[2]);
  if (verb == "mounted" && args.size() == 8) return Mounted(args);
  if (verb == "apply" && args.size() == 5) return Apply(args);
  if (verb == "offline" && args.size() == 8) {
    const Plan plan = {.first = Number(args[3]), .count = Number(args[4]), .device = args[5], .mount = "", .fstype = ""};
    return RunOffline(ReadAll(args[2]), args[6], args[7], plan);
  }
  std::fprintf(stderr, "e4c-mutants: see the head of tests/tamper/mutants/main.cc\n");
  return 2;
}

}  // namespace
}  // namespace tamper

int main(int argc, char** argv) {
  try {
    return tamper::Main({argv, argv + argc});
  } catch (const std::exception& error) {
    std::fprintf(stderr, "e4c-mutants: %s\n", error.what());
    return 1;
  }
}
