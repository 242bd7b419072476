// SPDX-License-Identifier: Apache-2.0
#include "fido2/security_key.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/error.h"
#include "common/status_macros.h"
#include "keys/crypto/random.h"
#include "keys/fido2_parameters.h"

namespace ext4crypt {
namespace {

using Clock = std::chrono::steady_clock;

// Tokens themselves give up after 10 to 30 s.
constexpr std::chrono::milliseconds kPatience = std::chrono::seconds(30);
constexpr size_t kClientDataSize = 32;

struct FreeDevice {
  void operator()(fido_dev_t* device) const {
    fido_dev_close(device);
    fido_dev_free(&device);
  }
};
struct FreeCredential {
  void operator()(fido_cred_t* credential) const { fido_cred_free(&credential); }
};
struct FreeAssertion {
  void operator()(fido_assert_t* assertion) const { fido_assert_free(&assertion); }
};
struct FreeInfo {
  void operator()(fido_cbor_info_t* info) const { fido_cbor_info_free(&info); }
};
using CredentialPtr = std::unique_ptr<fido_cred_t, FreeCredential>;
using AssertionPtr = std::unique_ptr<fido_assert_t, FreeAssertion>;

struct OpenedToken {
  Token token;
  std::unique_ptr<fido_dev_t, FreeDevice> device;
};

absl::Status TokenError(int error, const std::string& token, Clock::time_point since) {
  const auto with = [&](ErrorReason reason, absl::string_view why) {
    return Error(reason, why.empty() ? fido_strerr(error) : why, token);
  };
  switch (error) {
    case FIDO_ERR_NO_CREDENTIALS:
    case FIDO_ERR_INVALID_CREDENTIAL:
      return with(ErrorReason::kWrongToken, "");
    case FIDO_ERR_PIN_AUTH_BLOCKED:
      return with(ErrorReason::kTokenPinWrong,
                  "wrong three times: pull it out and plug it in again before the next try");
    case FIDO_ERR_PIN_BLOCKED:
      return with(ErrorReason::kTokenPinWrong,
                  "wrong too often: the token has blocked itself, and only a reset, which erases "
                  "it, ends that");
    case FIDO_ERR_PIN_INVALID:
    case FIDO_ERR_PIN_REQUIRED:
    case FIDO_ERR_PIN_NOT_SET:
      return with(ErrorReason::kTokenPinWrong, "");
    case FIDO_ERR_ACTION_TIMEOUT:
    case FIDO_ERR_USER_ACTION_TIMEOUT:
    case FIDO_ERR_TIMEOUT:
    case FIDO_ERR_OPERATION_DENIED:
    case FIDO_ERR_KEEPALIVE_CANCEL:
      return with(ErrorReason::kTokenUntouched, "");
    case FIDO_ERR_UNSUPPORTED_EXTENSION:
    case FIDO_ERR_UNSUPPORTED_OPTION:
    case FIDO_ERR_UNSUPPORTED_ALGORITHM:
      return with(ErrorReason::kTokenUnsuitable, "");
    case FIDO_ERR_RX:
    case FIDO_ERR_TX:
      if (Clock::now() - since >= kPatience) return with(ErrorReason::kTokenUntouched, "");
      return with(ErrorReason::kTokenFailed, "it was pulled out, or does not answer");
    default:
      return with(ErrorReason::kTokenFailed, "");
  }
}

absl::Status CheckIsLocal() {
  // A token at the other end of an ssh connection is out of reach, and nobody is there to touch one
  // here: better said at once than after half a minute.
  if (std::getenv("SSH_CONNECTION") == nullptr) return absl::OkStatus();
  return Error(ErrorReason::kTokenRemote, "SSH_CONNECTION is set");
}

absl::StatusOr<std::vector<Token>> PluggedIn() {
  RETURN_IF_ERROR(CheckIsLocal());
  fido_init(FIDO_DISABLE_U2F_FALLBACK);
  ASSIGN_OR_RETURN(std::vector<Token> tokens, FindTokens());
  if (tokens.empty()) return Error(ErrorReason::kNoToken, "none is plugged in");
  return tokens;
}

absl::StatusOr<OpenedToken> Open(const Token& token) {
  OpenedToken opened{.token = token, .device = {}};
  opened.device.reset(fido_dev_new());
  const int error =
      opened.device == nullptr ? FIDO_ERR_INTERNAL : OpenToken(opened.device.get(), token.path);
  if (error != FIDO_OK) return TokenError(error, token.name, Clock::now());
  (void)fido_dev_set_timeout(opened.device.get(), static_cast<int>(kPatience.count()));
  return opened;
}

bool HasHmacSecret(fido_dev_t* device) {
  const std::unique_ptr<fido_cbor_info_t, FreeInfo> info(fido_cbor_info_new());
  if (info == nullptr || !fido_dev_is_fido2(device) ||
      fido_dev_get_cbor_info(device, info.get()) != FIDO_OK) {
    return false;
  }
  char** extensions = fido_cbor_info_extensions_ptr(info.get());
  const size_t count = fido_cbor_info_extensions_len(info.get());
  return std::any_of(extensions, extensions + count,
                     [](const char* name) { return std::strcmp(name, "hmac-secret") == 0; });
}

// A PIN with the zero byte that libfido2 wants, or nothing.
using Pin = std::optional<SecretBuffer>;

const char* TextOf(const Pin& pin) {
  return pin.has_value() ? reinterpret_cast<const char*>(pin->bytes().data()) : nullptr;
}

absl::StatusOr<Pin> AskForPin(const OpenedToken& token, TokenPrompt& prompt) {
  int left = -1;
  if (fido_dev_get_retry_count(token.device.get(), &left) != FIDO_OK) left = -1;
  ASSIGN_OR_RETURN(const SecretBuffer typed, prompt.AskForPin(token.token.name, left));
  SecretBuffer pin(typed.size() + 1);
  std::copy(typed.bytes().begin(), typed.bytes().end(), pin.data());
  return Pin(std::move(pin));
}

// `ask` with the PIN, asked for again as long as the token says that it was wrong and allows it.
template <typename Ask>
absl::Status WithPin(const OpenedToken& token, bool needs_pin, TokenPrompt& prompt, Ask ask) {
  for (;;) {
    Pin pin;
    if (needs_pin) {
      ASSIGN_OR_RETURN(pin, AskForPin(token, prompt));
    }
    prompt.AskForTouch(token.token.name);
    const Clock::time_point since = Clock::now();
    const int error = ask(TextOf(pin));
    if (error == FIDO_OK) return absl::OkStatus();
    if (error != FIDO_ERR_PIN_INVALID) return TokenError(error, token.token.name, since);
  }
}

std::array<uint8_t, kClientDataSize> FreshClientData() {
  std::array<uint8_t, kClientDataSize> data{};
  FillRandom(absl::MakeSpan(data));
  return data;
}

absl::StatusOr<CredentialPtr> NewCredential(const std::string& user) {
  CredentialPtr credential(fido_cred_new());
  const auto client_data = FreshClientData();
  std::array<uint8_t, 16> user_id{};
  FillRandom(absl::MakeSpan(user_id));
  if (credential == nullptr || fido_cred_set_type(credential.get(), COSE_ES256) != FIDO_OK ||
      fido_cred_set_clientdata_hash(credential.get(), client_data.data(), client_data.size()) !=
          FIDO_OK ||
      fido_cred_set_rp(credential.get(), kFido2RelyingParty, "ext4crypt") != FIDO_OK ||
      fido_cred_set_user(credential.get(), user_id.data(), user_id.size(), user.c_str(), nullptr,
                         nullptr) != FIDO_OK ||
      fido_cred_set_rk(credential.get(), FIDO_OPT_FALSE) != FIDO_OK ||
      fido_cred_set_extensions(credential.get(), FIDO_EXT_HMAC_SECRET) != FIDO_OK) {
    return Error(ErrorReason::kInternal, "a request to the token could not be made");
  }
  return credential;
}

absl::StatusOr<AssertionPtr> NewAssertion(const Fido2Parameters& parameters) {
  AssertionPtr assertion(fido_assert_new());
  const auto client_data = FreshClientData();
  if (assertion == nullptr || fido_assert_set_rp(assertion.get(), kFido2RelyingParty) != FIDO_OK ||
      fido_assert_set_clientdata_hash(assertion.get(), client_data.data(), client_data.size()) !=
          FIDO_OK ||
      fido_assert_allow_cred(assertion.get(), parameters.credential_id.data(),
                             parameters.credential_id.size()) != FIDO_OK) {
    return Error(ErrorReason::kInternal, "a request to the token could not be made");
  }
  return assertion;
}

absl::StatusOr<SecretBuffer> AskForSecret(const OpenedToken& token,
                                          const Fido2Parameters& parameters, const Pin& pin,
                                          TokenPrompt* prompt_for_pin, TokenPrompt& prompt) {
  ASSIGN_OR_RETURN(const AssertionPtr assertion, NewAssertion(parameters));
  if (fido_assert_set_extensions(assertion.get(), FIDO_EXT_HMAC_SECRET) != FIDO_OK ||
      fido_assert_set_hmac_salt(assertion.get(), parameters.salt.data(), parameters.salt.size()) !=
          FIDO_OK) {
    return Error(ErrorReason::kInternal, "a request to the token could not be made");
  }
  RETURN_IF_ERROR(WithPin(token, prompt_for_pin != nullptr && parameters.needs_pin, prompt,
                          [&](const char* typed) {
                            return fido_dev_get_assert(token.device.get(), assertion.get(),
                                                       typed != nullptr ? typed : TextOf(pin));
                          }));
  if (fido_assert_count(assertion.get()) != 1 ||
      fido_assert_hmac_secret_len(assertion.get(), 0) != kFido2SecretSize) {
    return Error(ErrorReason::kTokenUnsuitable, "it gave no secret", token.token.name);
  }
  return SecretBuffer::CopyOf(
      absl::MakeConstSpan(fido_assert_hmac_secret_ptr(assertion.get(), 0), kFido2SecretSize));
}

// Without a touch: whether the token has made that credential.
bool Knows(const OpenedToken& token, const Fido2Parameters& parameters) {
  const auto assertion = NewAssertion(parameters);
  return assertion.ok() && fido_assert_set_up(assertion->get(), FIDO_OPT_FALSE) == FIDO_OK &&
         fido_dev_get_assert(token.device.get(), assertion->get(), nullptr) == FIDO_OK;
}

absl::StatusOr<Token> Choose(const std::vector<Token>& tokens, const std::string& path) {
  if (path.empty() && tokens.size() == 1) return tokens[0];
  const auto at = std::find_if(tokens.begin(), tokens.end(),
                               [&](const Token& token) { return token.path == path; });
  if (at != tokens.end()) return *at;
  if (!path.empty()) return Error(ErrorReason::kNoToken, "no security key is there", path);
  return Error(ErrorReason::kSeveralTokens,
               absl::StrJoin(tokens, ", ", [](std::string* out, const Token& token) {
                 absl::StrAppend(out, token.path, " is ", token.name);
               }));
}

}  // namespace

absl::StatusOr<NewFido2Protector> MakeFido2Protector(const std::string& user,
                                                     const std::string& path, TokenPrompt& prompt) {
  ASSIGN_OR_RETURN(const std::vector<Token> tokens, PluggedIn());
  ASSIGN_OR_RETURN(const Token chosen, Choose(tokens, path));
  ASSIGN_OR_RETURN(const OpenedToken token, Open(chosen));
  if (!HasHmacSecret(token.device.get())) {
    return Error(ErrorReason::kTokenUnsuitable, "no hmac-secret", chosen.name);
  }
  ASSIGN_OR_RETURN(const CredentialPtr credential, NewCredential(user));
  Fido2Parameters parameters{.needs_pin = fido_dev_has_pin(token.device.get())};
  FillRandom(absl::MakeSpan(parameters.salt));
  Pin pin;
  RETURN_IF_ERROR(WithPin(token, parameters.needs_pin, prompt, [&](const char* typed) {
    // Kept for the second question, so that nobody types it twice.
    if (typed != nullptr) {
      pin = SecretBuffer::CopyOf(
          absl::MakeConstSpan(reinterpret_cast<const uint8_t*>(typed), std::strlen(typed) + 1));
    }
    return fido_dev_make_cred(token.device.get(), credential.get(), typed);
  }));
  const uint8_t* id = fido_cred_id_ptr(credential.get());
  parameters.credential_id.assign(id, id + fido_cred_id_len(credential.get()));
  const PublicParameters encoded = EncodeFido2(parameters);
  if (!DecodeFido2(encoded).ok()) {
    return Error(ErrorReason::kTokenUnsuitable, "an impossible credential id", chosen.name);
  }
  ASSIGN_OR_RETURN(SecretBuffer secret, AskForSecret(token, parameters, pin, nullptr, prompt));
  return NewFido2Protector{
      .parameters = encoded, .secret = std::move(secret), .token = chosen.name};
}

absl::StatusOr<SecretBuffer> AskToken(const std::vector<PublicParameters>& protectors,
                                      TokenPrompt& prompt) {
  if (protectors.empty()) {
    return Error(ErrorReason::kNoSuchProtector, "no security key opens this key");
  }
  ASSIGN_OR_RETURN(const std::vector<Token> tokens, PluggedIn());
  absl::Status failure = absl::OkStatus();
  for (const Token& plugged_in : tokens) {
    const auto token = Open(plugged_in);
    if (!token.ok()) {
      failure = token.status();
      continue;
    }
    for (const PublicParameters& encoded : protectors) {
      ASSIGN_OR_RETURN(const Fido2Parameters parameters, DecodeFido2(encoded));
      if (!Knows(*token, parameters)) continue;
      return AskForSecret(*token, parameters, std::nullopt, &prompt, prompt);
    }
  }
  if (!failure.ok()) return failure;
  return Error(ErrorReason::kWrongToken, "no token that is plugged in has made this protector");
}

}  // namespace ext4crypt
