// SPDX-License-Identifier: Apache-2.0
#include "daemon/rpc/key_service.h"

#include <grpcpp/support/server_callback.h>

#include <algorithm>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/error.h"
#include "common/log.h"
#include "common/secret_buffer.h"
#include "common/status_macros.h"
#include "daemon/rpc/grpc_status.h"
#include "daemon/rpc/messages.h"
#include "daemon/rpc/method_table.h"
#include "ext4crypt/keyd/v1/keyd.grpc.pb.h"

namespace ext4crypt {
namespace {

using grpc::CallbackServerContext;
using grpc::ServerUnaryReactor;

// gRPC hands requests over as const, but they are ours and ordinary objects. Taking the secret out
// at once leaves no copy in the message; the copies in gRPC's own buffers cannot be reached.
SecretBuffer Take(const std::string& field) {
  // An unset field is protobuf's one empty string, which all threads share: not to be written.
  if (field.empty()) return {};
  return SecretBuffer::TakeFrom(const_cast<std::string&>(field));  // NOLINT
}

absl::StatusOr<Credential> TakeCredential(const keyd::v1::Credential& message) {
  Credential credential;
  switch (message.kind_case()) {
    case keyd::v1::Credential::kPassphrase:
      credential = {.kind = CredentialKind::kPassphrase, .secret = Take(message.passphrase())};
      break;
    case keyd::v1::Credential::kRecoveryCode:
      credential = {.kind = CredentialKind::kRecoveryCode, .secret = Take(message.recovery_code())};
      break;
    case keyd::v1::Credential::kKeyFile:
      credential = {.kind = CredentialKind::kKeyFile, .secret = Take(message.key_file())};
      break;
    case keyd::v1::Credential::kFido2Secret:
      credential = {.kind = CredentialKind::kFido2, .secret = Take(message.fido2_secret())};
      break;
    case keyd::v1::Credential::KIND_NOT_SET:
      return Error(ErrorReason::kInvalidRequest, "the request has no credential");
  }
  if (credential.secret.size() > kMaxPassphraseSize) {
    return Error(ErrorReason::kPassphraseTooLong, "the credential is too long");
  }
  return credential;
}

absl::StatusOr<ProtectorId> ToProtectorId(const std::string& bytes) {
  ProtectorId id{};
  if (bytes.size() != id.size()) {
    return Error(ErrorReason::kNoSuchProtector, "no protector has such an id");
  }
  std::copy(bytes.begin(), bytes.end(), id.begin());
  return id;
}

absl::StatusOr<KeyIdentifier> ToIdentifier(const std::string& bytes) {
  KeyIdentifier identifier{};
  if (bytes.size() != identifier.size()) {
    return Error(ErrorReason::kInvalidRequest, "an identifier of the wrong length");
  }
  std::copy(bytes.begin(), bytes.end(), identifier.begin());
  return identifier;
}

// What a call did not take, because it was refused or failed early.
template <typename Message>
void WipeSecrets(const Message& message) {
  if constexpr (requires { message.credential(); }) WipeSecrets(message.credential());
  if constexpr (requires { message.passphrase(); }) (void)Take(message.passphrase());
  if constexpr (requires { message.recovery_code(); }) (void)Take(message.recovery_code());
  if constexpr (requires { message.new_passphrase(); }) (void)Take(message.new_passphrase());
  if constexpr (requires { message.key_file(); }) (void)Take(message.key_file());
  if constexpr (requires { message.fido2_secret(); }) (void)Take(message.fido2_secret());
}

template <typename Request>
std::optional<Uid> RequestedUser(const Request& request) {
  if constexpr (requires { request.has_user(); }) {
    if (request.has_user()) return request.user();
  }
  return std::nullopt;
}

class KeyServiceForUser final : public keyd::v1::KeyService::CallbackService {
 public:
  KeyServiceForUser(const ServiceParts& parts, Uid peer) : parts_(parts), peer_(peer) {}

  ServerUnaryReactor* Enrol(CallbackServerContext* context, const keyd::v1::EnrolRequest* request,
                            keyd::v1::EnrolResponse* response) override {
    return Dispatch(parts_.derivations, "Enrol", context, *request, [=, this](Uid uid) {
      const SecretBuffer passphrase = Take(request->passphrase());
      parts_.marks.Add(uid);
      ASSIGN_OR_RETURN(const EnrolledKey enrolled, parts_.enrolment.Enrol(uid, passphrase));
      response->set_key_identifier(enrolled.identifier.data(), enrolled.identifier.size());
      response->set_recovery_code(std::string(enrolled.recovery_code.text()));
      return absl::OkStatus();
    });
  }

