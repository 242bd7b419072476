// SPDX-License-Identifier: Apache-2.0
// Against vectors that are not ours.
#include <gtest/gtest.h>

#include <numeric>
#include <vector>

#include "common/error.h"
#include "common/hex.h"
#include "keys/crypto/aead.h"
#include "keys/crypto/argon2.h"
#include "keys/crypto/hkdf.h"
#include "keys/crypto/random.h"

namespace ext4crypt {
namespace {

std::vector<uint8_t> Counting(size_t size) {
  std::vector<uint8_t> bytes(size);
  std::iota(bytes.begin(), bytes.end(), uint8_t{0});
  return bytes;
}

std::vector<uint8_t> Hex(absl::string_view text) { return *FromHex(text); }

// Inputs of RFC 5869 test case 3 with SHA-512; the output is published with many implementations
// and agrees with Python's hmac module.
TEST(HkdfTest, NoSaltNoInfo) {
  const std::vector<uint8_t> ikm(22, 0x0b);
  EXPECT_EQ(ToHex(HkdfSha512(ikm, {}, {}, 42).bytes()),
            "f5fa02b18298a72a8c23898a8703472c6eb179dc204c03425c970e3b164bf90fff22d04836d0e2343bac");
}

// Computed with Python's hmac module; more than one block of output.
TEST(HkdfTest, SaltInfoAndTwoBlocks) {
  const std::vector<uint8_t> info = {'i', 'n', 'f', 'o'};
  EXPECT_EQ(ToHex(HkdfSha512(Counting(22), Counting(16), info, 100).bytes()),
            "375d07bac28b3fb751f9c95055340b8611da9be01b8cab03ee869bdda86099b6089ebc208bd7c57b5ca9c4"
            "38e8aacd9bb9ef9adc9f4c0aa5c345fbc0e7b190ab6432573c64db7d32feb710b5f9a84f714e399d58aad2"
            "4c31af410bab8676fb8788ffc10f");
}

// The kernel itself is asked by an integration test.
TEST(HkdfTest, FscryptIdentifierOfACountingKey) {
  EXPECT_EQ(ToHex(FscryptKeyIdentifier(SecretBuffer::CopyOf(absl::MakeConstSpan(Counting(64))))),
            "8699c2c53707405da5aba5ae4d8583c0");
}

// From the reference implementation's command line program, argon2 -id -t 4 -m 13 -p 1.
TEST(Argon2Test, ReferenceImplementationAgrees) {
  Argon2Salt salt;
  const std::string text = "somesaltsomesalt";
  std::copy(text.begin(), text.end(), salt.begin());
  const auto derived = Argon2id(SecretBuffer::CopyOf(absl::string_view("password")), salt,
                                {.passes = 4, .memory_mib = 8}, 32);
  ASSERT_TRUE(derived.ok());
  EXPECT_EQ(ToHex(derived->bytes()),
            "8845a6aada1b472bb6aaca62ae37ebd859f537b2538dcd7824e1ee28fa04b767");
}

TEST(Argon2Test, CostsOutOfBoundsAreRefused) {
  EXPECT_TRUE(IsAcceptable({.passes = 4, .memory_mib = 8}));
  EXPECT_TRUE(IsAcceptable({.passes = 1, .memory_mib = 32}));
  EXPECT_FALSE(IsAcceptable({.passes = 3, .memory_mib = 8}));
  EXPECT_FALSE(IsAcceptable({.passes = 64, .memory_mib = 7}));
  EXPECT_FALSE(IsAcceptable({.passes = 0, .memory_mib = 64}));
  EXPECT_FALSE(IsAcceptable({.passes = 65, .memory_mib = 64}));
  EXPECT_FALSE(IsAcceptable({.passes = 1, .memory_mib = 1025}));
  EXPECT_FALSE(IsAcceptable({}));
  EXPECT_EQ(ReasonOf(Argon2id(SecretBuffer(8), {}, {.passes = 1, .memory_mib = 8}, 32).status()),
            ErrorReason::kInvalidRequest);
}

TEST(Argon2Test, CalibrationStaysAcceptable) {
  for (const uint32_t target_ms : {0U, 1U, 60U}) {
    const auto cost = CalibrateArgon2(8, target_ms);
    ASSERT_TRUE(cost.ok());
    EXPECT_TRUE(IsAcceptable(*cost)) << cost->passes;
  }
}

// draft-irtf-cfrg-xchacha-03, appendix A.3.1.
TEST(AeadTest, OpensTheDraftsVector) {
  const SecretBuffer key = SecretBuffer::CopyOf(
      absl::MakeConstSpan(Hex("808182838485868788898a8b8c8d8e8f909192939495969798999a9b9c9d9e9f")));
  const auto opened = AeadOpen(
      key, Hex("50515253c0c1c2c3c4c5c6c7"), Hex("404142434445464748494a4b4c4d4e4f5051525354555657"),
      Hex("bd6d179d3e83d43b9576579493c0e939572a1700252bfaccbed2902c21396cbb731c7f1b0b4aa6440bf3a82f"
          "4eda7e39ae64c6708c54c216cb96b72e1213b4522f8c9ba40db5d945b11b69b982c1bb9e3f3fac2bc369488f"
          "76b2383565d3fff921f9664c97637da9768812f615c68b13b52ec0875924c1c7987947deafd8780acf49"));
  ASSERT_TRUE(opened.has_value());
  EXPECT_EQ(opened->text(),
            "Ladies and Gentlemen of the class of '99: If I could offer you only one tip for the "
            "future, sunscreen would be it.");
}

TEST(AeadTest, EveryChangedByteIsNoticed) {
  const SecretBuffer key = RandomSecret(kAeadKeySize);
  const std::vector<uint8_t> aad = Counting(20);
  const Sealed sealed = AeadSeal(key, aad, SecretBuffer::CopyOf(absl::MakeConstSpan(Counting(64))));
  ASSERT_TRUE(AeadOpen(key, aad, sealed.nonce, sealed.ciphertext).has_value());
  for (size_t i = 0; i < sealed.ciphertext.size(); ++i) {
    std::vector<uint8_t> changed = sealed.ciphertext;
    changed[i] ^= 1;
    EXPECT_FALSE(AeadOpen(key, aad, sealed.nonce, changed).has_value());
  }
  for (size_t i = 0; i < sealed.nonce.size(); ++i) {
    std::vector<uint8_t> changed = sealed.nonce;
    changed[i] ^= 1;
    EXPECT_FALSE(AeadOpen(key, aad, changed, sealed.ciphertext).has_value());
  }
  EXPECT_FALSE(AeadOpen(key, Counting(21), sealed.nonce, sealed.ciphertext).has_value());
  EXPECT_FALSE(
      AeadOpen(RandomSecret(kAeadKeySize), aad, sealed.nonce, sealed.ciphertext).has_value());
}

TEST(AeadTest, ImpossibleLengthsAreRefused) {
  const SecretBuffer key = RandomSecret(kAeadKeySize);
  EXPECT_FALSE(AeadOpen(key, {}, Counting(kAeadNonceSize), {}).has_value());
  EXPECT_FALSE(AeadOpen(key, {}, Counting(kAeadNonceSize), Counting(kAeadTagSize)).has_value());
  EXPECT_FALSE(AeadOpen(key, {}, Counting(12), Counting(80)).has_value());
  EXPECT_FALSE(AeadOpen(RandomSecret(16), {}, Counting(kAeadNonceSize), Counting(80)).has_value());
}

}  // namespace
}  // namespace ext4crypt
