// SPDX-License-Identifier: Apache-2.0
#include "client/rpc/keyd_client.h"

#include <fcntl.h>
#include <grpc/support/log.h>
#include <grpcpp/channel.h>
#include <grpcpp/client_context.h>
#include <grpcpp/create_channel_posix.h>
#include <pthread.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <latch>
#include <utility>

#include "absl/strings/match.h"
#include "client/rpc/local_socket.h"
#include "common/error.h"
#include "common/status_macros.h"
#include "common/unique_fd.h"
#include "ext4crypt/keyd/v1/keyd.grpc.pb.h"

namespace ext4crypt {
namespace {

// Long enough for a derivation on a slow machine behind a queue of others.
constexpr auto kDeadline = std::chrono::seconds(120);

absl::Status FromGrpc(const grpc::Status& status) {
  if (status.ok()) return absl::OkStatus();
  keyd::v1::ErrorDetail detail;
  if (!status.error_details().empty() && detail.ParseFromString(status.error_details()) &&
      detail.reason() != keyd::v1::ERROR_REASON_UNSPECIFIED) {
    return Error(ErrorInfo{.reason = static_cast<ErrorReason>(detail.reason()),
                           .subject = detail.subject(),
                           .retry_after_ms = detail.retry_after_ms()},
                 status.error_message() == keyd::v1::ErrorReason_Name(detail.reason())
                     ? ""  // the cause stays in the service's log
                     : status.error_message());
  }
  switch (status.error_code()) {
    case grpc::StatusCode::UNAVAILABLE:
      // gRPC has one code for a connection that was closed and for one that is dead.
      if (absl::StrContains(status.error_message(), "keepalive")) {
        return Error(ErrorReason::kServiceUnreachable, "no sign of life from the service");
      }
      // The connection is made before a call is: then it was closed.
      return Error(ErrorReason::kServiceOverloaded, status.error_message());
    case grpc::StatusCode::DEADLINE_EXCEEDED:
    case grpc::StatusCode::CANCELLED:
      return Error(ErrorReason::kServiceUnreachable, status.error_message());
    case grpc::StatusCode::UNIMPLEMENTED:
    case grpc::StatusCode::INVALID_ARGUMENT:
      return Error(ErrorReason::kInvalidRequest, status.error_message());
    case grpc::StatusCode::RESOURCE_EXHAUSTED:
      return Error(ErrorReason::kServiceOverloaded, status.error_message());
    default:
      return Error(ErrorReason::kInternal, status.error_message());
  }
}

// gRPC's own messages are about its internals; ours say what the user can do.
void SilenceGrpc() {
  gpr_set_log_function([](gpr_log_func_args* /*args*/) {});
}

// gRPC starts some and hangs without a word when it cannot: at a limit of processes, say.
absl::Status CheckThreads() {
  constexpr size_t kThreads = 8;
  std::array<pthread_t, kThreads> threads;
  std::latch all_tried(1);
  const auto wait = [](void* latch) -> void* {
    static_cast<std::latch*>(latch)->wait();
    return nullptr;
  };
  size_t started = 0;
  int error = 0;
  while (started < kThreads && error == 0) {
    error = pthread_create(&threads[started], nullptr, wait, &all_tried);
    if (error == 0) ++started;
  }
  all_tried.count_down();
  for (size_t i = 0; i < started; ++i) pthread_join(threads[i], nullptr);
  if (error == 0) return absl::OkStatus();
  return ErrnoError(ErrorReason::kProcessLimit, error, "starting a thread");
}

// A ping after a third of `patience`, and the rest for the answer. gRPC by itself sends none.
grpc::ChannelArguments Pings(std::chrono::milliseconds patience) {
  const int all = static_cast<int>(patience.count());
  grpc::ChannelArguments arguments;
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIME_MS, all / 3);
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, all - all / 3);
  arguments.SetInt(GRPC_ARG_HTTP2_MIN_SENT_PING_INTERVAL_WITHOUT_DATA_MS, all / 3);
  arguments.SetInt(GRPC_ARG_HTTP2_MAX_PINGS_WITHOUT_DATA, 0);  // no limit
  return arguments;
}

