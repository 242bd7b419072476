// SPDX-License-Identifier: Apache-2.0
#include "daemon/core/key_opener.h"

#include "common/error.h"
#include "common/secret_buffer.h"
#include "common/status_macros.h"
#include "keys/open_record.h"

namespace ext4crypt {

absl::StatusOr<OpenedKey> KeyOpener::Open(const KeyRecord& record, const Credential& credential,
                                          Uid guesser) {
  ASSIGN_OR_RETURN(const SecretBuffer secret, SecretOf(credential));
  RETURN_IF_ERROR(limiter_.Begin(guesser));
  absl::StatusOr<OpenedKey> opened = OpenRecord(record, credential.kind, secret, kinds_);
  if (opened.ok()) {
    limiter_.Succeeded(guesser);
  } else if (!IsWrongCredential(ReasonOf(opened.status()))) {
    limiter_.Cancelled(guesser);
  }
  return opened;
}

}  // namespace ext4crypt
