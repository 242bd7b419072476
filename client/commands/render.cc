// SPDX-License-Identifier: Apache-2.0
#include "client/commands/render.h"

#include "absl/strings/str_cat.h"
#include "common/error.h"
#include "common/hex.h"
#include "common/printable.h"

namespace ext4crypt {
namespace {

const char* ClassWord(bool authenticated) {
  return authenticated ? "authenticated" : "unauthenticated";
}

ErrorReason ErrorOf(const keyd::v1::VolumeState& volume) {
  return static_cast<ErrorReason>(volume.error());
}

}  // namespace

const char* StateWord(keyd::v1::KeyState state) {
  switch (state) {
    case keyd::v1::LOCKED:
      return "locked";
    case keyd::v1::UNLOCKED:
      return "unlocked";
    case keyd::v1::BUSY:
      return "busy";
    default:
      return "unknown";
  }
}

std::string IdentifierHex(const std::string& bytes) {
  return ToHex(absl::MakeConstSpan(reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size()));
}

std::string VolumesText(const VolumeList& volumes) {
  std::string text;
  for (const keyd::v1::VolumeState& volume : volumes) {
    absl::StrAppend(&text, "  ", Printable(volume.mount_point()), " (", Printable(volume.device()),
                    "): ", StateWord(volume.state()), ", ", ClassWord(volume.authenticated()));
    if (volume.claimed_by_others()) absl::StrAppend(&text, ", also unlocked by others");
    if (volume.error() != keyd::v1::ERROR_REASON_UNSPECIFIED) {
      absl::StrAppend(&text, ", failed: ", ReasonName(ErrorOf(volume)),
                      volume.error_cause().empty()
                          ? ""
                          : absl::StrCat(" (", Printable(volume.error_cause()), ")"));
    }
    text += '\n';
  }
  return text;
}

Json VolumesJson(const VolumeList& volumes) {
  Json list = Json::Array();
  for (const keyd::v1::VolumeState& volume : volumes) {
    Json item = Json::Object();
    item.Set("mount_point", volume.mount_point());
    item.Set("device", volume.device());
    item.Set("class", ClassWord(volume.authenticated()));
    item.Set("state", StateWord(volume.state()));
    item.SetBool("claimed_by_others", volume.claimed_by_others());
    if (volume.error() != keyd::v1::ERROR_REASON_UNSPECIFIED) {
      item.Set("error", ReasonName(ErrorOf(volume)));
      item.Set("cause", volume.error_cause());
    }
    list.Append(std::move(item));
  }
  return list;
}

Json ProtectorsJson(const keyd::v1::KeyStatus& key) {
  Json list = Json::Array();
  for (const keyd::v1::ProtectorInfo& protector : key.protectors()) {
    Json item = Json::Object();
    item.Set("id", IdentifierHex(protector.id()));
    item.Set("kind", protector.kind());
    item.SetInt("created_unix_s", protector.created_unix_s());
    item.Set("name", protector.name());
    list.Append(std::move(item));
  }
  return list;
}

absl::Status FirstVolumeError(const VolumeList& volumes) {
  for (const keyd::v1::VolumeState& volume : volumes) {
    if (volume.error() == keyd::v1::ERROR_REASON_UNSPECIFIED) continue;
    const std::string& cause = volume.error_cause();
    return Error(ErrorOf(volume), cause.empty() ? "a volume refused" : cause, volume.mount_point());
  }
  return absl::OkStatus();
}

}  // namespace ext4crypt