  ServerUnaryReactor* Unlock(CallbackServerContext* context, const keyd::v1::UnlockRequest* request,
                             keyd::v1::UnlockResponse* response) override {
    return Dispatch(parts_.derivations, "Unlock", context, *request, [=, this](Uid uid) {
      if (!request->key().empty() && request->key() != kDefaultKeyName) {
        ASSIGN_OR_RETURN(const UnlockReport named, parts_.named_keys.Unlock(uid, request->key()));
        ToProto(named, *response);
        return absl::OkStatus();
      }
      ASSIGN_OR_RETURN(const Credential credential, TakeCredential(request->credential()));
      const UnlockFor purpose = request->for_session() ? UnlockFor::kSession : UnlockFor::kUser;
      ASSIGN_OR_RETURN(const UnlockReport report,
                       request->key().empty()
                           ? parts_.user_keys.Unlock(uid, credential, purpose)
                           : parts_.default_key.Unlock(uid, credential, purpose));
      ToProto(report, *response);
      return absl::OkStatus();
    });
  }

  ServerUnaryReactor* Lock(CallbackServerContext* context, const keyd::v1::LockRequest* request,
                           keyd::v1::LockResponse* response) override {
    return Dispatch(parts_.quick, "Lock", context, *request, [=, this](Uid uid) {
      if (!request->key().empty() && request->key() != kDefaultKeyName) {
        ASSIGN_OR_RETURN(const LockReport named, parts_.named_keys.Lock(uid, request->key()));
        ToProto(named, *response);
        return absl::OkStatus();
      }
      // The others open with the default key and go with it, whichever was named.
      ASSIGN_OR_RETURN(const LockReport report, parts_.user_keys.Lock(uid));
      ToProto(report, *response);
      return absl::OkStatus();
    });
  }

  ServerUnaryReactor* GetStatus(CallbackServerContext* context,
                                const keyd::v1::GetStatusRequest* request,
                                keyd::v1::GetStatusResponse* response) override {
    return Dispatch(parts_.quick, "GetStatus", context, *request, [=, this](Uid uid) {
      ASSIGN_OR_RETURN(const UserReport report, parts_.user_keys.GetStatus(uid));
      response->set_user(uid);
      response->set_enrolled(report.enrolled);
      response->set_sessions(static_cast<uint32_t>(report.sessions));
      response->set_allow_unauthenticated(report.allow_unauthenticated);
      for (const KeyReport& key : report.keys) ToProto(key, uid, *response->add_keys());
      return absl::OkStatus();
    });
  }

  ServerUnaryReactor* CreateKey(CallbackServerContext* context,
                                const keyd::v1::CreateKeyRequest* request,
                                keyd::v1::CreateKeyResponse* response) override {
    return Dispatch(parts_.quick, "CreateKey", context, *request, [=, this](Uid uid) {
      ASSIGN_OR_RETURN(const KeyIdentifier id, parts_.named_keys.Create(uid, request->name()));
      response->set_key_identifier(id.data(), id.size());
      return absl::OkStatus();
    });
  }

  ServerUnaryReactor* RemoveKey(CallbackServerContext* context,
                                const keyd::v1::RemoveKeyRequest* request,
                                keyd::v1::RemoveKeyResponse* /*response*/) override {
    return Dispatch(parts_.quick, "RemoveKey", context, *request, [=, this](Uid uid) {
      return parts_.named_keys.Remove(uid, request->name(), request->lose_data());
    });
  }

  ServerUnaryReactor* ShareKey(CallbackServerContext* context,
                               const keyd::v1::ShareKeyRequest* request,
                               keyd::v1::ShareKeyResponse* /*response*/) override {
    return Dispatch(parts_.quick, "ShareKey", context, *request, [=, this](Uid uid) {
      return parts_.named_keys.Share(uid, request->name(), request->with());
    });
  }

  ServerUnaryReactor* UnshareKey(CallbackServerContext* context,
                                 const keyd::v1::UnshareKeyRequest* request,
                                 keyd::v1::UnshareKeyResponse* /*response*/) override {
    return Dispatch(parts_.quick, "UnshareKey", context, *request, [=, this](Uid uid) {
      return parts_.named_keys.Unshare(uid, request->name(), request->with());
    });
  }

  ServerUnaryReactor* ExportKeys(CallbackServerContext* context,
                                 const keyd::v1::ExportKeysRequest* request,
                                 keyd::v1::ExportKeysResponse* response) override {
    return Dispatch(parts_.derivations, "ExportKeys", context, *request, [=, this](Uid uid) {
      ASSIGN_OR_RETURN(const Credential credential, TakeCredential(request->credential()));
      ASSIGN_OR_RETURN(const std::vector<uint8_t> exported, parts_.exports.Make(uid, credential));
      response->set_exported(exported.data(), exported.size());
      return absl::OkStatus();
    });
  }

