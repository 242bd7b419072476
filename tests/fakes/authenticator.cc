// SPDX-License-Identifier: Apache-2.0
#include "tests/fakes/authenticator.h"

#include <openssl/rand.h>

#include <algorithm>
#include <iterator>

namespace ext4crypt {
namespace {

constexpr size_t kReport = 64;
constexpr size_t kNonce = 16;
// CTAPHID commands, with the bit that begins a message.
constexpr uint8_t kInit = 0x86;
constexpr uint8_t kCbor = 0x90;
constexpr uint8_t kCancel = 0x91;
constexpr uint8_t kHidError = 0xbf;
// CTAP2 status codes.
constexpr uint8_t kOk = 0x00;
constexpr uint8_t kInvalidCommand = 0x01;
constexpr uint8_t kInvalidParameter = 0x02;
constexpr uint8_t kMissingParameter = 0x14;
constexpr uint8_t kUnsupportedAlgorithm = 0x26;
constexpr uint8_t kNoCredentials = 0x2e;
constexpr uint8_t kUserActionTimeout = 0x2f;
constexpr uint8_t kPinInvalid = 0x31;
constexpr uint8_t kPinBlocked = 0x32;
constexpr uint8_t kPinAuthInvalid = 0x33;
constexpr uint8_t kPinAuthBlocked = 0x34;
constexpr uint8_t kPinNotSet = 0x35;
// Flags of authenticator data.
constexpr uint8_t kPresent = 0x01;
constexpr uint8_t kVerified = 0x04;
constexpr uint8_t kHasCredential = 0x40;
constexpr uint8_t kHasExtensions = 0x80;

Bytes ToBytes(const std::string& text) { return {text.begin(), text.end()}; }

void Append(const Bytes& more, Bytes& to) { to.insert(to.end(), more.begin(), more.end()); }

Bytes Answer(const cbor::Map& map) {
  Bytes out = {kOk};
  Append(cbor::Encode(map), out);
  return out;
}

}  // namespace

bool Authenticator::Pulled() {
  return options_.pulled_after >= 0 && packets_ > options_.pulled_after;
}

bool Authenticator::Write(const Bytes& report) {
  ++packets_;
  if (Pulled() || report.size() < 7) return false;
  const Bytes channel(report.begin(), report.begin() + 4);
  if ((report[4] & 0x80) != 0) {
    command_ = report[4];
    wanted_ = static_cast<size_t>(report[5] << 8 | report[6]);
    message_.assign(report.begin() + 7, report.end());
  } else {
    message_.insert(message_.end(), report.begin() + 5, report.end());
  }
  if (message_.size() < wanted_) return true;
  message_.resize(wanted_);
  if (command_ == kInit) {
    Bytes reply(message_.begin(), message_.begin() + 8);
    // A channel, the protocol's version, the device's, and what it can: CBOR, no CTAP1.
    Append({1, 2, 3, 4, 2, 1, 0, 0, 0x04 | 0x08}, reply);
    Reply(kInit, channel, reply);
  } else if (command_ == kCbor) {
    Reply(kCbor, channel, Cbor(message_));
  } else if (command_ != kCancel) {
    Reply(kHidError, channel, {kInvalidCommand});
  }
  return true;
}

void Authenticator::Reply(uint8_t command, const Bytes& channel, const Bytes& data) {
  size_t at = 0;
  uint8_t sequence = 0;
  do {
    Bytes report = channel;
    if (at == 0) {
      Append({command, static_cast<uint8_t>(data.size() >> 8), static_cast<uint8_t>(data.size())},
             report);
    } else {
      report.push_back(sequence++);
    }
    const size_t size = std::min(kReport - report.size(), data.size() - at);
    report.insert(report.end(), data.begin() + static_cast<std::ptrdiff_t>(at),
                  data.begin() + static_cast<std::ptrdiff_t>(at + size));
    at += size;
    report.resize(kReport);
    out_.push_back(std::move(report));
  } while (at < data.size());
}

std::optional<Bytes> Authenticator::Read() {
  ++packets_;
  if (Pulled() || out_.empty()) return std::nullopt;
  Bytes report = std::move(out_.front());
  out_.pop_front();
  return report;
}

Bytes Authenticator::Cbor(const Bytes& request) {
  const Bytes body(request.begin() + std::min<std::ptrdiff_t>(1, std::ssize(request)),
                   request.end());
  cbor::Reader reader(body);
  const cbor::Value value = body.empty() ? cbor::Value() : reader.Next();
  if (request.empty() || reader.failed()) return {kInvalidParameter};
  switch (request[0]) {
    case 0x01:
      return MakeCredential(value);
    case 0x02:
      return GetAssertion(value);
    case 0x04:
      return GetInfo();
    case 0x06:
      return ClientPin(value);
    default:
      return {kInvalidCommand};
  }
}

Bytes Authenticator::GetInfo() const {
  cbor::Array extensions;
  if (options_.has_hmac_secret) extensions.emplace_back("hmac-secret");
  cbor::Map map = {{1, cbor::Array{"FIDO_2_0", "FIDO_2_1"}}};
  if (!extensions.empty()) map.emplace_back(2, extensions);
  map.emplace_back(3, Bytes(16, 0xe4));
  map.emplace_back(4, cbor::Map{{"rk", false},
                                {"up", true},
                                {"clientPin", !options_.pin.empty()},
                                {"pinUvAuthToken", true}});
  map.emplace_back(5, 1200);
  map.emplace_back(6, cbor::Array{options_.pin_protocol});
  return Answer(map);
}

Bytes Authenticator::ClientPin(const cbor::Value& request) {
  switch (request[2].As<int64_t>()) {
    case 1:
      return Answer({{3, retries_}});
    case 2:
      return Answer({{1, agreement_.Cose(-25)}});
    case 5:
    case 9:
      return PinToken(request);
    default:
      return {kInvalidParameter};
  }
}

Bytes Authenticator::PinToken(const cbor::Value& request) {
  if (options_.pin.empty()) return {kPinNotSet};
  if (retries_ == 0) return {kPinBlocked};
  if (wrong_in_a_row_ >= 3) return {kPinAuthBlocked};
  const auto agreed = agreement_.Agree(request[3]);
  if (request[1].As<int64_t>() != options_.pin_protocol || !agreed) return {kInvalidParameter};
  const PinProtocol protocol(options_.pin_protocol, *agreed);
  const auto hash = protocol.Decrypt(request[6].As<Bytes>());
  Bytes wanted = Sha256(ToBytes(options_.pin));
  wanted.resize(16);
  --retries_;
  if (hash != wanted) {
    agreement_ = EcKey();
    ++wrong_in_a_row_;
    if (retries_ == 0) return {kPinBlocked};
    return {wrong_in_a_row_ >= 3 ? kPinAuthBlocked : kPinInvalid};
  }
  retries_ = 8;
  wrong_in_a_row_ = 0;
  return Answer({{2, protocol.Encrypt(pin_token_)}});
}

uint8_t Authenticator::CheckPin(const cbor::Value& parameter, const cbor::Value& protocol,
                                const Bytes& client_data, bool& verified) const {
  verified = false;
  if (parameter.empty()) return kOk;
  if (options_.pin.empty()) return kPinNotSet;
  if (protocol.As<int64_t>() != options_.pin_protocol) return kInvalidParameter;
  verified = PinProtocol::VerifyByToken(options_.pin_protocol, pin_token_, client_data,
                                        parameter.As<Bytes>());
  return verified ? kOk : kPinAuthInvalid;
}

Bytes Authenticator::Derive(const char* purpose, const Bytes& nonce) const {
  Bytes data = ToBytes(purpose);
  Append(nonce, data);
  return HmacSha256(ToBytes(options_.seed), data);
}

bool Authenticator::IsOurs(const Bytes& credential, const std::string& rp) const {
  if (credential.size() != 2 * kNonce) return false;
  Bytes named(credential.begin(), credential.begin() + kNonce);
  Append(ToBytes(rp), named);
  const Bytes mark = Derive("id", named);
  return std::equal(credential.begin() + kNonce, credential.end(), mark.begin());
}

Bytes Authenticator::AuthData(const std::string& rp, uint8_t flags) const {
  Bytes data = Sha256(ToBytes(rp));
  data.push_back(flags);
  Append({0, 0, 0, 1}, data);
  return data;
}

Bytes Authenticator::MakeCredential(const cbor::Value& request) {
  const Bytes& client_data = request[1].As<Bytes>();
  const std::string& rp = request[2]["id"].As<std::string>();
  if (client_data.size() != 32 || rp.empty() || request[3].empty()) return {kMissingParameter};
  const auto& algorithms = request[4].As<cbor::Array>();
  if (std::none_of(algorithms.begin(), algorithms.end(),
                   [](const cbor::Value& value) { return value["alg"].As<int64_t>() == -7; })) {
    return {kUnsupportedAlgorithm};
  }
  bool verified = false;
  const uint8_t status = CheckPin(request[8], request[9], client_data, verified);
  if (status != kOk) return {status};
  // 6.1.2: with a PIN set, no credential is made without it.
  if (!options_.pin.empty() && !verified) return {0x36};
  if (!options_.touched) return {kUserActionTimeout};
  ++touches_;

  Bytes id(kNonce);
  RAND_bytes(id.data(), static_cast<int>(id.size()));
  const EcKey key(Derive("key", id));
  Bytes named = id;
  Append(ToBytes(rp), named);
  const Bytes mark = Derive("id", named);
  id.insert(id.end(), mark.begin(), mark.begin() + kNonce);

  const bool extended = options_.has_hmac_secret && request[6]["hmac-secret"].As<bool>();
  Bytes data =
      AuthData(rp, static_cast<uint8_t>(kPresent | kHasCredential | (verified ? kVerified : 0) |
                                        (extended ? kHasExtensions : 0)));
  Append(Bytes(16, 0xe4), data);
  Append({0, static_cast<uint8_t>(id.size())}, data);
  Append(id, data);
  Append(cbor::Encode(key.Cose(-7)), data);
  if (extended) Append(cbor::Encode(cbor::Map{{"hmac-secret", true}}), data);
  Bytes signed_data = data;
  Append(client_data, signed_data);
  return Answer(
      {{1, "packed"}, {2, data}, {3, cbor::Map{{"alg", -7}, {"sig", key.Sign(signed_data)}}}});
}

std::optional<Bytes> Authenticator::HmacSecret(const cbor::Value& input, const Bytes& credential,
                                               bool verified) const {
  const auto agreed = agreement_.Agree(input[1]);
  if (!agreed) return std::nullopt;
  const PinProtocol protocol(options_.pin_protocol, *agreed);
  if (!protocol.Verify(input[2].As<Bytes>(), input[3].As<Bytes>())) return std::nullopt;
  const auto salt = protocol.Decrypt(input[2].As<Bytes>());
  if (!salt || salt->size() != 32) return std::nullopt;
  // 12.5: with and without user verification there are two secrets.
  const Bytes random = Derive(verified ? "random with uv" : "random without uv", credential);
  return protocol.Encrypt(HmacSha256(random, *salt));
}

Bytes Authenticator::GetAssertion(const cbor::Value& request) {
  const std::string& rp = request[1].As<std::string>();
  const Bytes& client_data = request[2].As<Bytes>();
  if (rp.empty() || client_data.size() != 32) return {kMissingParameter};
  bool verified = false;
  const uint8_t status = CheckPin(request[6], request[7], client_data, verified);
  if (status != kOk) return {status};
  const auto& allowed = request[3].As<cbor::Array>();
  const auto found = std::find_if(allowed.begin(), allowed.end(), [&](const cbor::Value& one) {
    return IsOurs(one["id"].As<Bytes>(), rp);
  });
  if (found == allowed.end()) return {kNoCredentials};
  const cbor::Value& up = request[5]["up"];
  const bool present = up.empty() || up.As<bool>();
  if (present && !options_.touched) return {kUserActionTimeout};
  if (present) ++touches_;

  const Bytes& id = (*found)["id"].As<Bytes>();
  const cbor::Value& wanted = request[4]["hmac-secret"];
  Bytes data =
      AuthData(rp, static_cast<uint8_t>((present ? kPresent : 0) | (verified ? kVerified : 0) |
                                        (wanted.empty() ? 0 : kHasExtensions)));
  if (!wanted.empty()) {
    const auto secret = HmacSecret(wanted, id, verified);
    if (!secret || !present) return {kInvalidParameter};
    Append(cbor::Encode(cbor::Map{{"hmac-secret", *secret}}), data);
  }
  Bytes signed_data = data;
  Append(client_data, signed_data);
  const EcKey key(Derive("key", Bytes(id.begin(), id.begin() + kNonce)));
  return Answer(
      {{1, cbor::Map{{"id", id}, {"type", "public-key"}}}, {2, data}, {3, key.Sign(signed_data)}});
}

}  // namespace ext4crypt
