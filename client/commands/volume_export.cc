// SPDX-License-Identifier: Apache-2.0
#include "client/commands/volume_export.h"

#include <sys/stat.h>

#include <optional>

#include "absl/strings/str_cat.h"
#include "client/commands/render.h"
#include "client/fs/volume_export.h"
#include "common/printable.h"

namespace ext4crypt {
namespace {

bool AreOnOneDevice(const std::string& a, const std::string& b) {
  struct stat of_a = {};
  struct stat of_b = {};
  return ::stat(a.c_str(), &of_a) == 0 && ::stat(b.c_str(), &of_b) == 0 &&
         of_a.st_dev == of_b.st_dev;
}

std::string ExportText(const VolumeExportResult& exported, bool asked) {
  switch (exported.state) {
    case VolumeExportState::kWritten:
      return absl::StrCat("An export of your keys is on the volume: ", Printable(exported.path),
                          "\nIt opens with the recovery code, a key file or a security key, not "
                          "the passphrase.\n");
    case VolumeExportState::kUnchanged:
      return "";
    case VolumeExportState::kNoPlace:
      return asked ? absl::StrCat("No export of your keys is on this volume, since ",
                                  Printable(exported.path),
                                  " is not there. Root makes it with: mkdir -m 1777 ",
                                  Printable(exported.path), "\n")
                   : "";
    case VolumeExportState::kFailed:
      return absl::StrCat("The export of your keys on the volume could not be written: ",
                          Printable(exported.path), ": ", Printable(exported.cause), "\n");
  }
  return "";
}

Json ExportJson(const std::string& mount_point, const VolumeExportResult& exported) {
  Json item = Json::Object();
  item.Set("volume", mount_point);
  item.SetBool("present", exported.state == VolumeExportState::kWritten ||
                              exported.state == VolumeExportState::kUnchanged);
  if (!exported.path.empty()) item.Set("path", exported.path);
  if (!exported.cause.empty()) item.Set("cause", exported.cause);
  return item;
}

}  // namespace

void UpdateVolumeExports(KeydClient& client, CommandResult& result, const std::string& encrypted) {
  Json list = Json::Array();
  const auto status = client.GetStatus(std::nullopt);
  const auto keys = client.ExportForVolume();
  if (!status.ok() || status->keys().empty() || !keys.ok()) {
    // No key, or nothing but a passphrase: there is nothing to export.
    result.json.Set("exports", std::move(list));
    return;
  }
  const std::string identifier = IdentifierHex(keys->key_identifier());
  for (const keyd::v1::VolumeState& volume : status->keys(0).volumes()) {
    const bool asked = !encrypted.empty() && AreOnOneDevice(encrypted, volume.mount_point());
    const VolumeExportResult exported =
        WriteVolumeExport(volume.mount_point(), identifier, keys->exported(), asked);
    result.text += ExportText(exported, asked);
    list.Append(ExportJson(volume.mount_point(), exported));
  }
  result.json.Set("exports", std::move(list));
}

}  // namespace ext4crypt
