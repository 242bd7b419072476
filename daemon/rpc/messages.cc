// SPDX-License-Identifier: Apache-2.0
#include "daemon/rpc/messages.h"

#include "common/error.h"

namespace ext4crypt {
namespace {

keyd::v1::KeyState ToProto(KeyState state) {
  switch (state) {
    case KeyState::kLocked:
      return keyd::v1::LOCKED;
    case KeyState::kUnlocked:
      return keyd::v1::UNLOCKED;
    case KeyState::kBusy:
      return keyd::v1::BUSY;
  }
  return keyd::v1::KEY_STATE_UNSPECIFIED;
}

void ToProto(const VolumeReport& report, keyd::v1::VolumeState& out) {
  out.set_mount_point(report.volume.mount_point);
  out.set_device(report.volume.source);
  out.set_authenticated(report.volume.authenticated);
  out.set_state(ToProto(report.state));
  out.set_claimed_by_others(report.claimed_by_others);
  out.set_error(static_cast<keyd::v1::ErrorReason>(ReasonOf(report.error)));
  if (!report.error.ok()) out.set_error_cause(std::string(report.error.message()));
}

template <typename Out>
void AddVolumes(const std::vector<VolumeReport>& reports, Out& out) {
  for (const VolumeReport& report : reports) ToProto(report, *out.add_volumes());
}

void SetBytes(const std::array<uint8_t, 16>& bytes, std::string& out) {
  out.assign(bytes.begin(), bytes.end());
}

}  // namespace

void ToProto(const UnlockReport& report, keyd::v1::UnlockResponse& out) {
  SetBytes(report.identifier, *out.mutable_key_identifier());
  out.set_keyring_installed(report.keyring_installed);
  AddVolumes(report.volumes, out);
  for (const std::string& name : report.others) out.add_others(name);
}

void ToProto(const LockReport& report, keyd::v1::LockResponse& out) {
  out.set_state(ToProto(report.state));
  AddVolumes(report.volumes, out);
  for (const BusyProcess& busy : report.busy) {
    keyd::v1::BusyProcess& process = *out.add_busy();
    process.set_pid(busy.pid);
    process.set_uid(busy.uid);
    process.set_command(busy.command);
    for (const std::string& path : busy.paths) process.add_paths(path);
  }
}

void ToProto(const ProtectorRecord& record, keyd::v1::ProtectorInfo& out) {
  SetBytes(record.id, *out.mutable_id());
  out.set_kind(KindName(record.kind));
  out.set_created_unix_s(record.created_unix_s);
  out.set_name(record.name);
}

void ToProto(const KeyReport& report, Uid uid, keyd::v1::KeyStatus& out) {
  out.set_name(report.record.name);
  SetBytes(report.record.identifier, *out.mutable_identifier());
  out.set_state(ToProto(report.state));
  out.set_held_by_service(report.held_by_service);
  if (report.record.uid != uid) out.set_owner(report.record.uid);
  for (const Uid other : report.shared_with) out.add_shared_with(other);
  AddVolumes(report.volumes, out);
  for (const ProtectorRecord& record : report.record.protectors) {
    ToProto(record, *out.add_protectors());
  }
}

}  // namespace ext4crypt
