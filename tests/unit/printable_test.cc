// SPDX-License-Identifier: Apache-2.0
#include "common/printable.h"

#include <gtest/gtest.h>

namespace ext4crypt {
namespace {

TEST(PrintableTest, TextStaysAsItIs) {
  EXPECT_EQ(Printable("caf\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80 "),
            "caf\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80 ");
  EXPECT_EQ(Printable(""), "");
  EXPECT_EQ(Printable("\\x1b"), "\\\\x1b") << "can be told from an escaped one";
}

TEST(PrintableTest, WhatATerminalWouldObeyIsEscaped) {
  EXPECT_EQ(Printable("a\n\t\x1b[2J\x7f\r"), "a\\x0a\\x09\\x1b[2J\\x7f\\x0d");
  EXPECT_EQ(Printable("\xc2\x9b"
                      "31m"),
            "\\xc2\\x9b31m")
      << "an escape sequence in one character";
  EXPECT_EQ(Printable("\xe2\x80\xae"), "\\xe2\\x80\\xae") << "writes from right to left";
}

TEST(PrintableTest, BytesThatAreNoUtf8AreEscaped) {
  EXPECT_EQ(Printable("caf\xe9s"), "caf\\xe9s");
  EXPECT_EQ(Printable("\xc3"), "\\xc3") << "cut short";
  EXPECT_EQ(Printable("\xed\xa0\x80"), "\\xed\\xa0\\x80") << "a surrogate";
  EXPECT_EQ(Printable(absl::string_view("a\0b", 3)), "a\\x00b");
}

TEST(PrintableTest, ReportKeepsItsLines) {
  EXPECT_EQ(PrintableText("a\tb\nc\x1b"), "a\tb\nc\\x1b");
}

}  // namespace
}  // namespace ext4crypt
