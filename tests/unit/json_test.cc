// SPDX-License-Identifier: Apache-2.0
#include "terminal/json.h"

#include <gmock/gmock.h>

#include <sstream>

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
  // Control characters of eight bits, and what turns the direction of writing.
  EXPECT_EQ(Json::String("\xc2\x9b\xe2\x80\xae").ToText(), "\"\\u009b\\u202e\"\n");
  for (const char* bad : {"\xff", "\xc3", "\x80", "\xc0\x80", "\xed\xa0\x80", "\xf5\x80\x80\x80",
                          "\xe0\x80\x80", "\xf0\x80\x80\x80", "\xf4\x90\x80\x80"}) {
    EXPECT_THAT(Json::String(bad).ToText(), testing::HasSubstr("\\ufffd")) << bad;
    EXPECT_EQ(Json::String(bad).ToText().find_first_of("\x80\xff"), std::string::npos);
  }
}

TEST(JsonWriterTest, CompactHasNoSpaceAndNoNewLine) {
  std::ostringstream out;
  JsonWriter writer(out);
  writer.OpenObject();
  writer.Field("a", "text");
  writer.Key("b");
  writer.OpenArray();
  writer.Number(1);
  writer.Bool(false);
  writer.CloseArray();
  writer.Key("c");
  writer.OpenObject();
  writer.CloseObject();
  writer.CloseObject();
  EXPECT_EQ(out.str(), R"({"a":"text","b":[1,false],"c":{}})");
}

}  // namespace
}  // namespace ext4crypt
