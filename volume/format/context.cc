// SPDX-License-Identifier: Apache-2.0
#include "volume/format/context.h"

#include <algorithm>
#include <cstddef>

#include "absl/strings/str_cat.h"
#include "common/status_macros.h"

namespace ext4crypt::volume {
namespace {

static_assert(sizeof(e4c_context) == E4C_CONTEXT_SIZE);
static_assert(offsetof(e4c_context, master_key_identifier) == 8);
static_assert(offsetof(e4c_context, nonce) == 24);

constexpr uint8_t kFscryptVersion1 = 1;
constexpr uint8_t kFscryptVersion2 = 2;

absl::Status Unsupported(absl::string_view what, unsigned value) {
  return Fail(Reason::kContextUnsupported, absl::StrCat(what, " ", value));
}

absl::Status CheckAuthenticated(const Context& context) {
  const auto& raw = context.raw;
  if (raw[1] != kModeXts) return Unsupported("contents mode", raw[1]);
  if (raw[2] != kModeCts && raw[2] != kModeHctr2) return Unsupported("names mode", raw[2]);
  if ((raw[3] & ~kPaddingBits) != 0) return Unsupported("policy flags", raw[3]);
  if (raw[4] != 0) return Unsupported("log2 data unit size", raw[4]);
  if (raw[5] != E4C_AEAD_AES_256_GCM && raw[5] != E4C_AEAD_CHACHA20_POLY1305) {
    return Unsupported("AEAD", raw[5]);
  }
  if (raw[6] == 1) {
    return Fail(Reason::kContextUnsupported,
                "format revision 1, which only versions before the first release wrote and which "
                "this one does not read");
  }
  if (raw[6] != E4C_FORMAT_REVISION) return Unsupported("format revision", raw[6]);
  if ((raw[7] & ~E4C_INCOMPAT_KNOWN) != 0) return Unsupported("incompatible features", raw[7]);
  return absl::OkStatus();
}

}  // namespace

KeyIdentifier Context::identifier() const {
  KeyIdentifier out = {};
  std::copy_n(raw.begin() + 8, out.size(), out.begin());
  return out;
}

absl::StatusOr<Context> ParseContext(absl::Span<const uint8_t> bytes) {
  if (bytes.empty()) return Fail(Reason::kContextMalformed, "the context is empty");
  const uint8_t version = bytes[0];
  if (version != E4C_CONTEXT_VERSION && version != kFscryptVersion2) {
    return Unsupported(version == kFscryptVersion1 ? "fscrypt context version" : "context version",
                       version);
  }
  Context context;
  if (bytes.size() != context.raw.size()) {
    return Fail(Reason::kContextMalformed, absl::StrCat(bytes.size(), " bytes"));
  }
  std::copy(bytes.begin(), bytes.end(), context.raw.begin());
  if (context.authenticated()) RETURN_IF_ERROR(CheckAuthenticated(context));
  return context;
}

std::string ContentsModeName(const Context& context) {
  if (context.authenticated()) {
    return context.aead() == E4C_AEAD_AES_256_GCM ? "AES-256-GCM" : "ChaCha20-Poly1305";
  }
  return context.contents_mode() == kModeXts ? "AES-256-XTS"
                                             : absl::StrCat("mode ", context.contents_mode());
}

std::string NamesModeName(const Context& context) {
  if (context.names_mode() == kModeCts) return "AES-256-CTS-CBC";
  if (context.names_mode() == kModeHctr2) return "AES-256-HCTR2";
  return absl::StrCat("mode ", context.names_mode());
}

}  // namespace ext4crypt::volume
