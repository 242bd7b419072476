// SPDX-License-Identifier: Apache-2.0
// A security key for tests: CTAPHID and CTAP 2.1 (makeCredential, getAssertion, clientPIN,
// hmac-secret) as the FIDO Alliance's text has them, so that the real libfido2 talks to it.
//
// Like a real one it stores no credential: a credential's id carries what its keys are derived
// from, authenticated with the token's own seed. So two objects with one seed are the same token.
#pragma once

#include <deque>
#include <map>
#include <optional>
#include <string>

#include "tests/fakes/cbor.h"
#include "tests/fakes/pin_protocol.h"

namespace ext4crypt {

class Authenticator {
 public:
  struct Options {
    std::string seed = "seed";
    std::string pin;  // empty: none is set
    int pin_protocol = 2;
    bool touched = true;  // whether somebody is there
    bool has_hmac_secret = true;
    int pulled_after = -1;  // packets; later ones find nobody
  };
  explicit Authenticator(Options options) : options_(std::move(options)) {}

  // CTAPHID reports of 64 bytes, without the report's number. False: it is not there any more.
  [[nodiscard]] bool Write(const Bytes& report);
  // Nothing: it has nothing to say, or is not there any more.
  [[nodiscard]] std::optional<Bytes> Read();

  Options& options() { return options_; }
  [[nodiscard]] int touches() const { return touches_; }

 private:
  struct Assertion;
  [[nodiscard]] bool Pulled();
  void Reply(uint8_t command, const Bytes& channel, const Bytes& data);
  [[nodiscard]] Bytes Cbor(const Bytes& request);
  [[nodiscard]] Bytes GetInfo() const;
  [[nodiscard]] Bytes ClientPin(const cbor::Value& request);
  [[nodiscard]] Bytes PinToken(const cbor::Value& request);
  [[nodiscard]] Bytes MakeCredential(const cbor::Value& request);
  [[nodiscard]] Bytes GetAssertion(const cbor::Value& request);
  // The status when the request's PIN parameter is wrong, or there is none though one is needed.
  [[nodiscard]] uint8_t CheckPin(const cbor::Value& parameter, const cbor::Value& protocol,
                                 const Bytes& client_data, bool& verified) const;
  [[nodiscard]] std::optional<Bytes> HmacSecret(const cbor::Value& input, const Bytes& credential,
                                                bool verified) const;
  [[nodiscard]] Bytes Derive(const char* purpose, const Bytes& nonce) const;
  [[nodiscard]] bool IsOurs(const Bytes& credential, const std::string& rp) const;
  [[nodiscard]] Bytes AuthData(const std::string& rp, uint8_t flags) const;

  Options options_;
  int packets_ = 0;
  int touches_ = 0;
  int retries_ = 8;
  int wrong_in_a_row_ = 0;
  EcKey agreement_;
  Bytes pin_token_ = Bytes(32, 0x5a);
  std::deque<Bytes> out_;
  Bytes message_;
  uint8_t command_ = 0;
  size_t wanted_ = 0;
};

}  // namespace ext4crypt
