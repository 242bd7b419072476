// SPDX-License-Identifier: Apache-2.0
#include "tests/fakes/token_bus.h"

#include <algorithm>
#include <cstdlib>
#include <sstream>
#include <vector>

#include "fido2/bus.h"

namespace ext4crypt {
namespace {

std::list<TestToken> FromEnvironment() {
  std::list<TestToken> tokens;
  const char* text = std::getenv("EXT4CRYPT_TEST_TOKENS");
  std::istringstream words(text == nullptr ? "" : text);
  for (std::string word; words >> word;) {
    std::istringstream parts(word);
    Authenticator::Options options;
    std::string finger;
    std::getline(parts, options.seed, ':');
    std::getline(parts, options.pin, ':');
    std::getline(parts, finger);
    options.touched = finger != "untouched";
    tokens.push_back({.path = "/dev/token-" + options.seed,
                      .name = "Test token " + options.seed,
                      .authenticator = Authenticator(options)});
  }
  return tokens;
}

void* Open(const char* path) {
  for (TestToken& token : TestTokens()) {
    if (token.path == path) return &token.authenticator;
  }
  return nullptr;
}

void Close(void* /*handle*/) {}

int Read(void* handle, unsigned char* out, size_t size, int /*timeout_ms*/) {
  const auto report = static_cast<Authenticator*>(handle)->Read();
  if (!report.has_value() || report->size() != size) return -1;
  std::copy(report->begin(), report->end(), out);
  return static_cast<int>(size);
}

// The first byte is the report's number.
int Write(void* handle, const unsigned char* bytes, size_t size) {
  const bool written = static_cast<Authenticator*>(handle)->Write({bytes + 1, bytes + size});
  return written ? static_cast<int>(size) : -1;
}

}  // namespace

std::list<TestToken>& TestTokens() {
  static auto* const tokens = new std::list<TestToken>(FromEnvironment());
  return *tokens;
}

absl::StatusOr<std::vector<Token>> FindTokens() {
  std::vector<Token> found;
  for (const TestToken& token : TestTokens()) {
    found.push_back({.path = token.path, .name = token.name});
  }
  return found;
}

int OpenToken(fido_dev_t* device, const std::string& path) {
  const fido_dev_io_t io = {.open = Open, .close = Close, .read = Read, .write = Write};
  const int error = fido_dev_set_io_functions(device, &io);
  return error != FIDO_OK ? error : fido_dev_open(device, path.c_str());
}

}  // namespace ext4crypt
