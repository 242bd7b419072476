// SPDX-License-Identifier: Apache-2.0
// The map counts each block once and in its class, and the picture never lands on a volume.
#include <filesystem>
#include <fstream>

#include "tests/volume/survey_fixture.h"
#include "volume/map/block_map.h"
#include "volume/map/picture.h"

namespace ext4crypt::volume {
namespace {

namespace fs = std::filesystem;

class MapTest : public SurveyTest {
 protected:
  std::vector<GroupUse> Map() {
    if (builder_.has_value()) builder_->Close();
    builder_.reset();
    return MapBlocks(*Image::Open(*FileSource::Open(path_)).value());
  }
};

TEST_F(MapTest, EachBlockIsCountedOnceInItsClass) {
  builder_->AddPlainFile(EXT2_ROOT_INO, "plain", nullptr, "text");
  Context xts = builder_->NewContext();
  xts.raw[0] = 2;
  xts.raw[5] = xts.raw[6] = 0;
  builder_->AddPlainFile(EXT2_ROOT_INO, "xts", &xts, "text");
  const auto groups = Map();
  ASSERT_EQ(groups.size(), 1u);
  const GroupUse& use = groups[0];
  EXPECT_EQ(use.total(), 2048u);                   // 8 MiB
  EXPECT_EQ(use[Use::kAuthenticated], 299u + 3u);  // one page of file_ is a hole
  EXPECT_EQ(use[Use::kTags], 4u + 1u);             // one of them a node
  EXPECT_EQ(use[Use::kPlain], 1u);
  EXPECT_EQ(use[Use::kUnauthenticated], 1u);
  EXPECT_GT(use[Use::kFree], 0u);
  EXPECT_GT(use[Use::kMetadata], 0u);
}

TEST_F(MapTest, ManyGroupsAreDrawnTogetherAndNothingIsLost) {
  GroupUse use;
  use[Use::kPlain] = 3;
  size_t each = 0;
  const auto tiles = Coarser(std::vector<GroupUse>(1001, use), 100, each);
  EXPECT_EQ(each, 11u);
  EXPECT_LE(tiles.size(), 100u);
  uint64_t sum = 0;
  for (const GroupUse& tile : tiles) sum += tile[Use::kPlain];
  EXPECT_EQ(sum, 3003u);
}

TEST_F(MapTest, ThePictureShowsEveryClassThatExistsAndEscapesTheTitle) {
  const std::string svg = DrawSvg(Map(), "<script>");
  EXPECT_NE(svg.find("#12315c"), std::string::npos);  // tag blocks: five of 2048
  EXPECT_EQ(svg.find("<script>"), std::string::npos);
  const std::string text = DrawText(Map(), false);
  EXPECT_NE(text.find("AT"), std::string::npos);
}

TEST_F(MapTest, WhatMostPeopleLookForIsSaidInWords) {
  GroupUse use;
  use[Use::kFree] = 100;
  EXPECT_NE(DrawText({use}, false).find("No file has contents."), std::string::npos);
  use[Use::kAuthenticated] = 256;
  use[Use::kPlain] = 512;
  use[Use::kUnauthenticated] = 256;
  const std::string says = "Of 4 MiB in files, 25.0 % are encrypted and authenticated.";
  EXPECT_NE(DrawText({use}, false).find(says), std::string::npos);
  EXPECT_NE(DrawSvg({use}, "t").find(says), std::string::npos);
}

// One shape for few groups and one for many; what is in one group is one drawing of as many parts.
TEST_F(MapTest, EveryGroupIsDrawnWithEachOfItsColours) {
  GroupUse use;
  use[Use::kAuthenticated] = 30000;
  use[Use::kTags] = 1;
  const auto count = [](const std::string& text, const std::string& part) {
    size_t n = 0;
    for (size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) ++n;
    return n;
  };
  for (const size_t groups : {1, 24, 25, 4096}) {
    const std::string svg = DrawSvg(std::vector<GroupUse>(groups, use), "t");
    EXPECT_EQ(count(svg, "<title>group"), groups);
    // And one in the legend and one in the bar above.
    EXPECT_EQ(count(svg, "fill=\"#12315c\""), groups + 2);
  }
}

TEST_F(MapTest, APictureNeverReplacesAVolume) {
  const auto groups = Map();
  const std::string svg = DrawSvg(groups, "x");
  EXPECT_EQ(ReasonOf(WritePicture(path_, path_, svg)), Reason::kDestinationUnusable);
  EXPECT_EQ(ReasonOf(WritePicture("/dev/null", path_, svg)), Reason::kDestinationUnusable);
  const std::string link = path_ + ".svg";
  fs::create_hard_link(path_, link);
  EXPECT_EQ(ReasonOf(WritePicture(link, path_, svg)), Reason::kDestinationUnusable);
  fs::remove(link);
  EXPECT_TRUE(WritePicture(link, path_, svg).ok());
  EXPECT_EQ(fs::file_size(link), svg.size());
  fs::remove(link);
}

}  // namespace
}  // namespace ext4crypt::volume