  ServerUnaryReactor* ImportKeys(CallbackServerContext* context,
                                 const keyd::v1::ImportKeysRequest* request,
                                 keyd::v1::ImportKeysResponse* response) override {
    return Dispatch(parts_.derivations, "ImportKeys", context, *request, [=, this](Uid uid) {
      ASSIGN_OR_RETURN(const Credential credential, TakeCredential(request->credential()));
      const SecretBuffer new_passphrase = Take(request->new_passphrase());
      std::optional<KeyIdentifier> expected;
      if (!request->expected_identifier().empty()) {
        ASSIGN_OR_RETURN(expected, ToIdentifier(request->expected_identifier()));
      }
      if (request->as().empty()) parts_.marks.Add(uid);
      const auto exported = absl::MakeConstSpan(
          reinterpret_cast<const uint8_t*>(request->exported().data()), request->exported().size());
      ASSIGN_OR_RETURN(const ImportedKeys imported,
                       parts_.exports.Import(uid, exported, credential, new_passphrase,
                                             request->as(), expected));
      if (!request->as().empty()) (void)parts_.named_keys.UnlockAll(uid);
      response->set_key_identifier(imported.identifier.data(), imported.identifier.size());
      for (const std::string& name : imported.names) response->add_names(name);
      response->set_recovery_code(std::string(imported.recovery_code.text()));
      return absl::OkStatus();
    });
  }

  ServerUnaryReactor* ExportForVolume(CallbackServerContext* context,
                                      const keyd::v1::ExportForVolumeRequest* request,
                                      keyd::v1::ExportForVolumeResponse* response) override {
    return Dispatch(parts_.quick, "ExportForVolume", context, *request, [=, this](Uid uid) {
      ASSIGN_OR_RETURN(const Export exported, parts_.exports.MakeForVolume(uid));
      ASSIGN_OR_RETURN(const std::vector<uint8_t> bytes, EncodeExport(exported));
      const KeyIdentifier& identifier = exported.keys[0].identifier;
      response->set_exported(bytes.data(), bytes.size());
      response->set_key_identifier(identifier.data(), identifier.size());
      return absl::OkStatus();
    });
  }

  ServerUnaryReactor* ChangePassphrase(CallbackServerContext* context,
                                       const keyd::v1::ChangePassphraseRequest* request,
                                       keyd::v1::ChangePassphraseResponse* /*response*/) override {
    return Dispatch(parts_.derivations, "ChangePassphrase", context, *request, [=, this](Uid uid) {
      const SecretBuffer new_passphrase = Take(request->new_passphrase());
      ASSIGN_OR_RETURN(const Credential credential, TakeCredential(request->credential()));
      return parts_.enrolment.ChangePassphrase(uid, credential, new_passphrase);
    });
  }

  ServerUnaryReactor* RenewRecovery(CallbackServerContext* context,
                                    const keyd::v1::RenewRecoveryRequest* request,
                                    keyd::v1::RenewRecoveryResponse* response) override {
    return Dispatch(parts_.derivations, "RenewRecovery", context, *request, [=, this](Uid uid) {
      ASSIGN_OR_RETURN(const Credential credential, TakeCredential(request->credential()));
      if (request->keep_old()) {
        ASSIGN_OR_RETURN(const Enrolment::AddedRecovery added,
                         parts_.enrolment.AddRecovery(uid, credential));
        response->set_recovery_code(std::string(added.code.text()));
        response->set_protector_id(added.id.data(), added.id.size());
        return absl::OkStatus();
      }
      ASSIGN_OR_RETURN(const SecretBuffer code, parts_.enrolment.RenewRecovery(uid, credential));
      response->set_recovery_code(std::string(code.text()));
      return absl::OkStatus();
    });
  }

  ServerUnaryReactor* AddKeyFile(CallbackServerContext* context,
                                 const keyd::v1::AddKeyFileRequest* request,
                                 keyd::v1::AddKeyFileResponse* response) override {
    return Dispatch(parts_.derivations, "AddKeyFile", context, *request, [=, this](Uid uid) {
      const SecretBuffer contents = Take(request->key_file());
      ASSIGN_OR_RETURN(const Credential credential, TakeCredential(request->credential()));
      ASSIGN_OR_RETURN(const ProtectorId id,
                       parts_.enrolment.AddKeyFile(uid, credential, contents));
      response->set_protector_id(id.data(), id.size());
      return absl::OkStatus();
    });
  }

