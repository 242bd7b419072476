// SPDX-License-Identifier: Apache-2.0
// libFuzzer over requests: the first byte names the method and the caller, the rest is the request
// as it comes from the wire. The handlers, the method table and the core are the real ones; below
// the core are the doubles of the unit tests, so that an input changes nothing outside.
#include <grpcpp/channel.h>
#include <grpcpp/client_context.h>
#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/server.h>
#include <grpcpp/server_builder.h>

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <future>
#include <memory>
#include <string>
#include <vector>

#include "daemon/rpc/key_service.h"
#include "ext4crypt/keyd/v1/keyd.grpc.pb.h"
#include "keys/protectors/hkdf_protector.h"
#include "keys/protectors/share_protector.h"
#include "tests/fakes/fakes.h"

namespace ext4crypt {
namespace {

class Harness {
 public:
  Harness() {
    for (const auto kind :
         {ProtectorKind::kPassphrase, ProtectorKind::kRecovery, ProtectorKind::kKeyFile}) {
      kinds_[kind] = std::make_unique<FakeProtector>(kind);
    }
    // Nothing about these costs time.
    kinds_[ProtectorKind::kDefaultKey] =
        std::make_unique<HkdfProtector>(ProtectorKind::kDefaultKey);
    kinds_[ProtectorKind::kShare] = std::make_unique<ShareProtector>();
    volumes_.volumes = {{.device = 1, .mount_point = "/sealed", .authenticated = true}};
    for (const Uid uid : {0U, 1000U}) {
      services_.push_back(NewKeyService({.user_keys = user_keys_,
                                         .default_key = default_key_,
                                         .enrolment = enrolment_,
                                         .named_keys = named_keys_,
                                         .exports = exports_,
                                         .derivations = pool_,
                                         .quick = pool_},
                                        uid));
      grpc::ServerBuilder builder;
      builder.RegisterService(services_.back().get());
      servers_.push_back(builder.BuildAndStart());
      stubs_.push_back(std::make_unique<grpc::GenericStub>(servers_.back()->InProcessChannel({})));
    }
    const auto* service = google::protobuf::DescriptorPool::generated_pool()->FindServiceByName(
        keyd::v1::KeyService::service_full_name());
    for (int i = 0; i < service->method_count(); ++i) {
      methods_.push_back("/" + service->full_name() + "/" + service->method(i)->name());
    }
  }

  // Several requests in one input, each after a byte that chooses and two with its size: a state is
  // built up, so that more than the first line of a handler is reached.
  void Run(const uint8_t* data, size_t size) {
    for (int calls = 0; size >= 3 && calls < 8; ++calls) {
      const size_t length = std::min<size_t>((data[1] | data[2] << 8) % 1024, size - 3);
      Call(data[0], data + 3, length);
      data += 3 + length;
      size -= 3 + length;
    }
    for (const Uid uid : {0U, 1000U}) {
      (void)named_keys_.LockAll(uid);
      (void)default_key_.Lock(uid);
    }
    store_.keys.clear();
    named_store_.Clear();
    volumes_.keys.clear();
    keyring_.installed.clear();
    // Wrong guesses are slowed down; here there is time.
    clock_.now_ms += 3'600'000;
  }

 private:
  void Call(uint8_t choice, const uint8_t* data, size_t size) {
    grpc::Slice slice(data, size);
    grpc::ByteBuffer request(&slice, 1);
    grpc::ByteBuffer response;
    grpc::ClientContext context;
    std::promise<grpc::Status> done;
    stubs_[choice % stubs_.size()]->UnaryCall(
        &context, methods_[(choice / stubs_.size()) % methods_.size()], {}, &request, &response,
        [&](const grpc::Status& status) { done.set_value(status); });
    const grpc::Status status = done.get_future().get();
    // Every refusal has a reason in its details. gRPC's own, of a message that does not parse, has
    // none and is UNIMPLEMENTED, by the callback API of 1.51.
    if (!status.ok() && status.error_details().empty() &&
        status.error_code() != grpc::StatusCode::UNIMPLEMENTED) {
      std::fprintf(stderr, "refused without a reason: %d: %s\n", status.error_code(),
                   status.error_message().c_str());
      std::abort();
    }
  }

  FakeClock clock_;
  FakeKeyStore store_;
  ProtectorKinds kinds_;
  KeyOpener opener_{kinds_, clock_};
  Enrolment enrolment_{store_, kinds_, opener_, clock_};
  FakeVolumeKeys volumes_;
  FakeUserKeyring keyring_;
  FakeBusyScanner scanner_;
  Sessions sessions_;
  HeldKeys held_{volumes_, scanner_, clock_, {}};
  DefaultKey default_key_{store_, opener_, held_, keyring_, sessions_, clock_, {}};
  FakeNamedKeyStore named_store_{store_};
  NamedKeys named_keys_{store_, named_store_, kinds_, held_, clock_};
  UserKeys user_keys_{store_, held_, default_key_, named_keys_, sessions_};
  Exports exports_{store_, kinds_, opener_, enrolment_, held_};
  WorkerPool pool_{{.threads = 1}};
  std::vector<std::unique_ptr<grpc::Service>> services_;
  std::vector<std::unique_ptr<grpc::Server>> servers_;
  std::vector<std::unique_ptr<grpc::GenericStub>> stubs_;
  std::vector<std::string> methods_;
};

}  // namespace
}  // namespace ext4crypt

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static auto* const harness = new ext4crypt::Harness();
  harness->Run(data, size);
  return 0;
}
