// SPDX-License-Identifier: Apache-2.0
// libFuzzer over the store's file: an input is a list of changes to a proper one, so that they get
// past SQLite's first checks. Opening may refuse it; what opens is read, and written to.
#include <sys/stat.h>
#include <unistd.h>

#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "common/error.h"
#include "daemon/store/sqlite_key_store.h"

namespace ext4crypt {
namespace {

namespace fs = std::filesystem;

ProtectorRecord NewProtector(uint8_t id, ProtectorKind kind) {
  ProtectorRecord record{.kind = kind};
  record.id[0] = id;
  record.parameters.assign(kind == ProtectorKind::kPassphrase ? 25 : 17, id);
  record.nonce.assign(24, id);
  record.wrapped_key.assign(80, id);
  return record;
}

class Harness {
 public:
  Harness()
      : dir_("/dev/shm/e4c-fuzz-keyd-" + std::to_string(::getpid())), path_(dir_ + "/keys.db") {
    fs::create_directory(dir_);
    {
      auto store = SqliteKeyStore::Open(path_);
      if (!store.ok()) std::abort();
      for (const uid_t uid : {1000U, 1001U}) {
        KeyRecord record{.uid = uid, .name = kDefaultKeyName};
        record.identifier[0] = static_cast<uint8_t>(uid);
        record.protectors = {NewProtector(static_cast<uint8_t>(uid), ProtectorKind::kPassphrase),
                             NewProtector(static_cast<uint8_t>(uid + 7), ProtectorKind::kRecovery)};
        if (!(*store)->CreateKey(record).ok()) std::abort();
      }
    }
    {
      auto store = SqliteKeyStore::Open(path_);
      if (!store.ok()) std::abort();
      KeyRecord team{.uid = 1000, .name = "team"};
      team.identifier[0] = 7;
      team.protectors = {NewProtector(77, ProtectorKind::kDefaultKey)};
      if (!(*store)->CreateKey(team).ok() || !(*store)->PutSharingKey(1001, {1}).ok() ||
          !(*store)->PutShare(1000, "team", 1001, NewProtector(78, ProtectorKind::kShare)).ok()) {
        std::abort();
      }
    }
    std::ifstream in(path_, std::ios::binary);
    good_.assign(std::istreambuf_iterator<char>(in), {});
    if (good_.empty()) std::abort();
  }

  // Three bytes that choose a place, one that says how many follow, and those.
  void Run(const uint8_t* data, size_t size) {
    std::string bytes = good_;
    for (size_t at = 0; at + 4 < size;) {
      const size_t place = (data[at] | data[at + 1] << 8 | data[at + 2] << 16) % bytes.size();
      const size_t length = std::min<size_t>(data[at + 3] % 32 + 1, size - at - 4);
      for (size_t i = 0; i < length && place + i < bytes.size(); ++i) {
        bytes[place + i] = static_cast<char>(data[at + 4 + i]);
      }
      at += 4 + length;
    }
    if (size % 8 == 7) bytes.resize(bytes.size() / 2);
    for (const char* suffix : {"-wal", "-shm", "-journal"}) ::unlink((path_ + suffix).c_str());
    std::ofstream(path_, std::ios::binary | std::ios::trunc) << bytes;
    ::chmod(path_.c_str(), 0600);
    auto store = SqliteKeyStore::Open(path_);
    if (store.ok()) Use(**store);
  }

 private:
  static void Use(SqliteKeyStore& store) {
    for (const uid_t uid : {1000U, 1001U, 1002U}) {
      (void)store.ListKeys(uid);
      (void)store.ListSharedWith(uid);
      (void)store.ListShares(uid, "team");
      (void)store.FindSharingKey(uid);
      const auto key = store.FindKey(uid, kDefaultKeyName);
      // Whatever the file says, what the rest of the service is given keeps to its own limits.
      if (key.ok() && (key->uid != uid || key->protectors.size() > 4096)) std::abort();
    }
    const ProtectorRecord added = NewProtector(99, ProtectorKind::kKeyFile);
    (void)store.AddProtector(1000, kDefaultKeyName, added);
    (void)store.ReplaceProtector(1001, kDefaultKeyName, {}, added);
    (void)store.RemoveProtector(1000, kDefaultKeyName, added.id);
    (void)store.RemoveShare(1000, "team", 1001);
    (void)store.RemoveKey(1000, "team");
  }

  const std::string dir_;
  const std::string path_;
  std::string good_;
};

}  // namespace
}  // namespace ext4crypt

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static auto* const harness = new ext4crypt::Harness();
  harness->Run(data, size);
  return 0;
}
