// SPDX-License-Identifier: Apache-2.0
#include "volume/extract/extract.h"

#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <set>

#include "tests/volume/survey_fixture.h"

namespace ext4crypt::volume {
namespace {

namespace fs = std::filesystem;
using testing::ElementsAre;
using testing::IsEmpty;

class ExtractTest : public SurveyTest {
 protected:
  ExtractTest() : out_(path_ + ".out") { fs::remove_all(out_); }
  ~ExtractTest() override { fs::remove_all(out_); }

  absl::Status Run(const std::string& path, bool salvage, const KeyRing& keys) {
    if (builder_.has_value()) builder_->Close();
    builder_.reset();
    findings_.clear();
    totals_ = {};
    const auto image = Image::Open(*FileSource::Open(path_)).value();
    ExtractOptions options;
    options.salvage = salvage;
    options.metadata.trust = trust_;
    options.on_finding = [&](const Finding& finding) { findings_.push_back(finding); };
    return Extract(*image, keys, path, out_, options, totals_);
  }
  absl::Status Run(const std::string& path, bool salvage = false) {
    return Run(path, salvage, keys_);
  }
  static std::string Contents(const std::string& path) {
    std::ifstream in(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
  }
  // As the file was written, with zeros for the pages `without`.
  std::string Expected(const std::set<uint64_t>& without = {}) const {
    std::string text;
    for (uint64_t page = 0; page < kPages; ++page) {
      const bool zero = page == kHole || page == kUnwritten || without.contains(page);
      const Block block = zero ? Block{} : ImageBuilder::PageText(file_.inode, page);
      text.append(block.begin(), block.end());
    }
    text.resize(file_.size);
    return text;
  }
  void Damage(uint64_t page) {
    Block data = builder_->ReadBlock(file_.pages.at(page));
    data[0] ^= 1;
    builder_->WriteBlock(file_.pages.at(page), data);
  }

  std::string out_;
  bool trust_ = false;
  std::vector<Finding> findings_;
  ExtractTotals totals_;
};

TEST_F(ExtractTest, GivesBackContentsNamesLinksAndTimes) {
  builder_->AddSymlink(dir_, "link", NewContext(), "file");
  ASSERT_TRUE(Run("/").ok());
  EXPECT_THAT(findings_, IsEmpty());
  EXPECT_EQ(Contents(out_ + "/d/file"), Expected());
  EXPECT_EQ(fs::read_symlink(out_ + "/d/link"), "file");
  struct stat st = {};
  ASSERT_EQ(::stat((out_ + "/d/file").c_str(), &st), 0);
  EXPECT_EQ(st.st_mtim.tv_sec, 1700000000);
  EXPECT_EQ(st.st_mode & 07777, 0640u);
}

TEST_F(ExtractTest, OneFileByItsPath) {
  ASSERT_TRUE(Run("d/file").ok());
  EXPECT_EQ(Contents(out_), Expected());
}

TEST_F(ExtractTest, APathThatIsNotThereIsAnError) {
  EXPECT_EQ(ReasonOf(Run("/d/nothing")), Reason::kNotFound);
  EXPECT_EQ(ReasonOf(Run("/d/file/below")), Reason::kNotADirectory);
}

TEST_F(ExtractTest, NothingIsOverwritten) {
  std::ofstream(out_) << "kept";
  EXPECT_EQ(ReasonOf(Run("/d/file")), Reason::kDestinationUnusable);
  EXPECT_EQ(Contents(out_), "kept");
}

TEST_F(ExtractTest, ADamagedFileIsLeftOut) {
  Damage(150);
  ASSERT_TRUE(Run("/d").ok());
  EXPECT_FALSE(fs::exists(out_ + "/file"));
  EXPECT_TRUE(fs::exists(out_ + "/other"));
  EXPECT_EQ(totals_.incomplete, 1u);
  EXPECT_THAT(findings_, ElementsAre(Is(Reason::kPageNotAuthentic, 150 * kBlockSize)));
}

TEST_F(ExtractTest, ADamagedInodeIsNamedAndTheRestExtracted) {
  builder_->ChangeInode(file_.inode, [](ext2_inode_large& inode) { inode.i_extra_isize = 0x7FFC; });
  for (const bool salvage : {false, true}) {
    fs::remove_all(out_);
    ASSERT_TRUE(Run("/", salvage).ok());
    ASSERT_THAT(findings_, ElementsAre(HasReason(Reason::kContextMissing)));
    EXPECT_EQ(findings_[0].path, "/d/file");
    EXPECT_EQ(findings_[0].inode, file_.inode);
    EXPECT_FALSE(fs::exists(out_ + "/d/file"));
    EXPECT_EQ(fs::file_size(out_ + "/d/other"), other_.size);
    EXPECT_EQ(totals_.incomplete, 1u);
  }
}

TEST_F(ExtractTest, ADamagedBlockOfNamesIsNamedAndTheRestExtracted) {
  const uint64_t block = builder_->FirstBlockOf(dir_);
  Block data = builder_->ReadBlock(block);
  // Less than a block of AES: the first entry of the two.
  for (size_t at = 0; at + 4 < data.size(); at += 4) {
    if (Le32(&data[at]) == file_.inode) data[at + 6] = 7;
  }
  builder_->WriteBlock(block, data);
  for (const bool salvage : {false, true}) {
    fs::remove_all(out_);
    ASSERT_TRUE(Run("/d", salvage).ok());
    ASSERT_THAT(findings_,
                ElementsAre(Is(Reason::kNameMalformed, 0), Is(Reason::kPlaceNotAuthentic, 0),
                            Is(Reason::kDirectoryChecksum, 0)));
    EXPECT_EQ(findings_[0].inode, file_.inode);
    EXPECT_EQ(findings_[2].path, "/d");
    EXPECT_EQ(totals_.files, salvage ? 2u : 1u) << "the file under its name without a key";
  }
  EXPECT_EQ(Contents(out_ + "/other").size(), other_.size);
}

TEST_F(ExtractTest, SalvageKeepsAllPagesButTheDamagedOnes) {
  Damage(150);
  Damage(299);
  ASSERT_TRUE(Run("/d", true).ok());
  EXPECT_EQ(Contents(out_ + "/file"), Expected({150, 299}));
  EXPECT_EQ(totals_.incomplete, 1u);
}

TEST_F(ExtractTest, PagesUnderABrokenSealAreSalvagedOnly) {
  e4c_tag_block tags = builder_->ReadGroup(file_, 1);
  tags.seal.tag[0] ^= 1;
  builder_->WriteGroup(file_, 1, tags);
  ASSERT_TRUE(Run("/d/file").ok());
  EXPECT_FALSE(fs::exists(out_));
  ASSERT_TRUE(Run("/d/file", true).ok());
  EXPECT_EQ(Contents(out_), Expected());
  EXPECT_EQ(totals_.incomplete, 1u);
  EXPECT_THAT(findings_, ElementsAre(Is(Reason::kSealNotAuthentic, 127 * kBlockSize),
                                     Is(Reason::kNotProvedNewest, 127 * kBlockSize)));
}

// One lost node or head costs a whole file, or what the node covers, but nothing to who salvages.
TEST_F(ExtractTest, PagesUnderABrokenNodeAreSalvagedAndSaidNotToBeProved) {
  e4c_tag_block node = builder_->ReadNodeBlock(file_, 1, 0);
  node.slot[100].tag[0] ^= 1;
  builder_->WriteNodeBlock(file_, 1, 0, node);
  ASSERT_TRUE(Run("/d/file").ok());
  EXPECT_FALSE(fs::exists(out_));
  ASSERT_TRUE(Run("/d/file", true).ok());
  EXPECT_EQ(Contents(out_), Expected());
  EXPECT_THAT(findings_, testing::Contains(Is(Reason::kSealNotAuthentic, 0)));
  EXPECT_THAT(findings_, testing::Contains(Is(Reason::kNotProvedNewest, 0)));
}

TEST_F(ExtractTest, AFileWithoutAGoodHeadIsSalvagedAndSaidNotToBeProved) {
  for (const size_t at : {52, 64, 67}) {  // the head, the form, the sequence number
    std::vector<uint8_t> value = builder_->AttributeOf(file_.inode);
    value[at] ^= 1;
    builder_->SetAttribute(file_.inode, value);
    value[at] ^= 1;
    ASSERT_TRUE(Run("/d/file").ok());
    EXPECT_FALSE(fs::exists(out_)) << at;
    ASSERT_TRUE(Run("/d/file", true).ok());
    EXPECT_EQ(Contents(out_), Expected()) << at;
    EXPECT_THAT(findings_, testing::Contains(Is(Reason::kNotProvedNewest, 0)));
    EXPECT_EQ(totals_.incomplete, 1u);
    fs::remove_all(out_);
    builder_.emplace(path_, ImageBuilder::kOpen);
    builder_->SetAttribute(file_.inode, value);
  }
}

TEST_F(ExtractTest, AFileWithADamagedSizeIsSalvagedUpToItsLastWrittenPage) {
  builder_->ChangeInode(other_.inode, [](ext2_inode_large& i) { i.i_size_high = 0; });
  ASSERT_TRUE(Run("/d/other", true).ok());
  EXPECT_EQ(Contents(out_).size(), 3 * kBlockSize);
  const Block page = ImageBuilder::PageText(other_.inode, 2);
  EXPECT_EQ(Contents(out_).substr(2 * kBlockSize), std::string(page.begin(), page.end()));
  EXPECT_THAT(findings_,
              ElementsAre(Is(Reason::kSizeNotBiased, 0), Is(Reason::kNotProvedNewest, 0)));
}

TEST_F(ExtractTest, ATailWithoutAGoodHeadIsSalvaged) {
  FileShape shape;
  shape.tail = true;
  shape.text_bytes = 100;
  const BuiltFile file =
      builder_->AddFile(dir_, "tail", NewContext(), kBlockSize + 100, {0, 1}, {}, shape);
  ASSERT_TRUE(Run("/d/tail").ok());
  const std::string whole = Contents(out_);
  EXPECT_EQ(whole.size(), kBlockSize + 100);
  fs::remove_all(out_);
  builder_.emplace(path_, ImageBuilder::kOpen);
  std::vector<uint8_t> value(E4C_ATTRIBUTE_SIZE);
  std::copy(file.context.raw.begin(), file.context.raw.end(), value.begin());
  value[64] = E4C_FORM_TREE;
  builder_->SetAttribute(file.inode, value);
  ASSERT_TRUE(Run("/d/tail", true).ok());
  EXPECT_EQ(Contents(out_), whole);
}

TEST_F(ExtractTest, AFileUnderTheNameOfAnotherIsLeftOutOrSalvaged) {
  builder_->UpdatePlace(dir_, "another", other_.inode);
  for (const std::string path : {"/d", "/d/other"}) {
    const std::string copy = path == "/d" ? out_ + "/other" : out_;
    ASSERT_TRUE(Run(path).ok());
    EXPECT_FALSE(fs::exists(copy));
    EXPECT_THAT(findings_, ElementsAre(HasReason(Reason::kPlaceNotAuthentic)));
    fs::remove_all(out_);
    ASSERT_TRUE(Run(path, true).ok());
    EXPECT_EQ(fs::file_size(copy), other_.size);
    EXPECT_THAT(findings_, ElementsAre(HasReason(Reason::kPlaceNotAuthentic)));
    fs::remove_all(out_);
  }
}

TEST_F(ExtractTest, ADirectoryWithoutAGoodHeadIsLeftOutOrSalvaged) {
  std::vector<uint8_t> value = builder_->AttributeOf(dir_);
  value[52] ^= 1;
  builder_->SetAttribute(dir_, value);
  for (const std::string path : {"/d", "/d/other"}) {
    ASSERT_TRUE(Run(path).ok());
    EXPECT_FALSE(fs::exists(out_));
    EXPECT_THAT(findings_, ElementsAre(HasReason(Reason::kHeadNotAuthentic)));
    ASSERT_TRUE(Run(path, true).ok());
    EXPECT_EQ(fs::file_size(path == "/d" ? out_ + "/other" : out_), other_.size);
    fs::remove_all(out_);
  }
}

TEST_F(ExtractTest, ALinkWithoutAGoodHeadIsLeftOut) {
  const uint32_t link = builder_->AddSymlink(dir_, "link", NewContext(), "file");
  std::vector<uint8_t> value = builder_->AttributeOf(link);
  value[52] ^= 1;
  builder_->SetAttribute(link, value);
  ASSERT_TRUE(Run("/d").ok());
  EXPECT_FALSE(fs::is_symlink(out_ + "/link"));
  EXPECT_THAT(findings_, ElementsAre(HasReason(Reason::kHeadNotAuthentic)));
}

TEST_F(ExtractTest, WithoutTheKeyNothingOfTheContentsComesOut) {
  ASSERT_TRUE(Run("/", true, KeyRing()).ok());
  for (const Finding& finding : findings_) EXPECT_EQ(finding.reason, Reason::kKeyMissing);
  EXPECT_EQ(findings_.size(), 2u);
}

TEST_F(ExtractTest, NamesThatLeadElsewhereAreNotMade) {
  builder_->AddPlainFile(EXT2_ROOT_INO, "../evil", nullptr, "x");
  builder_->AddPlainFile(EXT2_ROOT_INO, "a/b", nullptr, "x");
  ASSERT_TRUE(Run("/").ok());
  EXPECT_EQ(totals_.incomplete, 2u);
  EXPECT_FALSE(fs::exists(out_ + "/../evil"));
}

TEST_F(ExtractTest, ADirectoryWithManyNamesIsCopiedOnce) {
  builder_->Link(dir_, "loop", dir_, EXT2_FT_DIR);
  builder_->Link(dir_, "loop2", dir_, EXT2_FT_DIR);
  ASSERT_TRUE(Run("/d", true).ok());
  EXPECT_EQ(totals_.directories, 1u);
  EXPECT_THAT(findings_, testing::Contains(HasReason(Reason::kDirectoryLoop)).Times(2));
}

TEST_F(ExtractTest, PlainFilesAreCopiedAndCountedAsUnauthenticated) {
  builder_->AddPlainFile(EXT2_ROOT_INO, "readme", nullptr, "hello");
  ASSERT_TRUE(Run("/readme").ok());
  EXPECT_EQ(Contents(out_), "hello");
  EXPECT_EQ(totals_.unauthenticated, 1u);
}

TEST_F(ExtractTest, ADowngradedFileIsNotTakenForAPlainOne) {
  Context context = file_.context;
  context.raw[0] = 2;
  context.raw[5] = context.raw[6] = 0;
  builder_->SetAttribute(file_.inode, context.raw);
  ASSERT_TRUE(Run("/d", true).ok());
  EXPECT_FALSE(fs::exists(out_ + "/file"));
  EXPECT_THAT(findings_, ElementsAre(HasReason(Reason::kDowngraded)));
}

TEST_F(ExtractTest, FurtherNamesBecomeHardLinks) {
  builder_->SetState(file_.inode, Le32(&builder_->AttributeOf(file_.inode)[64]) | E4C_STATE_LINKED);
  builder_->Link(dir_, "again", file_.inode, EXT2_FT_REG_FILE);
  builder_->ChangeInode(file_.inode, [](ext2_inode_large& inode) { inode.i_links_count = 2; });
  ASSERT_TRUE(Run("/d").ok());
  EXPECT_EQ(totals_.hard_links, 1u);
  EXPECT_TRUE(fs::equivalent(out_ + "/file", out_ + "/again"));
  EXPECT_EQ(Contents(out_ + "/again"), Expected());
}

TEST_F(ExtractTest, AttributesAndAccessListsAreKept) {
  const std::string value = "value";
  builder_->AddXattr(other_.inode, kXattrIndexUser, "note",
                     {reinterpret_cast<const uint8_t*>(value.data()), value.size()});
  // Version 1; owner rw, user 1234 r, group -, mask r, others -.
  const std::vector<uint8_t> acl = {1, 0, 0, 0, 1, 0, 6,    0, 2, 0, 4,    0, 0xD2, 4,
                                    0, 0, 4, 0, 0, 0, 0x10, 0, 4, 0, 0x20, 0, 0,    0};
  // On a plain file: beside a context there is no room for it in the inode.
  builder_->AddXattr(builder_->AddPlainFile(EXT2_ROOT_INO, "acl", nullptr, "x"), 2, "", acl);
  ASSERT_TRUE(Run("/").ok());
  EXPECT_EQ(totals_.metadata.not_kept, 0u);
  char buffer[64] = {};
  ASSERT_EQ(::getxattr((out_ + "/d/other").c_str(), "user.note", buffer, sizeof(buffer)), 5);
  EXPECT_EQ(std::string(buffer, 5), value);
  // 4 bytes of header and 8 for each of the five entries.
  ASSERT_EQ(::getxattr((out_ + "/acl").c_str(), "system.posix_acl_access", buffer, sizeof(buffer)),
            44);
  EXPECT_EQ(Le32(buffer + 4 + 8 + 4), 1234u);
}

TEST_F(ExtractTest, TimesAreKeptToTheNanosecond) {
  builder_->ChangeInode(other_.inode, [](ext2_inode_large& inode) {
    inode.i_mtime_extra = 123456789u << 2 | 1;  // the 1 is 2^32 seconds more
  });
  ASSERT_TRUE(Run("/d").ok());
  struct stat st = {};
  ASSERT_EQ(::stat((out_ + "/other").c_str(), &st), 0);
  EXPECT_EQ(st.st_mtim.tv_nsec, 123456789);
  EXPECT_EQ(st.st_mtim.tv_sec, 1700000000 + (int64_t{1} << 32));
}

TEST_F(ExtractTest, HolesStayHoles) {
  const BuiltFile sparse = builder_->AddFile(dir_, "sparse", NewContext(), 1 << 30, {200000});
  ASSERT_TRUE(Run("/d/sparse").ok());
  struct stat st = {};
  ASSERT_EQ(::stat(out_.c_str(), &st), 0);
  EXPECT_EQ(st.st_size, 1 << 30);
  EXPECT_LT(st.st_blocks, 100);
}

TEST_F(ExtractTest, PipesAreMadeAndRightsOnlyWhenTrusted) {
  builder_->AddSpecial(EXT2_ROOT_INO, "pipe", LINUX_S_IFIFO | 0640, 0, EXT2_FT_FIFO);
  builder_->AddSpecial(EXT2_ROOT_INO, "null", LINUX_S_IFCHR | 0666, 0x0103, EXT2_FT_CHRDEV);
  const uint32_t tool = builder_->AddPlainFile(EXT2_ROOT_INO, "tool", nullptr, "x");
  builder_->ChangeInode(tool, [](ext2_inode_large& inode) { inode.i_mode |= 06000; });
  ASSERT_TRUE(Run("/").ok());
  EXPECT_TRUE(fs::is_fifo(out_ + "/pipe"));
  EXPECT_FALSE(fs::exists(out_ + "/null"));
  EXPECT_EQ(totals_.metadata.privileges, 2u);
  struct stat st = {};
  ASSERT_EQ(::stat((out_ + "/tool").c_str(), &st), 0);
  EXPECT_EQ(st.st_mode & 07777, 0644u);
  fs::remove_all(out_);
  trust_ = true;
  ASSERT_TRUE(Run("/").ok());
  ASSERT_EQ(::stat((out_ + "/tool").c_str(), &st), 0);
  EXPECT_EQ(st.st_mode & 07777, 06644u);
  if (::geteuid() != 0) return;
  ASSERT_EQ(::stat((out_ + "/null").c_str(), &st), 0);
  EXPECT_EQ(st.st_rdev, ::makedev(1, 3));
}

}  // namespace
}  // namespace ext4crypt::volume
