// SPDX-License-Identifier: Apache-2.0
// Security keys: the real libfido2 talks to an authenticator of the test's own.
#include "fido2/security_key.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <cstdlib>
#include <deque>

#include "common/error.h"
#include "keys/fido2_parameters.h"
#include "tests/fakes/token_bus.h"

namespace ext4crypt {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

class FakePrompt final : public TokenPrompt {
 public:
  void AskForTouch(const std::string& token) override { touched.push_back(token); }
  absl::StatusOr<SecretBuffer> AskForPin(const std::string& /*token*/, int tries_left) override {
    tries.push_back(tries_left);
    if (pins.empty()) return Error(ErrorReason::kPassphraseUnreadable, "no more");
    std::string pin = pins.front();
    pins.pop_front();
    return SecretBuffer::TakeFrom(pin);
  }
  std::deque<std::string> pins;
  std::vector<int> tries;
  std::vector<std::string> touched;
};

class SecurityKeyTest : public testing::Test {
 protected:
  void SetUp() override {
    unsetenv("SSH_CONNECTION");
    TestTokens().clear();
  }
  void TearDown() override { TestTokens().clear(); }

  Authenticator& PlugIn(Authenticator::Options options = {}) {
    TestTokens().push_back({.path = "/dev/token-" + options.seed,
                            .name = "Token " + options.seed,
                            .authenticator = Authenticator(options)});
    return TestTokens().back().authenticator;
  }
  absl::StatusOr<NewFido2Protector> Make(const std::string& path = "") {
    return MakeFido2Protector("alice", path, prompt_);
  }
  absl::StatusOr<SecretBuffer> Ask(const NewFido2Protector& made) {
    return AskToken({made.parameters}, prompt_);
  }