void SetSecret(std::string* field, const SecretBuffer& secret) {
  // Never grows afterwards, so no copy is left behind by a reallocation.
  field->assign(secret.text().data(), secret.size());
}

std::string* SecretField(keyd::v1::Credential& message, CredentialKind kind) {
  switch (kind) {
    case CredentialKind::kPassphrase:
      return message.mutable_passphrase();
    case CredentialKind::kRecoveryCode:
      return message.mutable_recovery_code();
    case CredentialKind::kKeyFile:
      return message.mutable_key_file();
    case CredentialKind::kFido2:
      return message.mutable_fido2_secret();
  }
  return message.mutable_passphrase();
}

// Fills a request's credential, and wipes it again when the call is over.
class CredentialInRequest {
 public:
  CredentialInRequest(keyd::v1::Credential* message, const TypedCredential& credential)
      : field_(SecretField(*message, credential.kind)) {
    SetSecret(field_, credential.secret);
  }
  CredentialInRequest(const CredentialInRequest&) = delete;
  CredentialInRequest& operator=(const CredentialInRequest&) = delete;
  ~CredentialInRequest() { WipeString(*field_); }

 private:
  std::string* const field_;
};

}  // namespace

struct KeydClient::Connection {
  std::unique_ptr<keyd::v1::KeyService::Stub> stub;

  template <typename Request, typename Response>
  absl::Status Call(grpc::Status (keyd::v1::KeyService::Stub::*method)(grpc::ClientContext*,
                                                                       const Request&, Response*),
                    const Request& request, Response& response) {
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() + kDeadline);
    return FromGrpc((stub.get()->*method)(&context, request, &response));
  }
};

KeydClient::KeydClient(std::unique_ptr<Connection> connection)
    : connection_(std::move(connection)) {}
KeydClient::KeydClient(KeydClient&&) noexcept = default;
KeydClient& KeydClient::operator=(KeydClient&&) noexcept = default;
KeydClient::~KeydClient() = default;

absl::Status KeydClient::Probe(const std::string& socket_path) {
  return ConnectTrusted(socket_path).status();
}

absl::StatusOr<KeydClient> KeydClient::Connect(const std::string& socket_path,
                                               std::chrono::milliseconds patience) {
  SilenceGrpc();
  RETURN_IF_ERROR(CheckThreads());
  ASSIGN_OR_RETURN(UniqueFd fd, ConnectTrusted(socket_path, patience));
  const int flags = ::fcntl(fd.get(), F_GETFL);
  if (flags < 0 || ::fcntl(fd.get(), F_SETFL, flags | O_NONBLOCK) != 0) {
    return ErrnoError(ErrorReason::kInternal, errno, "O_NONBLOCK");
  }
  auto connection = std::make_unique<Connection>();
  // gRPC connects nowhere by itself: it gets the descriptor that was checked.
  connection->stub = keyd::v1::KeyService::NewStub(
      grpc::CreateCustomInsecureChannelFromFd("ext4crypt-keyd", fd.release(), Pings(patience)));
  return KeydClient(std::move(connection));
}

using Stub = keyd::v1::KeyService::Stub;

absl::StatusOr<keyd::v1::EnrolResponse> KeydClient::Enrol(const SecretBuffer& passphrase) {
  keyd::v1::EnrolRequest request;
  keyd::v1::EnrolResponse response;
  SetSecret(request.mutable_passphrase(), passphrase);
  const absl::Status status = connection_->Call(&Stub::Enrol, request, response);
  WipeString(*request.mutable_passphrase());
  RETURN_IF_ERROR(status);
  return response;
}