  ServerUnaryReactor* AddFido2Protector(CallbackServerContext* context,
                                        const keyd::v1::AddFido2ProtectorRequest* request,
                                        keyd::v1::AddFido2ProtectorResponse* response) override {
    return Dispatch(parts_.derivations, "AddFido2Protector", context, *request, [=, this](Uid uid) {
      const SecretBuffer secret = Take(request->fido2_secret());
      ASSIGN_OR_RETURN(const Credential credential, TakeCredential(request->credential()));
      const std::string& given = request->parameters();
      ASSIGN_OR_RETURN(const ProtectorId id,
                       parts_.enrolment.AddFido2(uid, credential, secret,
                                                 {given.begin(), given.end()}, request->name()));
      response->set_protector_id(id.data(), id.size());
      return absl::OkStatus();
    });
  }

  ServerUnaryReactor* GetProtectors(CallbackServerContext* context,
                                    const keyd::v1::GetProtectorsRequest* request,
                                    keyd::v1::GetProtectorsResponse* response) override {
    return Dispatch(parts_.quick, "GetProtectors", context, *request, [=, this](Uid uid) {
      ASSIGN_OR_RETURN(const std::vector<ProtectorRecord> records,
                       parts_.enrolment.Protectors(uid));
      for (const ProtectorRecord& record : records) {
        keyd::v1::ProtectorParameters& protector = *response->add_protectors();
        ToProto(record, *protector.mutable_info());
        protector.set_parameters(record.parameters.data(), record.parameters.size());
      }
      return absl::OkStatus();
    });
  }

  ServerUnaryReactor* RenameProtector(CallbackServerContext* context,
                                      const keyd::v1::RenameProtectorRequest* request,
                                      keyd::v1::RenameProtectorResponse* /*response*/) override {
    return Dispatch(parts_.quick, "RenameProtector", context, *request, [=, this](Uid uid) {
      ASSIGN_OR_RETURN(const ProtectorId id, ToProtectorId(request->protector_id()));
      return parts_.enrolment.RenameProtector(uid, id, request->name());
    });
  }

  ServerUnaryReactor* RemoveProtector(CallbackServerContext* context,
                                      const keyd::v1::RemoveProtectorRequest* request,
                                      keyd::v1::RemoveProtectorResponse* /*response*/) override {
    return Dispatch(parts_.derivations, "RemoveProtector", context, *request, [=, this](Uid uid) {
      ASSIGN_OR_RETURN(const Credential credential, TakeCredential(request->credential()));
      ASSIGN_OR_RETURN(const ProtectorId id, ToProtectorId(request->protector_id()));
      return parts_.enrolment.RemoveProtector(uid, credential, id);
    });
  }

 private:
  // Every call goes through here: authorized by the table, run on a bounded pool, logged once.
  // `work` takes the uid whose keys they are and returns an absl::Status. Request and response live
  // until Finish().
  template <typename Request, typename Work>
  ServerUnaryReactor* Dispatch(WorkerPool& pool, const char* method, CallbackServerContext* context,
                               const Request& request, Work work) {
    ServerUnaryReactor* reactor = context->DefaultReactor();
    const auto uid = Authorize(MethodTable(), method, peer_, RequestedUser(request));
    if (!uid.ok()) {
      WipeSecrets(request);
      Finish(reactor, method, uid.status());
      return reactor;
    }
    auto run = [this, reactor, context, &request, method, uid = *uid, work = std::move(work)] {
      if (context->IsCancelled()) {
        WipeSecrets(request);
        reactor->Finish(grpc::Status::CANCELLED);
        return;
      }
      const absl::Status status = work(uid);
      WipeSecrets(request);  // before Finish(), which ends the request's life
      Finish(reactor, method, status);
    };
    // By the peer, not by whose keys they are: it is the caller who must not flood us.
    if (!pool.Submit(peer_, std::move(run))) {
      WipeSecrets(request);
      Finish(reactor, method,
             Error(ErrorReason::kServiceOverloaded, "too many calls are in progress"));
    }
    return reactor;
  }

  void Finish(ServerUnaryReactor* reactor, const char* method, const absl::Status& status) const {
    if (status.ok()) {
      Log(LogLevel::kInfo, absl::StrCat(method, " for uid ", peer_, ": ok"));
    } else {
      Log(LogLevel::kNotice, absl::StrCat(method, " for uid ", peer_, ": ",
                                          ReasonName(ReasonOf(status)), ": ", status.message()));
    }
    reactor->Finish(ToGrpcStatus(status));
  }

  const ServiceParts parts_;
  const Uid peer_;
};

}  // namespace

std::unique_ptr<grpc::Service> NewKeyService(const ServiceParts& parts, Uid peer) {
  return std::make_unique<KeyServiceForUser>(parts, peer);
}

}  // namespace ext4crypt
