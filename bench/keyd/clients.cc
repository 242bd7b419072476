// SPDX-License-Identifier: Apache-2.0
// Many users' clients of a key service at once, each as its own uid; prints how long they waited.
//   e4c-keyd-clients SOCKET enrol|unlock|status|lock FIRST_UID USERS CLIENTS
// Each user makes one call. A client is a process that takes every CLIENTS-th user. Run as root.
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include "client/rpc/keyd_client.h"

namespace ext4crypt {
namespace {

using Clock = std::chrono::steady_clock;

struct Sample {
  double connect_ms;  // until the service can be asked
  double call_ms;     // from the question to the answer
};

double MillisecondsSince(Clock::time_point start) {
  return std::chrono::duration<double, std::milli>(Clock::now() - start).count();
}

absl::Status Call(KeydClient& client, const std::string& name) {
  const SecretBuffer passphrase = SecretBuffer::CopyOf("correct horse battery");
  if (name == "enrol") return client.Enrol(passphrase).status();
  if (name == "unlock") return client.Unlock({.secret = passphrase.Clone()}).status();
  if (name == "status") return client.GetStatus(std::nullopt).status();
  if (name == "lock") return client.Lock(std::nullopt, "").status();
  return absl::InvalidArgumentError("no such call: " + name);
}

absl::StatusOr<Sample> Measure(const std::string& socket, const std::string& name) {
  Sample sample = {};
  const auto start = Clock::now();
  absl::StatusOr<KeydClient> client = KeydClient::Connect(socket);
  if (!client.ok()) return client.status();
  sample.connect_ms = MillisecondsSince(start);
  const auto asked = Clock::now();
  if (absl::Status status = Call(*client, name); !status.ok()) return status;
  sample.call_ms = MillisecondsSince(asked);
  return sample;
}

// Writes a Sample a user to `out`; exits 1 at the first failure.
[[noreturn]] void RunClient(const std::string& socket, const std::string& name, uid_t first,
                            uid_t end, uid_t step, int out) {
  for (uid_t uid = first; uid < end; uid += step) {
    if (seteuid(0) != 0 || seteuid(uid) != 0) {
      perror("seteuid");
      _exit(1);
    }
    const absl::StatusOr<Sample> sample = Measure(socket, name);
    if (!sample.ok()) {
      std::fprintf(stderr, "uid %u: %s\n", uid, sample.status().ToString().c_str());
      _exit(1);
    }
    if (write(out, &*sample, sizeof(*sample)) != sizeof(*sample)) _exit(1);
  }
  _exit(0);
}

void Print(const char* what, std::vector<double> values) {
  std::sort(values.begin(), values.end());
  const auto at = [&](double share) {
    return values[static_cast<size_t>(share * static_cast<double>(values.size() - 1))];
  };
  std::printf("  %-8s p50 %8.2f ms   p99 %8.2f ms   most %8.2f ms\n", what, at(0.5), at(0.99),
              values.back());
}

int Run(const std::string& socket, const std::string& name, uid_t first, uid_t users,
        uid_t clients) {
  int ends[2];
  if (pipe(ends) != 0) return 1;
  const auto start = Clock::now();
  for (uid_t client = 0; client < clients; ++client) {
    if (fork() == 0) {
      close(ends[0]);
      RunClient(socket, name, first + client, first + users, clients, ends[1]);
    }
  }
  close(ends[1]);
  std::vector<double> connects;
  std::vector<double> calls;
  Sample sample = {};
  while (read(ends[0], &sample, sizeof(sample)) == sizeof(sample)) {
    connects.push_back(sample.connect_ms);
    calls.push_back(sample.call_ms);
  }
  const double seconds = MillisecondsSince(start) / 1000;
  bool failed = false;
  int status = 0;
  while (wait(&status) > 0) failed |= status != 0;
  std::printf("%s: %u users, %u clients at once: %zu answers, %.0f a second\n", name.c_str(), users,
              clients, calls.size(), static_cast<double>(calls.size()) / seconds);
  if (failed || calls.size() != users) return 1;
  Print("connect", connects);
  Print("call", calls);
  return 0;
}

}  // namespace
}  // namespace ext4crypt

int main(int argc, char** argv) {
  if (argc != 6) {
    std::fprintf(stderr, "usage: %s SOCKET enrol|unlock|status|lock FIRST_UID USERS CLIENTS\n",
                 argv[0]);
    return 2;
  }
  const auto number = [&](int i) { return static_cast<uid_t>(std::strtoul(argv[i], nullptr, 10)); };
  return ext4crypt::Run(argv[1], argv[2], number(3), number(4), std::max(number(5), 1U));
}
