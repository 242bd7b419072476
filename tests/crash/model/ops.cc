// SPDX-License-Identifier: Apache-2.0
#include "ops.h"

#include <algorithm>
#include <cstring>

namespace crash {

struct OpSource::Weight {
  OpKind kind;
  int weight;  // 0 ends the table
};

namespace {

constexpr uint64_t kNear = 1'200'000;  // three groups, the last in part
constexpr uint64_t kFarPlace = 40'000'000;

struct Mix {
  const char* name;
  bool far;
  int weight[23];  // in the order of kChoices; the last are 0 for most
};

// Every worker also replaces, removes, verifies, forgets and syncs now and then: what differs is
// what it does most.
constexpr OpKind kChoices[] = {
    OpKind::kReplace,      OpKind::kRemove,         OpKind::kWrite,        OpKind::kSyncWrite,
    OpKind::kMapped,       OpKind::kMappedSync,     OpKind::kTruncate,     OpKind::kPunch,
    OpKind::kZero,         OpKind::kAllocate,       OpKind::kAllocateKeep, OpKind::kFsync,
    OpKind::kFdatasync,    OpKind::kSyncAll,        OpKind::kVerify,       OpKind::kForget,
    OpKind::kQuietReplace, OpKind::kUnnamedReplace, OpKind::kMove,         OpKind::kRelink,
    OpKind::kExchange,     OpKind::kLinks,          OpKind::kTall};
// clang-format off
constexpr Mix kMixes[] = {
    //                     repl rem write sync map msync trunc punch zero alloc keep fsync fdata sync verify forget
    {"overwrite", false, {1, 0, 40, 0, 0, 0, 0, 0, 0, 0, 0, 20, 4, 1, 4, 4}},
    {"append", false, {2, 0, 40, 4, 0, 0, 1, 0, 0, 0, 0, 20, 4, 1, 4, 2}},
    {"replace", false, {30, 6, 6, 2, 0, 0, 0, 0, 0, 0, 0, 4, 0, 1, 4, 1}},
    {"mmap", false, {1, 0, 4, 0, 30, 12, 2, 0, 0, 0, 0, 6, 2, 1, 4, 4}},
    {"truncate", true, {2, 1, 20, 2, 2, 1, 25, 0, 0, 0, 0, 12, 2, 1, 4, 2}},
    {"punch", true, {2, 0, 22, 2, 2, 1, 2, 20, 6, 0, 0, 12, 2, 1, 4, 2}},
    {"fallocate", true, {2, 1, 16, 4, 2, 1, 6, 4, 8, 12, 10, 12, 2, 1, 4, 2}},
    {"osync", false, {1, 0, 4, 40, 0, 0, 2, 2, 0, 1, 1, 2, 0, 1, 4, 4}},
    // The last seven: quiet and unnamed replace, move, relink, exchange, links, tall.
    {"names", false, {2, 3, 12, 2, 1, 1, 2, 1, 0, 0, 0, 4, 1, 1, 4, 2, 12, 8, 10, 12, 10, 10, 0}},
    {"tree", true, {2, 1, 10, 2, 1, 1, 4, 2, 1, 1, 0, 6, 1, 1, 4, 2, 2, 2, 1, 1, 1, 1, 30}},
};
// clang-format on

const Mix* FindMix(const std::string& name) {
  for (const Mix& mix : kMixes) {
    if (name == mix.name) return &mix;
  }
  return nullptr;
}

}  // namespace

const char* NameOf(OpKind kind) {
  static constexpr const char* kNames[] = {"start",
                                           "replace",
                                           "remove",
                                           "write",
                                           "O_SYNC write",
                                           "mapped write",
                                           "mapped write and msync",
                                           "truncate",
                                           "punch",
                                           "zero range",
                                           "allocate",
                                           "allocate, keep size",
                                           "fsync",
                                           "fdatasync",
                                           "sync",
                                           "verify",
                                           "forget",
                                           "orphan",
                                           "quiet replace",
                                           "unnamed replace",
                                           "move",
                                           "relink",
                                           "exchange",
                                           "links",
                                           "tall tree"};
  return kNames[static_cast<size_t>(kind)];
}

std::vector<std::string> WorkersOf(const std::string& workload) {
  std::vector<std::string> workers;
  if (workload == "mixed") {
    // On a full disk, too, where a name that was taken away may not come back.
    for (const Mix& mix : kMixes) {
      if (mix.weight[std::size(kChoices) - 1] + mix.weight[std::size(kChoices) - 2] == 0)
        workers.emplace_back(mix.name);
    }
  } else if (workload.rfind("sqlite-", 0) == 0) {
    workers.push_back(workload);
  } else if (FindMix(workload) != nullptr) {
    workers = {workload, workload};
  }
  return workers;
}

OpSource::OpSource(const std::string& worker_kind, uint32_t worker, uint64_t seed)
    : rng_(seed * 1000003 + worker) {
  const Mix* mix = FindMix(worker_kind);
  // Tables are few and made once; they live as long as the program.
  auto* table = new Weight[std::size(kChoices) + 2];
  for (size_t i = 0; i < std::size(kChoices); ++i) table[i] = {kChoices[i], mix->weight[i]};
  table[std::size(kChoices)] = {OpKind::kOrphan, 2};
  table[std::size(kChoices) + 1] = {OpKind::kStart, 0};
  weights_ = table;
  far_ = mix->far;
}

Op OpSource::Next() {
  Op op;
  if (count_++ == 0) return op;
  op.file = static_cast<int>(rng_.below(kFiles));
  if (!exists_[op.file]) {
    op.kind = OpKind::kReplace;
  } else {
    int total = 0;
    for (const Weight* w = weights_; w->kind != OpKind::kStart; ++w) total += w->weight;
    auto pick = static_cast<int>(rng_.below(static_cast<uint64_t>(total)));
    const Weight* w = weights_;
    while (pick >= w->weight) pick -= (w++)->weight;
    op.kind = w->kind;
  }
  Fill(op);
  return op;
}

uint64_t OpSource::SomeOffset(uint64_t limit) {
  const uint64_t offset = rng_.below(limit + 1);
  return rng_.one_in(2) ? offset / kPage * kPage : offset;
}

uint64_t OpSource::SomeLength() {
  switch (rng_.below(4)) {
    case 0:
      return rng_.between(1, 600);
    case 1:
      return kPage * rng_.between(1, 4);
    case 2:
      return rng_.between(1, 20000);
    default:
      return rng_.one_in(6) ? rng_.between(100000, 600000) : rng_.between(1, 60000);
  }
}

void OpSource::Fill(Op& op) {
  uint64_t& size = size_[op.file];
  const uint64_t near = std::min(size, kNear);
  switch (op.kind) {
    case OpKind::kReplace:
    case OpKind::kQuietReplace:
    case OpKind::kUnnamedReplace:
      op.length = rng_.one_in(3) ? rng_.between(0, 5000) : rng_.between(1, 700000);
      size = op.length;
      exists_[op.file] = true;
      return;
    case OpKind::kRemove:
      size = 0;
      exists_[op.file] = false;
      return;
    case OpKind::kWrite:
    case OpKind::kSyncWrite:
      // Appending grows the file up to a limit, then the rest of the mix is overwriting.
      op.offset = rng_.one_in(3) && size < kNear ? size : SomeOffset(near);
      op.length = SomeLength();
      if (far_ && rng_.one_in(25)) op.offset = kFarPlace + rng_.below(kNear);
      size = std::max(size, op.offset + op.length);
      return;
    case OpKind::kMapped:
    case OpKind::kMappedSync:
      op.offset = SomeOffset(near);
      op.length = std::min(SomeLength(), size - op.offset);
      return;
    case OpKind::kTruncate:
      op.offset = SomeOffset(rng_.one_in(3) ? kNear : near);
      if (far_ && rng_.one_in(12)) op.offset = kFarPlace + rng_.below(kNear);
      size = op.offset;
      return;
    case OpKind::kPunch:
    case OpKind::kZero:
    case OpKind::kAllocate:
    case OpKind::kAllocateKeep:
      op.offset = SomeOffset(near);
      op.length = SomeLength();
      if (op.kind == OpKind::kZero || op.kind == OpKind::kAllocate)
        size = std::max(size, op.offset + op.length);
      return;
    case OpKind::kOrphan:
    case OpKind::kExchange:
      op.length = rng_.between(1, 200000);
      return;
    case OpKind::kLinks:
    case OpKind::kTall:
      op.offset = rng_.below(1024);
      op.length = rng_.between(1, 9000);
      return;
    default:
      return;
  }
}

void FillPattern(uint32_t worker, uint32_t op, uint64_t offset, uint8_t* out, uint64_t length) {
  for (uint64_t done = 0; done < length;) {
    const uint64_t at = offset + done;
    const uint64_t word =
        uint64_t{worker + 1} << 56 | uint64_t{op & 0xFFFFFF} << 32 | ((at / 8) & 0xFFFFFFFF);
    const uint64_t skip = at % 8;
    const uint64_t n = std::min<uint64_t>(8 - skip, length - done);
    std::memcpy(out + done, reinterpret_cast<const uint8_t*>(&word) + skip, n);
    done += n;
  }
}

}  // namespace crash