  FakePrompt prompt_;
};

struct Manner {
  int protocol;
  const char* pin;
};
class SecurityKeyMannerTest : public SecurityKeyTest, public testing::WithParamInterface<Manner> {};

TEST_P(SecurityKeyMannerTest, TokenGivesTheSameSecretEachTimeItIsTouched) {
  const std::string pin = GetParam().pin;
  const Authenticator::Options options{.pin = pin, .pin_protocol = GetParam().protocol};
  if (!pin.empty()) prompt_.pins = {pin, pin};
  Authenticator& token = PlugIn(options);
  const auto made = Make();
  ASSERT_TRUE(made.ok()) << made.status();
  EXPECT_EQ(token.touches(), 2);
  EXPECT_EQ(prompt_.touched.size(), 2U);
  EXPECT_EQ(made->token, "Token seed");
  EXPECT_EQ(made->secret.size(), kFido2SecretSize);
  EXPECT_EQ(DecodeFido2(made->parameters)->needs_pin, !pin.empty());
  TestTokens().clear();
  PlugIn(options);
  const auto asked = Ask(*made);
  ASSERT_TRUE(asked.ok()) << asked.status();
  EXPECT_TRUE(SecretsEqual(*asked, made->secret));
  EXPECT_TRUE(prompt_.pins.empty()) << "the PIN is typed once for each use";
  EXPECT_EQ(TestTokens().front().authenticator.touches(), 1);
}

INSTANTIATE_TEST_SUITE_P(Manners, SecurityKeyMannerTest,
                         testing::Values(Manner{1, ""}, Manner{2, ""}, Manner{1, "123456"},
                                         Manner{2, "123456"}));

TEST_F(SecurityKeyTest, TwoProtectorsOfOneTokenHaveTwoSecrets) {
  PlugIn();
  const auto first = Make();
  const auto second = Make();
  ASSERT_TRUE(first.ok() && second.ok());
  EXPECT_FALSE(SecretsEqual(first->secret, second->secret));
  const auto asked = AskToken({second->parameters, first->parameters}, prompt_);
  ASSERT_TRUE(asked.ok());
  EXPECT_TRUE(SecretsEqual(*asked, second->secret));
}

TEST_F(SecurityKeyTest, WrongPinIsAskedForAgainAndTheTriesLeftAreTold) {
  PlugIn({.pin = "123456"});
  prompt_.pins = {"654321", "123456"};
  const auto made = Make();
  ASSERT_TRUE(made.ok()) << made.status();
  EXPECT_THAT(prompt_.tries, ElementsAre(8, 7));
}

TEST_F(SecurityKeyTest, ThreeWrongPinsEndItBeforeTheTokenBlocksItself) {
  PlugIn({.pin = "123456"});
  prompt_.pins = {"1111", "2222", "3333", "4444"};
  const absl::Status status = Make().status();
  EXPECT_EQ(ReasonOf(status), ErrorReason::kTokenPinWrong);
  EXPECT_THAT(std::string(status.message()), HasSubstr("plug it in again"));
  EXPECT_THAT(prompt_.tries, ElementsAre(8, 7, 6));
}

TEST_F(SecurityKeyTest, WhoseScriptHasNoFurtherPinGetsAnError) {
  PlugIn({.pin = "123456"});
  prompt_.pins = {"1111"};
  EXPECT_EQ(ReasonOf(Make().status()), ErrorReason::kPassphraseUnreadable);
}

TEST_F(SecurityKeyTest, NobodyTouchesIt) {
  PlugIn();
  const auto made = Make();
  ASSERT_TRUE(made.ok());
  TestTokens().front().authenticator.options().touched = false;
  EXPECT_EQ(ReasonOf(Ask(*made).status()), ErrorReason::kTokenUntouched);
  EXPECT_EQ(ReasonOf(Make().status()), ErrorReason::kTokenUntouched);
}

TEST_F(SecurityKeyTest, PulledOutAtAnyMomentItIsAnErrorAndNoSecret) {
  PlugIn();
  const auto made = Make();
  ASSERT_TRUE(made.ok());
  int packets = 0;
  for (bool done = false; !done; ++packets) {
    ASSERT_LT(packets, 200);
    TestTokens().clear();
    PlugIn({.pulled_after = packets});
    const auto asked = Ask(*made);
    done = asked.ok();
    if (done) {
      EXPECT_TRUE(SecretsEqual(*asked, made->secret));
    } else {
      EXPECT_THAT(ReasonOf(asked.status()),
                  testing::AnyOf(ErrorReason::kTokenFailed, ErrorReason::kWrongToken))
          << packets;
    }
  }
  EXPECT_GT(packets, 10);
}

TEST_F(SecurityKeyTest, AmongSeveralOnlyTheOneThatKnowsTheKeyIsTouched) {
  Authenticator& other = PlugIn({.seed = "other"});
  Authenticator& ours = PlugIn({.seed = "ours"});
  const absl::Status unclear = Make().status();
  EXPECT_EQ(ReasonOf(unclear), ErrorReason::kSeveralTokens);
  EXPECT_THAT(std::string(unclear.message()),
              testing::AllOf(HasSubstr("/dev/token-other"), HasSubstr("/dev/token-ours")));
  const auto made = Make("/dev/token-ours");
  ASSERT_TRUE(made.ok()) << made.status();
  EXPECT_TRUE(Ask(*made).ok());
  EXPECT_EQ(other.touches(), 0);
  EXPECT_EQ(ours.touches(), 3);
  EXPECT_EQ(ReasonOf(Make("/dev/token-third").status()), ErrorReason::kNoToken);
}

TEST_F(SecurityKeyTest, AnotherTokenIsToldWithoutATouch) {
  PlugIn({.seed = "ours"});
  const auto made = Make();
  ASSERT_TRUE(made.ok());
  TestTokens().clear();
  Authenticator& other = PlugIn({.seed = "other"});
  prompt_.touched.clear();
  EXPECT_EQ(ReasonOf(Ask(*made).status()), ErrorReason::kWrongToken);
  EXPECT_EQ(other.touches(), 0);
  EXPECT_TRUE(prompt_.touched.empty());
}

TEST_F(SecurityKeyTest, WhatCannotBeDoneIsSaidAtOnce) {
  EXPECT_EQ(ReasonOf(Make().status()), ErrorReason::kNoToken);
  EXPECT_EQ(ReasonOf(AskToken({}, prompt_).status()), ErrorReason::kNoSuchProtector);
  PlugIn({.has_hmac_secret = false});
  EXPECT_EQ(ReasonOf(Make().status()), ErrorReason::kTokenUnsuitable);
  TestTokens().clear();
  PlugIn();
  setenv("SSH_CONNECTION", "192.0.2.1 1 192.0.2.2 22", 1);
  EXPECT_EQ(ReasonOf(Make().status()), ErrorReason::kTokenRemote);
  unsetenv("SSH_CONNECTION");
  EXPECT_TRUE(prompt_.touched.empty());
}

TEST_F(SecurityKeyTest, ImpossibleParametersAreNotAskedWith) {
  PlugIn();
  const Fido2Parameters good{.credential_id = {1, 2, 3}};
  PublicParameters later = EncodeFido2(good);
  later[0] = 2;
  PublicParameters flags = EncodeFido2(good);
  flags[1] = 2;
  for (const PublicParameters& bad : {PublicParameters{}, PublicParameters(34, 1),
                                      PublicParameters(34 + 1025, 1), later, flags}) {
    EXPECT_EQ(ReasonOf(AskToken({bad}, prompt_).status()), ErrorReason::kRecordUnusable);
  }
}

}  // namespace
}  // namespace ext4crypt
