// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <unistd.h>

#include <set>

#include "client/ui/errors.h"
#include "client/ui/json.h"
#include "client/ui/prompt.h"
#include "common/error.h"

namespace ext4crypt {
namespace {

TEST(JsonTest, NestsAndKeepsTheOrder) {
  Json list = Json::Array();
  list.Append(Json::Int(-1)).Append(Json::Bool(true));
  Json json = Json::Object();
  json.Set("z", "text").Set("a", std::move(list)).Set("e", Json::Array());
  EXPECT_EQ(json.ToText(),
            "{\n  \"z\": \"text\",\n  \"a\": [\n    -1,\n    true\n  ],\n  \"e\": []\n}\n");
}

TEST(JsonTest, EscapesWhatJsonMustAndReplacesWhatIsNoUtf8) {
  EXPECT_EQ(Json::String("a\"b\\c\n\x7f").ToText(), "\"a\\\"b\\\\c\\u000a\\u007f\"\n");
  EXPECT_EQ(Json::String("\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80").ToText(),
            "\"\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\"\n");
  for (const char* bad : {"\xff", "\xc3", "\x80", "\xc0\x80", "\xed\xa0\x80", "\xf5\x80\x80\x80",
                          "\xe0\x80\x80", "\xf0\x80\x80\x80", "\xf4\x90\x80\x80"}) {
    EXPECT_THAT(Json::String(bad).ToText(), testing::HasSubstr("\\ufffd")) << bad;
    EXPECT_EQ(Json::String(bad).ToText().find_first_of("\x80\xff"), std::string::npos);
  }
}

TEST(ErrorsTest, EveryReasonHasAWordAnExitCodeAndAWayOut) {
  std::set<std::string> sentences;
  for (uint32_t i = 1; i < kErrorReasonLimit; ++i) {
    const absl::Status status = Error(static_cast<ErrorReason>(i), "cause", "/object");
    const std::string sentence = Explain("verb", status);
    EXPECT_TRUE(sentences.insert(sentence).second) << "the same words twice: " << sentence;
    EXPECT_THAT(sentence, testing::StartsWith("ext4crypt verb: /object: "));
    EXPECT_EQ(sentence.find('\n'), std::string::npos);
    EXPECT_EQ(sentence.find("cause"), std::string::npos) << "causes are for logs";
    EXPECT_GT(ExitCodeOf(status), 0);
    EXPECT_LT(ExitCodeOf(status), 64);
    EXPECT_NE(ExitCodeOf(status), kExitUsage);
  }
}

TEST(ErrorsTest, WaitIsRoundedUp) {
  const absl::Status status =
      Error(ErrorInfo{.reason = ErrorReason::kThrottled, .retry_after_ms = 1001}, "x");
  EXPECT_THAT(Explain("unlock", status), testing::HasSubstr("Try again in 2 s."));
}

TEST(SecretReaderTest, ReadsOneLineEachAndLeavesTheNext) {
  int ends[2];
  ASSERT_EQ(pipe(ends), 0);
  const std::string text = "first\nsecond\r\n\nno newline";
  ASSERT_EQ(write(ends[1], text.data(), text.size()), static_cast<ssize_t>(text.size()));
  close(ends[1]);
  const SecretReader reader(ends[0]);
  EXPECT_EQ(reader.Read("p")->text(), "first");
  EXPECT_EQ(reader.ReadNew("p")->text(), "second\r");
  EXPECT_TRUE(reader.Read("p")->empty());
  EXPECT_EQ(reader.Read("p")->text(), "no newline");
  EXPECT_EQ(ReasonOf(reader.Read("p").status()), ErrorReason::kPassphraseUnreadable);
  close(ends[0]);
}

}  // namespace
}  // namespace ext4crypt
