// SPDX-License-Identifier: Apache-2.0
#include "client/commands/volume_copy.h"

#include <sys/stat.h>

#include <optional>

#include "absl/strings/str_cat.h"
#include "client/commands/render.h"
#include "client/fs/key_copy.h"

namespace ext4crypt {
namespace {

bool AreOnOneDevice(const std::string& a, const std::string& b) {
  struct stat of_a = {};
  struct stat of_b = {};
  return ::stat(a.c_str(), &of_a) == 0 && ::stat(b.c_str(), &of_b) == 0 &&
         of_a.st_dev == of_b.st_dev;
}

std::string CopyText(const KeyCopyResult& copy, bool asked) {
  switch (copy.state) {
    case KeyCopyState::kWritten:
      return absl::StrCat("A copy of your wrapped keys is on the volume: ", copy.path,
                          "\nIt opens with the recovery code or a key file, not the passphrase.\n");
    case KeyCopyState::kUnchanged:
      return "";
    case KeyCopyState::kNoPlace:
      return asked ? absl::StrCat("No copy of your keys is on this volume, since ", copy.path,
                                  " is not there. Root makes it with: mkdir -m 1777 ",
                                  copy.path, "\n")
                   : "";
    case KeyCopyState::kFailed:
      return absl::StrCat("The copy of your keys on the volume could not be written: ", copy.path,
                          ": ", copy.cause, "\n");
  }
  return "";
}

Json CopyJson(const std::string& mount_point, const KeyCopyResult& copy) {
  Json item = Json::Object();
  item.Set("volume", mount_point);
  item.SetBool("present",
               copy.state == KeyCopyState::kWritten || copy.state == KeyCopyState::kUnchanged);
  if (!copy.path.empty()) item.Set("path", copy.path);
  if (!copy.cause.empty()) item.Set("cause", copy.cause);
  return item;
}

}  // namespace

void UpdateVolumeCopies(KeydClient& client, CommandResult& result, const std::string& encrypted) {
  Json list = Json::Array();
  const auto status = client.GetStatus(std::nullopt);
  const auto keys = client.CopyKeys();
  if (!status.ok() || status->keys().empty() || !keys.ok()) {
    // No key, or nothing but a passphrase: there is nothing to copy.
    result.json.Set("copies", std::move(list));
    return;
  }
  const std::string identifier = IdentifierHex(keys->key_identifier());
  for (const keyd::v1::VolumeState& volume : status->keys(0).volumes()) {
    const bool asked = !encrypted.empty() && AreOnOneDevice(encrypted, volume.mount_point());
    const KeyCopyResult copy =
        WriteKeyCopy(volume.mount_point(), identifier, keys->bundle(), asked);
    result.text += CopyText(copy, asked);
    list.Append(CopyJson(volume.mount_point(), copy));
  }
  result.json.Set("copies", std::move(list));
}

}  // namespace ext4crypt