absl::StatusOr<keyd::v1::UnlockResponse> KeydClient::Unlock(const TypedCredential& credential,
                                                            bool for_session) {
  keyd::v1::UnlockRequest request;
  keyd::v1::UnlockResponse response;
  request.set_for_session(for_session);
  const CredentialInRequest filled(request.mutable_credential(), credential);
  RETURN_IF_ERROR(connection_->Call(&Stub::Unlock, request, response));
  return response;
}

absl::StatusOr<keyd::v1::UnlockResponse> KeydClient::UnlockNamed(const std::string& key) {
  keyd::v1::UnlockRequest request;
  keyd::v1::UnlockResponse response;
  request.set_key(key);
  RETURN_IF_ERROR(connection_->Call(&Stub::Unlock, request, response));
  return response;
}

absl::StatusOr<keyd::v1::LockResponse> KeydClient::Lock(std::optional<uid_t> user,
                                                        const std::string& key) {
  keyd::v1::LockRequest request;
  request.set_key(key);
  keyd::v1::LockResponse response;
  if (user.has_value()) request.set_user(*user);
  RETURN_IF_ERROR(connection_->Call(&Stub::Lock, request, response));
  return response;
}

absl::StatusOr<keyd::v1::GetStatusResponse> KeydClient::GetStatus(std::optional<uid_t> user) {
  keyd::v1::GetStatusRequest request;
  keyd::v1::GetStatusResponse response;
  if (user.has_value()) request.set_user(*user);
  RETURN_IF_ERROR(connection_->Call(&Stub::GetStatus, request, response));
  return response;
}

absl::Status KeydClient::ChangePassphrase(const TypedCredential& credential,
                                          const SecretBuffer& new_passphrase) {
  keyd::v1::ChangePassphraseRequest request;
  keyd::v1::ChangePassphraseResponse response;
  const CredentialInRequest filled(request.mutable_credential(), credential);
  SetSecret(request.mutable_new_passphrase(), new_passphrase);
  const absl::Status status = connection_->Call(&Stub::ChangePassphrase, request, response);
  WipeString(*request.mutable_new_passphrase());
  return status;
}

absl::StatusOr<keyd::v1::RenewRecoveryResponse> KeydClient::AddRecovery(
    const TypedCredential& credential) {
  keyd::v1::RenewRecoveryRequest request;
  keyd::v1::RenewRecoveryResponse response;
  request.set_keep_old(true);
  const CredentialInRequest filled(request.mutable_credential(), credential);
  RETURN_IF_ERROR(connection_->Call(&Stub::RenewRecovery, request, response));
  return response;
}

absl::StatusOr<keyd::v1::AddKeyFileResponse> KeydClient::AddKeyFile(
    const TypedCredential& credential, const SecretBuffer& contents) {
  keyd::v1::AddKeyFileRequest request;
  keyd::v1::AddKeyFileResponse response;
  const CredentialInRequest filled(request.mutable_credential(), credential);
  SetSecret(request.mutable_key_file(), contents);
  const absl::Status status = connection_->Call(&Stub::AddKeyFile, request, response);
  WipeString(*request.mutable_key_file());
  RETURN_IF_ERROR(status);
  return response;
}

absl::StatusOr<keyd::v1::AddFido2ProtectorResponse> KeydClient::AddFido2Protector(
    const TypedCredential& credential, const SecretBuffer& secret,
    const PublicParameters& parameters, const std::string& name) {
  keyd::v1::AddFido2ProtectorRequest request;
  keyd::v1::AddFido2ProtectorResponse response;
  const CredentialInRequest filled(request.mutable_credential(), credential);
  SetSecret(request.mutable_fido2_secret(), secret);
  request.set_parameters(parameters.data(), parameters.size());
  request.set_name(name);
  const absl::Status status = connection_->Call(&Stub::AddFido2Protector, request, response);
  WipeString(*request.mutable_fido2_secret());
  RETURN_IF_ERROR(status);
  return response;
}

