// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <map>
#include <stdexcept>

#include "mutate.h"
#include "run.h"

namespace tamper {
namespace {

constexpr unsigned kSeconds = 30;
constexpr long kMaxKilobytes = 256 * 1024;
constexpr size_t kMaxReport = size_t{64} << 20;

struct Outcome {
  int status = 0;  // exit status, or 128 + signal
  long kilobytes = 0;  // the most memory it had
  std::string report;  // its standard output
};

Outcome RunTool(const std::vector<std::string>& arguments) {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) throw std::runtime_error("pipe");
  const pid_t child = ::fork();
  if (child < 0) throw std::runtime_error("fork");
  if (child == 0) {
    const int null = ::open("/dev/null", O_RDWR | O_CLOEXEC);
    ::dup2(null, 0);
    ::dup2(ends[1], 1);
    ::dup2(null, 2);
    std::vector<char*> argv;
    for (const std::string& argument : arguments) argv.push_back(const_cast<char*>(argument.c_str()));
    argv.push_back(nullptr);
    ::alarm(kSeconds);
    ::execv(argv[0], argv.data());
    ::_exit(127);
  }
  ::close(ends[1]);
  Outcome outcome;
  std::vector<char> piece(65536);
  for (ssize_t n = 0; (n = ::read(ends[0], piece.data(), piece.size())) > 0 && outcome.report.size() < kMaxReport;) {
    outcome.report.append(piece.data(), static_cast<size_t>(n));
  }
  ::close(ends[0]);  // whoever writes more than that ends by SIGPIPE
  int status = 0;
  struct rusage usage = {};
  ::wait4(child, &status, 0, &usage);
  outcome.kilobytes = usage.ru_maxrss;
  outcome.status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  return outcome;
}

// The text after `"NAME":` from `at` on, without quotes.
std::string Member(const std::string& json, size_t at, const std::string& name) {
  const size_t begin = json.find("\"" + name + "\":", at);
  if (begin == std::string::npos) return "";
  size_t first = begin + name.size() + 3;
  const bool quoted = json[first] == '"';
  if (quoted) ++first;
  return json.substr(first, json.find_first_of(quoted ? "\"" : ",}\n", first) - first);
}

// What is wrong with an outcome, or nothing: docs/volume.md says what there can be.
std::string Complaint(const Outcome& outcome) {
  // 1 is an error of the program itself or of what it writes to, 2 of its command line.
  if (outcome.status != 0 && (outcome.status < 3 || outcome.status > 6)) return "no status for a bad volume";
  if (outcome.kilobytes > kMaxKilobytes) return "too much memory";
  if (!outcome.report.ends_with("\"exit_code\":" + std::to_string(outcome.status) + "}\n")) return "the report is not whole";
  if (outcome.report.starts_with("{\"error\":")) return Member(outcome.report, 0, "message").empty() ? "a refusal without words" : "";
  uint64_t findings = 0;
  for (size_t at = 0; (at = outcome.report.find("{\"reason\":", at)) != std::string::npos; ++at, ++findings) {
    const std::string reason = Member(outcome.report, at, "reason");
    const bool of_the_volume = reason == "superblock_checksum" || reason == "volume_truncated";
    if (!of_the_volume && Member(outcome.report, at, "inode") == "0" && Member(outcome.report, at, "path").empty()) {
      return "no place for " + reason;
    }
  }
  return outcome.status != 0 && findings == 0 ? "a fault and no finding" : "";
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

void WriteDevice(const std::string& path, std::span<const uint8_t> bytes) {
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
  const std::string out = plan.device + ".out";
  const std::vector<std::vector<std::string>> commands = {
      {tool, "--json", "inspect", plan.device},
      {tool, "--json", "verify", plan.device, "--master-key", key_file},
      {tool, "--json", "extract", plan.device, "/", out, "--master-key", key_file},
      {tool, "--json", "extract", plan.device, "/", out, "--master-key", key_file, "--salvage"}};
  std::map<int, uint64_t> exits;
  long most = 0;
  for (uint64_t seed = plan.first; seed < plan.first + plan.count; ++seed) {
    std::vector<uint8_t> image = base;
    (void)Mutate(image, seed);
    WriteDevice(plan.device, image);
    for (const auto& command : commands) {
      std::filesystem::remove_all(out);
      const Outcome outcome = RunTool(command);
      ++exits[outcome.status];
      most = std::max(most, outcome.kilobytes);
      const std::string complaint = Complaint(outcome);
      if (complaint.empty()) continue;
      std::printf("mutant %llu: %s%s: %s; status %d, %ld KiB, report: %.2000s\n", static_cast<unsigned long long>(seed),
                  command[2].c_str(), command.back() == "--salvage" ? " --salvage" : "", complaint.c_str(), outcome.status,
                  outcome.kilobytes, outcome.report.c_str());
      return 1;
    }
  }
  std::filesystem::remove_all(out);
  std::printf("%llu mutants inspected, verified, extracted and salvaged, at most %ld KiB; exit status:",
              static_cast<unsigned long long>(plan.count), most);
  for (const auto& [status, count] : exits) std::printf(" %d: %llu times", status, static_cast<unsigned long long>(count));
  std::printf("\n");
  return 0;
}

}  // namespace tamper
