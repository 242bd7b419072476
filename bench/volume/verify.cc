// SPDX-License-Identifier: Apache-2.0
// The speed of verify on an image in memory next to that of the AEAD alone, as OpenSSL gives it on
// this processor, with as many threads; in one run, one after the other several times, so that
// other load on the machine meets both.
#include <openssl/evp.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <thread>
#include <vector>

#include "tests/volume/image_builder.h"
#include "volume/ext4/block_source.h"
#include "volume/verify/volume_survey.h"

namespace ext4crypt::volume {
namespace {

constexpr int kFiles = 4;
constexpr uint64_t kPagesEach = 16384;  // 64 MiB
constexpr int kRounds = 5;

double Seconds(const std::function<void()>& work) {
  const auto start = std::chrono::steady_clock::now();
  work();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

void BuildImage(const std::string& path, uint8_t aead) {
  ImageBuilder builder(path, "encrypt,^has_journal", "400M");
  const Context context = builder.NewContext(aead);
  const uint32_t dir = builder.AddDirectory(EXT2_ROOT_INO, "d", &context);
  std::vector<uint64_t> pages(kPagesEach);
  for (uint64_t i = 0; i < kPagesEach; ++i) pages[i] = i;
  for (int i = 0; i < kFiles; ++i) {
    builder.AddFile(dir, "f" + std::to_string(i), builder.NewContext(aead), kPagesEach * kBlockSize,
                    pages);
  }
  builder.Close();
}

// Opens as many pages of 4096 bytes with 32 bytes of associated data; what comes out is not
// authentic, which costs the same.
void RawAead(uint8_t aead, uint64_t pages) {
  const EVP_CIPHER* cipher =
      aead == E4C_AEAD_AES_256_GCM ? EVP_aes_256_gcm() : EVP_chacha20_poly1305();
  const std::array<uint8_t, 32> key = {1};
  std::array<uint8_t, 12> nonce = {};
  const std::array<uint8_t, 32> header = {};
  std::array<uint8_t, 16> tag = {};
  std::vector<uint8_t> in(kBlockSize);
  std::vector<uint8_t> out(kBlockSize);
  EVP_CIPHER_CTX* ctx = EVP_CIPHER_CTX_new();
  EVP_DecryptInit_ex(ctx, cipher, nullptr, key.data(), nonce.data());
  for (uint64_t i = 0; i < pages; ++i) {
    int length = 0;
    nonce[0] = static_cast<uint8_t>(i);
    EVP_DecryptInit_ex(ctx, nullptr, nullptr, nullptr, nonce.data());
    EVP_DecryptUpdate(ctx, nullptr, &length, header.data(), 32);
    EVP_DecryptUpdate(ctx, out.data(), &length, in.data(), kBlockSize);
    EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_SET_TAG, 16, tag.data());
    (void)EVP_DecryptFinal_ex(ctx, out.data(), &length);
  }
  EVP_CIPHER_CTX_free(ctx);
}

void RawOnAll(uint8_t aead, unsigned threads, uint64_t pages) {
  std::vector<std::thread> pool;
  for (unsigned i = 0; i < threads; ++i) pool.emplace_back(RawAead, aead, pages / threads);
  for (std::thread& thread : pool) thread.join();
}

void Verify(const std::string& path, unsigned threads, uint64_t pages) {
  KeyRing keys;
  keys.Add(TestKey());
  const auto image = Image::Open(*FileSource::Open(path)).value();
  SurveyOptions options;
  options.threads = threads;
  Survey survey(*image, keys, options);
  survey.Run();
  if (survey.totals().counts.pages_authentic != pages) {
    std::fputs("the image does not verify\n", stderr);
    std::exit(1);
  }
}

void Measure(const char* name, uint8_t aead, const std::string& path) {
  constexpr uint64_t kPages = kFiles * kPagesEach;
  constexpr double kMiB = kPages * kBlockSize / 1048576.0;
  BuildImage(path, aead);
  for (unsigned threads = 1; threads <= std::max(1u, std::thread::hardware_concurrency());
       threads *= 2) {
    double raw = 1e9;
    double verify = 1e9;
    for (int round = 0; round < kRounds; ++round) {
      raw = std::min(raw, Seconds([&] { RawOnAll(aead, threads, kPages); }));
      verify = std::min(verify, Seconds([&] { Verify(path, threads, kPages); }));
    }
    std::printf("%-18s %2u threads: AEAD alone %6.0f MiB/s, verify %6.0f MiB/s, ratio %.2f\n", name,
                threads, kMiB / raw, kMiB / verify, raw / verify);
  }
}

}  // namespace
}  // namespace ext4crypt::volume

int main() {
  using namespace ext4crypt::volume;
  const std::string path = "/dev/shm/e4c-bench-" + std::to_string(::getpid());
  Measure("AES-256-GCM", E4C_AEAD_AES_256_GCM, path);
  Measure("ChaCha20-Poly1305", E4C_AEAD_CHACHA20_POLY1305, path);
  ::unlink(path.c_str());
  return 0;
}