absl::StatusOr<keyd::v1::GetProtectorsResponse> KeydClient::GetProtectors(
    std::optional<uid_t> user) {
  keyd::v1::GetProtectorsRequest request;
  if (user.has_value()) request.set_user(*user);
  keyd::v1::GetProtectorsResponse response;
  RETURN_IF_ERROR(connection_->Call(&Stub::GetProtectors, request, response));
  return response;
}

absl::Status KeydClient::RenameProtector(const std::string& id, const std::string& name) {
  keyd::v1::RenameProtectorRequest request;
  keyd::v1::RenameProtectorResponse response;
  request.set_protector_id(id);
  request.set_name(name);
  return connection_->Call(&Stub::RenameProtector, request, response);
}

absl::Status KeydClient::RemoveProtector(const TypedCredential& credential, const std::string& id) {
  keyd::v1::RemoveProtectorRequest request;
  keyd::v1::RemoveProtectorResponse response;
  const CredentialInRequest filled(request.mutable_credential(), credential);
  request.set_protector_id(id);
  return connection_->Call(&Stub::RemoveProtector, request, response);
}

absl::StatusOr<keyd::v1::CreateKeyResponse> KeydClient::CreateKey(const std::string& name) {
  keyd::v1::CreateKeyRequest request;
  keyd::v1::CreateKeyResponse response;
  request.set_name(name);
  RETURN_IF_ERROR(connection_->Call(&Stub::CreateKey, request, response));
  return response;
}

absl::Status KeydClient::RemoveKey(const std::string& name, bool lose_data) {
  keyd::v1::RemoveKeyRequest request;
  keyd::v1::RemoveKeyResponse response;
  request.set_name(name);
  request.set_lose_data(lose_data);
  return connection_->Call(&Stub::RemoveKey, request, response);
}

absl::Status KeydClient::ShareKey(const std::string& name, uid_t with) {
  keyd::v1::ShareKeyRequest request;
  keyd::v1::ShareKeyResponse response;
  request.set_name(name);
  request.set_with(with);
  return connection_->Call(&Stub::ShareKey, request, response);
}

absl::Status KeydClient::UnshareKey(const std::string& name, uid_t with) {
  keyd::v1::UnshareKeyRequest request;
  keyd::v1::UnshareKeyResponse response;
  request.set_name(name);
  request.set_with(with);
  return connection_->Call(&Stub::UnshareKey, request, response);
}

absl::StatusOr<keyd::v1::ExportKeysResponse> KeydClient::ExportKeys(
    const TypedCredential& credential) {
  keyd::v1::ExportKeysRequest request;
  keyd::v1::ExportKeysResponse response;
  const CredentialInRequest filled(request.mutable_credential(), credential);
  RETURN_IF_ERROR(connection_->Call(&Stub::ExportKeys, request, response));
  return response;
}

absl::StatusOr<keyd::v1::ImportKeysResponse> KeydClient::ImportKeys(
    const TypedCredential& credential, const std::string& exported,
    const SecretBuffer& new_passphrase, const std::string& as,
    const std::string& expected_identifier) {
  keyd::v1::ImportKeysRequest request;
  keyd::v1::ImportKeysResponse response;
  const CredentialInRequest filled(request.mutable_credential(), credential);
  request.set_exported(exported);
  request.set_as(as);
  request.set_expected_identifier(expected_identifier);
  if (!new_passphrase.empty()) SetSecret(request.mutable_new_passphrase(), new_passphrase);
  const absl::Status status = connection_->Call(&Stub::ImportKeys, request, response);
  if (!new_passphrase.empty()) WipeString(*request.mutable_new_passphrase());
  RETURN_IF_ERROR(status);
  return response;
}

absl::StatusOr<keyd::v1::ExportForVolumeResponse> KeydClient::ExportForVolume() {
  keyd::v1::ExportForVolumeResponse response;
  RETURN_IF_ERROR(
      connection_->Call(&Stub::ExportForVolume, keyd::v1::ExportForVolumeRequest(), response));
  return response;
}

}  // namespace ext4crypt
