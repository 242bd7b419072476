// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <fstream>
#include <map>
#include <stdexcept>

#include "mutate.h"
#include "run.h"

namespace tamper {
namespace {

constexpr unsigned kSeconds = 30;
constexpr long kMaxKilobytes = 256 * 1024;

// Exit status, or 128 + signal; `kilobytes`: the most memory it had.
int RunTool(const std::vector<std::string>& arguments, long& kilobytes) {
  const pid_t child = ::fork();
  if (child < 0) throw std::runtime_error("fork");
  if (child == 0) {
    const int null = ::open("/dev/null", O_RDWR | O_CLOEXEC);
    for (int fd = 0; fd <= 2; ++fd) ::dup2(null, fd);
    std::vector<char*> argv;
    for (const std::string& argument : arguments) argv.push_back(const_cast<char*>(argument.c_str()));
    argv.push_back(nullptr);
    ::alarm(kSeconds);
    ::execv(argv[0], argv.data());
    ::_exit(127);
  }
  int status = 0;
  struct rusage usage = {};
  ::wait4(child, &status, 0, &usage);
  kilobytes = usage.ru_maxrss;
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

}  // namespace

std::vector<uint8_t> ReadAll(const std::string& path) {
  std::ifstream in(path, std::ios::binary | std::ios::ate);
  std::vector<uint8_t> bytes(in ? static_cast<size_t>(in.tellg()) : 0);
  in.seekg(0);
  in.read(reinterpret_cast<char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
  if (!in || bytes.empty()) throw std::runtime_error("cannot read " + path);
  return bytes;
}

void WriteDevice(const std::string& path, const std::vector<uint8_t>& bytes) {
  const int fd = ::open(path.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
  size_t done = 0;
  while (fd >= 0 && done < bytes.size()) {
    const ssize_t count = ::pwrite(fd, bytes.data() + done, bytes.size() - done, static_cast<off_t>(done));
    if (count <= 0) break;
    done += static_cast<size_t>(count);
  }
  // Pages are read past the cache of the block device.
  const bool good = fd >= 0 && done == bytes.size() && ::fsync(fd) == 0;
  if (fd >= 0) ::close(fd);
  if (!good) throw std::runtime_error("cannot write " + path);
}

int RunOffline(const std::vector<uint8_t>& base, const std::string& tool, const std::string& key_file, const Plan& plan) {
  std::map<int, uint64_t> exits;
  long most = 0;
  for (uint64_t seed = plan.first; seed < plan.first + plan.count; ++seed) {
    std::vector<uint8_t> image = base;
    (void)Mutate(image, seed);
    WriteDevice(plan.device, image);
    for (const auto& arguments : {std::vector<std::string>{tool, "inspect", plan.device},
                                  std::vector<std::string>{tool, "verify", plan.device, "--key-file", key_file}}) {
      long kilobytes = 0;
      const int status = RunTool(arguments, kilobytes);
      ++exits[status];
      most = std::max(most, kilobytes);
      // 1 is an error of the program itself, 2 of its command line: docs/volume.md.
      if ((status == 0 || (status >= 3 && status <= 6)) && kilobytes <= kMaxKilobytes) continue;
      std::printf("mutant %llu: %s ended with %d, %ld KiB\n", static_cast<unsigned long long>(seed), arguments[1].c_str(), status, kilobytes);
      return 1;
    }
  }
  std::printf("%llu mutants inspected and verified, at most %ld KiB; exit status:", static_cast<unsigned long long>(plan.count), most);
  for (const auto& [status, count] : exits) std::printf(" %d: %llu times", status, static_cast<unsigned long long>(count));
  std::printf("\n");
  return 0;
}

}  // namespace tamper
