// SPDX-License-Identifier: Apache-2.0
#include "absl/strings/str_cat.h"
#include "common/error.h"
#include "fido2/bus.h"

namespace ext4crypt {
namespace {

constexpr size_t kMaxTokens = 16;

std::string Text(const char* text) { return text == nullptr ? "" : text; }

}  // namespace

absl::StatusOr<std::vector<Token>> FindTokens() {
  fido_dev_info_t* list = fido_dev_info_new(kMaxTokens);
  if (list == nullptr) return Error(ErrorReason::kInternal, "no memory for a list of tokens");
  size_t found = 0;
  const int error = fido_dev_info_manifest(list, kMaxTokens, &found);
  std::vector<Token> tokens;
  for (size_t i = 0; error == FIDO_OK && i < found; ++i) {
    const fido_dev_info_t* info = fido_dev_info_ptr(list, i);
    tokens.push_back({.path = Text(fido_dev_info_path(info)),
                      .name = absl::StrCat(Text(fido_dev_info_manufacturer_string(info)), " ",
                                           Text(fido_dev_info_product_string(info)))});
  }
  fido_dev_info_free(&list, kMaxTokens);
  if (error != FIDO_OK) {
    return Error(ErrorReason::kTokenFailed,
                 absl::StrCat("looking for security keys: ", fido_strerr(error)));
  }
  return tokens;
}

int OpenToken(fido_dev_t* device, const std::string& path) {
  return fido_dev_open(device, path.c_str());
}

}  // namespace ext4crypt
