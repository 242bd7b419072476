// SPDX-License-Identifier: Apache-2.0
// Each check, over a tree of files that stands for a machine.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <memory>

#include "absl/strings/str_cat.h"
#include "client/doctor/checks.h"
#include "client/doctor/report.h"
#include "common/unique_fd.h"

namespace ext4crypt::doctor {
namespace {

using testing::HasSubstr;
namespace fs = std::filesystem;

constexpr char kRelease[] = "6.12.30-amd64";
constexpr uid_t kAlice = 1000;
constexpr int64_t kNow = 1700000000;
constexpr char kKeyHex[] = "00112233445566778899aabbccddeeff";

class DoctorTest : public testing::Test {
 protected:
  void SetUp() override {
    char name[] = "/tmp/doctor-test-XXXXXX";
    ASSERT_NE(::mkdtemp(name), nullptr);
    root_ = name;
    machine_ = std::make_unique<Machine>(root_, kAlice, kNow);
  }
  void TearDown() override { fs::remove_all(root_); }

  void Write(const std::string& path, const std::string& text) {
    fs::create_directories(fs::path(root_ + path).parent_path());
    std::ofstream(root_ + path, std::ios::binary) << text;
  }
  void MakeDir(const std::string& path, mode_t mode) {
    fs::create_directories(root_ + path);
    ASSERT_EQ(::chmod((root_ + path).c_str(), mode), 0);
  }
  void MakeSocket(const std::string& path) {
    fs::create_directories(fs::path(root_ + path).parent_path());
    const UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    struct sockaddr_un address = {.sun_family = AF_UNIX, .sun_path = {}};
    (root_ + path).copy(static_cast<char*>(address.sun_path), sizeof(address.sun_path) - 1);
    ASSERT_EQ(::bind(fd.get(), reinterpret_cast<const struct sockaddr*>(&address), sizeof(address)),
              0);
  }

  void GiveKernel(
      const std::string& modules_dep = "updates/dkms/ext4crypt.ko: kernel/crypto/gcm.ko\n") {
    Write("/proc/sys/kernel/osrelease", absl::StrCat(kRelease, "\n"));
    Write(absl::StrCat("/lib/modules/", kRelease, "/modules.dep"), modules_dep);
    Write("/proc/filesystems", "nodev\tsysfs\n\text4\n");
  }
  void LoadModule() { Write("/proc/filesystems", "nodev\tsysfs\n\text4crypt\n"); }
  void MountVolume(const std::string& super_options = "rw", const std::string& type = "ext4crypt") {
    Write("/proc/self/mountinfo",
          absl::StrCat("1 0 8:1 / / rw - ext4 /dev/sda1 rw\n2 1 8:17 / /data rw,relatime - ", type,
                       " /dev/sdb1 ", super_options, "\n"));
    fs::create_directories(root_ + "/data");
  }
  void Enrol() {
    machine_->service = {.enrolled = true,
                         .unlocked = true,
                         .held = true,
                         .identifier_hex = kKeyHex,
                         .protector_kinds = {"passphrase", "recovery"}};
  }

  using Check = void (*)(const Machine&, Findings&);
  // What `check` says under `name`: "warning"; empty when nothing.
  std::string Says(Check check, const std::string& name) {
    Findings findings;
    check(*machine_, findings);
    std::string worst;
    Severity severity = Severity::kOk;
    last_ = FindingsText(findings, true);
    for (const Finding& finding : findings.all()) {
      if (finding.name != name || (!worst.empty() && finding.severity < severity)) continue;
      severity = finding.severity;
      worst = SeverityWord(severity);
    }
    return worst;
  }

  std::string root_;
  std::unique_ptr<Machine> machine_;
  std::string last_;  // all that the last check said
};

TEST_F(DoctorTest, OnlyKernelsOfTheSeriesWillDo) {
  GiveKernel();
  EXPECT_EQ(Says(CheckKernelSeries, "kernel.series"), "ok");
  Write("/proc/sys/kernel/osrelease", "6.1.0-18-amd64\n");
  EXPECT_EQ(Says(CheckKernelSeries, "kernel.series"), "problem");
  EXPECT_THAT(last_, HasSubstr("6.1.0-18-amd64"));
  Write("/proc/sys/kernel/osrelease", "6.120.1\n");
  EXPECT_EQ(Says(CheckKernelSeries, "kernel.series"), "problem");
}

TEST_F(DoctorTest, ModuleIsBuiltAndLoaded) {
  GiveKernel();
  EXPECT_EQ(Says(CheckModule, "module.built"), "ok");
  EXPECT_EQ(Says(CheckModule, "module.loaded"), "note");
  LoadModule();
  EXPECT_EQ(Says(CheckModule, "module.loaded"), "ok");
}

TEST_F(DoctorTest, ModuleThatIsMissingIsAProblem) {
  GiveKernel("kernel/fs/ext4/ext4.ko.xz: kernel/lib/crc16.ko.xz\n");
  EXPECT_EQ(Says(CheckModule, "module.built"), "problem");
  EXPECT_THAT(last_, HasSubstr(absl::StrCat("linux-headers-", kRelease)));
  LoadModule();
  EXPECT_EQ(Says(CheckModule, "module.built"), "warning")
      << "loaded by hand, gone at the next boot";
}

TEST_F(DoctorTest, UnsignedModuleIsAProblemWhereSignaturesCount) {
  GiveKernel();
  const std::string module = absl::StrCat("/lib/modules/", kRelease, "/updates/dkms/ext4crypt.ko");
  Write(module,
        "\x7f"
        "ELF, and no signature at its end");
  EXPECT_EQ(Says(CheckModuleSignature, "module.signature"), "ok");
  const std::string variable =
      "/sys/firmware/efi/efivars/SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c";
  Write(variable, std::string("\x06\0\0\0\0", 5));
  EXPECT_EQ(Says(CheckModuleSignature, "module.signature"), "ok") << "Secure Boot is off";
  Write(variable, std::string("\x06\0\0\0\1", 5));
  EXPECT_EQ(Says(CheckModuleSignature, "module.signature"), "problem");
  Write(module,
        "\x7f"
        "ELF~Module signature appended~\n");
  EXPECT_EQ(Says(CheckModuleSignature, "module.signature"), "note");
  LoadModule();
  EXPECT_EQ(Says(CheckModuleSignature, "module.signature"), "ok");
}

TEST_F(DoctorTest, LockedDownKernelWantsSignaturesToo) {
  GiveKernel();
  Write(absl::StrCat("/lib/modules/", kRelease, "/updates/dkms/ext4crypt.ko"),
        "no signature here, none");
  Write("/sys/kernel/security/lockdown", "none [integrity] confidentiality\n");
  EXPECT_EQ(Says(CheckModuleSignature, "module.signature"), "problem");
  Write("/sys/kernel/security/lockdown", "[none] integrity confidentiality\n");
  EXPECT_EQ(Says(CheckModuleSignature, "module.signature"), "ok");
}

TEST_F(DoctorTest, KernelOfTheNextBootWithoutTheModule) {
  GiveKernel();
  Write("/lib/modules/6.12.31-amd64/modules.dep", "kernel/fs/ext4/ext4.ko:\n");
  Write("/lib/modules/6.12.31-amd64/kernel/fs/ext4/ext4.ko", "");
  EXPECT_EQ(Says(CheckModuleOfNextBoot, "module.other-kernel"), "") << "no volume needs it";
  Write("/etc/fstab", "/dev/sdb1 /data ext4crypt defaults,nofail 0 2\n");
  EXPECT_EQ(Says(CheckModuleOfNextBoot, "module.other-kernel"), "warning");
  EXPECT_THAT(last_, HasSubstr("6.12.31-amd64"));
  Write("/lib/modules/6.12.31-amd64/modules.dep", "updates/dkms/ext4crypt.ko.xz:\n");
  EXPECT_EQ(Says(CheckModuleOfNextBoot, "module.other-kernel"), "");
}

TEST_F(DoctorTest, ServiceThatDoesNotAnswerIsAProblem) {
  EXPECT_EQ(Says(CheckService, "service.answers"), "ok");
  machine_->service.failure = "connect: Connection refused";
  EXPECT_EQ(Says(CheckService, "service.answers"), "problem");
  EXPECT_THAT(last_, HasSubstr("Connection refused"));
}

TEST_F(DoctorTest, SocketsAreSockets) {
  EXPECT_EQ(Says(CheckSockets, "service.socket"), "problem");
  EXPECT_EQ(Says(CheckSockets, "service.session-socket"), "warning");
  Write("/run/ext4crypt/keyd.sock", "a file");
  EXPECT_EQ(Says(CheckSockets, "service.socket"), "problem");
  ASSERT_EQ(::unlink((root_ + "/run/ext4crypt/keyd.sock").c_str()), 0);
  MakeSocket("/run/ext4crypt/keyd.sock");
  MakeSocket("/run/ext4crypt/session.sock");
  EXPECT_EQ(Says(CheckSockets, "service.socket"), "ok");
  EXPECT_EQ(Says(CheckSockets, "service.session-socket"), "ok");
}

TEST_F(DoctorTest, KeyWithoutARecoveryCodeIsAWarning) {
  EXPECT_EQ(Says(CheckKeys, "keys.enrolled"), "note");
  Enrol();
  EXPECT_EQ(Says(CheckKeys, "keys.recovery-code"), "ok");
  machine_->service.protector_kinds = {"passphrase"};
  EXPECT_EQ(Says(CheckKeys, "keys.recovery-code"), "warning");
  machine_->service.held = false;
  EXPECT_EQ(Says(CheckKeys, "keys.held"), "note");
  machine_->service.volume_errors = {{.mount_point = "/data", .cause = "No space left"}};
  EXPECT_EQ(Says(CheckKeys, "keys.volume"), "problem");
}

TEST_F(DoctorTest, ReportHasTheWorstFirstAndAnExitCode) {
  Findings findings;
  findings.Ok("a.fine", "", "Fine.");
  EXPECT_EQ(ExitCodeFor(findings.worst()), 0);
  findings.Note("b.note", "", "Known.", "Nothing.");
  EXPECT_EQ(ExitCodeFor(findings.worst()), 0);
  findings.Warn("c.warning", "/x\n", "Weak.", "Mend it.");
  EXPECT_EQ(ExitCodeFor(findings.worst()), kExitWarning);
  findings.Problem("d.problem", "", "Broken.", "Mend it.");
  EXPECT_EQ(ExitCodeFor(findings.worst()), kExitProblem);
  EXPECT_EQ(FindingsText(findings, false),
            "PROBLEM  d.problem: Broken.\n"
            "         -> Mend it.\n"
            "warning  c.warning (/x\\x0a): Weak.\n"
            "         -> Mend it.\n"
            "note     b.note: Known.\n"
            "         -> Nothing.\n"
            "As it should be: 1 of 4 (--all lists them)\n");
  EXPECT_THAT(FindingsJson(findings).ToText(), HasSubstr("\"worst\": \"problem\""));
}

TEST_F(DoctorTest, EmptyMachineIsSurvived) {
  const Findings findings = RunChecks(*machine_);
  EXPECT_EQ(findings.worst(), Severity::kProblem);
  for (const Finding& finding : findings.all()) {
    EXPECT_EQ(finding.text.back(), '.') << finding.name;
    EXPECT_EQ(finding.remedy.empty(), finding.severity == Severity::kOk) << finding.name;
  }
}

// --- logins ---

constexpr char kCommonAuth[] =
    "# comment\n"
    "auth\t[success=1 default=ignore]\tpam_unix.so nullok\n"
    "auth\toptional\tpam_ext4crypt.so\n";
constexpr char kCommonSession[] =
    "session required pam_unix.so\n"
    "session optional pam_ext4crypt.so\n"
    "session optional pam_systemd.so\n";

TEST_F(DoctorTest, PamStackIsFollowedThroughItsIncludes) {
  Write("/etc/pam.d/sshd", "@include common-auth\n@include common-session\n");
  Write("/etc/pam.d/login", "auth include common-auth\n-session substack common-session\n");
  Write("/etc/pam.d/common-auth", kCommonAuth);
  Write("/etc/pam.d/common-session", kCommonSession);
  EXPECT_EQ(Says(CheckPam, "login.pam"), "ok");
  EXPECT_THAT(last_, HasSubstr("(sshd)"));
  EXPECT_THAT(last_, HasSubstr("(login)"));
  EXPECT_EQ(Says(CheckPam, "login.pam-order"), "");
  Write("/etc/pam.d/common-session", "session required pam_unix.so\n");
  EXPECT_EQ(Says(CheckPam, "login.pam"), "warning");
}

TEST_F(DoctorTest, PamModuleAfterSystemdIsTooLate) {
  Write("/etc/pam.d/sshd",
        absl::StrCat(kCommonAuth,
                     "session optional pam_systemd.so\n"
                     "session optional /usr/lib/security/pam_ext4crypt.so timeout=20\n"));
  EXPECT_EQ(Says(CheckPam, "login.pam"), "ok");
  EXPECT_EQ(Says(CheckPam, "login.pam-order"), "warning");
}

TEST_F(DoctorTest, PamFilesThatIncludeThemselvesEnd) {
  Write("/etc/pam.d/sshd", "@include sshd\nauth include sshd\n");
  EXPECT_EQ(Says(CheckPam, "login.pam"), "warning");
}

TEST_F(DoctorTest, PasswdThatLeavesThePassphrase) {
  Write("/etc/pam.d/sshd", absl::StrCat(kCommonAuth, kCommonSession));
  Write("/etc/pam.d/passwd", "@include common-password\n");
  Write("/etc/pam.d/common-password", "password required pam_unix.so\n");
  EXPECT_EQ(Says(CheckPam, "login.passwd"), "warning");
  Write("/etc/pam.d/common-password",
        "password required pam_unix.so\npassword optional pam_ext4crypt.so\n");
  EXPECT_EQ(Says(CheckPam, "login.passwd"), "");
}

TEST_F(DoctorTest, SshdSettingsThatKeepThePassword) {
  EXPECT_EQ(Says(CheckSshd, "login.sshd"), "") << "there is no sshd";
  Write("/etc/ssh/sshd_config", "UsePAM yes\nKbdInteractiveAuthentication no\n");
  EXPECT_EQ(Says(CheckSshd, "login.sshd"), "ok");
  Write("/etc/ssh/sshd_config", "KbdInteractiveAuthentication no\n");
  EXPECT_EQ(Says(CheckSshd, "login.sshd"), "warning");
  EXPECT_THAT(last_, HasSubstr("UsePAM"));
  Write("/etc/ssh/sshd_config", "UsePAM=yes\n");
  EXPECT_EQ(Says(CheckSshd, "login.sshd"), "warning");
  EXPECT_THAT(last_, HasSubstr("KbdInteractive"));
  Write("/etc/ssh/sshd_config",
        "UsePAM yes\nKbdInteractiveAuthentication no\nPasswordAuthentication no\n");
  EXPECT_EQ(Says(CheckSshd, "login.sshd"), "note");
}

TEST_F(DoctorTest, FirstSettingOfSshdCountsAndMatchDoesNot) {
  Write("/etc/ssh/sshd_config.d/50-cloud.conf", "PasswordAuthentication no\n");
  Write("/etc/ssh/sshd_config",
        "Include /etc/ssh/sshd_config.d/*.conf\n"
        "usepam YES\n"
        "PasswordAuthentication yes\n"
        "KbdInteractiveAuthentication no\n"
        "Match User bob\n"
        "UsePAM no\n");
  EXPECT_EQ(Says(CheckSshd, "login.sshd"), "note");
}

// --- volumes ---

TEST_F(DoctorTest, VolumeIsDescribedFromItsSuperblock) {
  EXPECT_EQ(Says(CheckVolumes, "volume.mounted"), "note");
  MountVolume();
  EXPECT_EQ(Says(CheckVolumes, "volume.mounted"), "ok");
  EXPECT_EQ(Says(CheckVolumes, "volume.format"), "ok") << "whoever cannot read the device";
  fs::create_directories(root_ + "/dev");
  ASSERT_EQ(std::system(absl::StrCat("mkfs.ext4 -q -b 4096 -I 512 -O encrypt ", root_,
                                     "/dev/sdb1 8M >/dev/null 2>&1")
                            .c_str()),
            0);
  EXPECT_EQ(Says(CheckVolumes, "volume.format"), "ok");
  EXPECT_THAT(last_, HasSubstr("Blocks of 4096 bytes, inodes of 512"));
  EXPECT_EQ(Says(CheckVolumes, "volume.errors"), "");
  ASSERT_EQ(
      std::system(
          absl::StrCat("debugfs -w -R 'ssv state 2' ", root_, "/dev/sdb1 >/dev/null 2>&1").c_str()),
      0);
  EXPECT_EQ(Says(CheckVolumes, "volume.errors"), "problem");
}

TEST_F(DoctorTest, OptionsOfAVolume) {
  MountVolume("rw,devices");
  EXPECT_EQ(Says(CheckVolumes, "volume.devices"), "warning");
  MountVolume("ro");
  EXPECT_EQ(Says(CheckVolumes, "volume.devices"), "");
  EXPECT_EQ(Says(CheckVolumes, "volume.read-only"), "note");
}

TEST_F(DoctorTest, FailedAuthenticationIsAProblem) {
  MountVolume();
  const std::string failures = "/sys/fs/ext4crypt/sdb1/authentication/failures";
  Write(failures, "0\n");
  EXPECT_EQ(Says(CheckVolumes, "volume.authentication"), "ok");
  Write(failures, "3\n");
  EXPECT_EQ(Says(CheckVolumes, "volume.authentication"), "problem");
  EXPECT_THAT(last_, HasSubstr("failed 3 times"));
}

TEST_F(DoctorTest, VolumeMountedAsPlainExt4) {
  MountVolume("rw", "ext4");
  EXPECT_EQ(Says(CheckVolumes, "volume.type"), "");
  MakeDir("/data/.ext4crypt", 01777);
  EXPECT_EQ(Says(CheckVolumes, "volume.type"), "problem");
}

TEST_F(DoctorTest, LineOfFstab) {
  MountVolume();
  EXPECT_EQ(Says(CheckFstab, "fstab.listed"), "note");
  Write("/etc/fstab", "# /dev/x /data ext4crypt\n/dev/sdb1 /data ext4crypt defaults 0 2\n");
  EXPECT_EQ(Says(CheckFstab, "fstab.nofail"), "warning");
  EXPECT_EQ(Says(CheckFstab, "fstab.listed"), "");
  Write("/etc/fstab", "/dev/sdb1 /data ext4crypt defaults,nofail 0 2\n");
  EXPECT_EQ(Says(CheckFstab, "fstab.before"), "warning");
  Write("/etc/fstab",
        "/dev/sdb1 /data ext4crypt defaults,nofail,x-systemd.before=local-fs.target 0 2\n");
  EXPECT_EQ(Says(CheckFstab, "fstab.nofail"), "ok");
  EXPECT_EQ(Says(CheckFstab, "fstab.mounted"), "");
  MountVolume("rw", "ext4");
  EXPECT_EQ(Says(CheckFstab, "fstab.mounted"), "problem");
}

TEST_F(DoctorTest, PlaceForExports) {
  MountVolume();
  EXPECT_EQ(Says(CheckExportsOnVolumes, "export.place"), "warning");
  MakeDir("/data/.ext4crypt", 0777);
  EXPECT_EQ(Says(CheckExportsOnVolumes, "export.place"), "warning") << "not sticky";
  MakeDir("/data/.ext4crypt", 01777);
  // Root's in a container that runs the tests as root; else the user's own, who is then asked for.
  Machine own(root_, ::geteuid(), kNow);
  own.service = {.enrolled = true, .identifier_hex = kKeyHex};
  *machine_ = own;
  EXPECT_EQ(Says(CheckExportsOnVolumes, "export.place"), "ok");
  EXPECT_EQ(Says(CheckExportsOnVolumes, "export.yours"), "warning");
  const std::string path = absl::StrCat("/data/.ext4crypt/", kKeyHex);
  Write(path, "wrapped");
  const struct timespec times[2] = {{.tv_sec = kNow - 3 * 86400, .tv_nsec = 0},
                                    {.tv_sec = kNow - 3 * 86400, .tv_nsec = 0}};
  ASSERT_EQ(::utimensat(AT_FDCWD, (root_ + path).c_str(), times, 0), 0);
  EXPECT_EQ(Says(CheckExportsOnVolumes, "export.yours"), "ok");
  EXPECT_THAT(last_, HasSubstr("3 days ago"));
}

TEST_F(DoctorTest, PerUserDirectoryWithoutTheStickyBit) {
  MountVolume();
  MakeDir("/data/common", 0777);
  EXPECT_EQ(Says(CheckPerUserDirectories, "directory.per-user"), "");
  machine_->is_per_user = [](const std::string& path) { return path == "/data/common"; };
  EXPECT_EQ(Says(CheckPerUserDirectories, "directory.per-user"), "warning");
  MakeDir("/data/common", 01777);
  EXPECT_EQ(Says(CheckPerUserDirectories, "directory.per-user"), "ok");
}

TEST_F(DoctorTest, UnfinishedEncryptIsFound) {
  MountVolume();
  EXPECT_EQ(Says(CheckUnfinished, "directory.unfinished"), "");
  MakeDir("/data/alice/.ext4crypt-encrypt-77", 0700);
  EXPECT_EQ(Says(CheckUnfinished, "directory.unfinished"), "warning");
}

// --- memory ---

TEST_F(DoctorTest, SwapInPlainTextIsAWarning) {
  constexpr char kHead[] = "Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n";
  Write("/proc/swaps", kHead);
  EXPECT_EQ(Says(CheckSwap, "memory.swap"), "ok");
  Write("/proc/swaps", absl::StrCat(kHead, "/dev/sda2 partition 1000 0 -2\n"));
  EXPECT_EQ(Says(CheckSwap, "memory.swap"), "warning");
  Write("/proc/swaps", absl::StrCat(kHead, "/swapfile file 1000 0 -2\n"));
  EXPECT_EQ(Says(CheckSwap, "memory.swap"), "warning");
  Write("/proc/swaps", absl::StrCat(kHead, "/dev/zram0 partition 1000 0 100\n"));
  EXPECT_EQ(Says(CheckSwap, "memory.swap"), "ok");
}

TEST_F(DoctorTest, SwapThroughDmCryptIsFine) {
  Write("/proc/swaps", "Filename Type\n/dev/dm-1 partition 1000 0 -2\n");
  Write("/sys/class/block/dm-1/dm/uuid", "LVM-abc\n");
  MakeDir("/sys/class/block/dm-1/slaves/dm-0", 0755);
  Write("/sys/class/block/dm-0/dm/uuid", "CRYPT-LUKS2-abc\n");
  EXPECT_EQ(Says(CheckSwap, "memory.swap"), "ok");
  // A volume group on two disks, of which one is not encrypted.
  MakeDir("/sys/class/block/dm-1/slaves/sdc1", 0755);
  EXPECT_EQ(Says(CheckSwap, "memory.swap"), "warning");
}

TEST_F(DoctorTest, HibernationIsAWarning) {
  EXPECT_EQ(Says(CheckHibernation, "memory.hibernation"), "ok");
  Write("/sys/power/state", "freeze mem disk\n");
  Write("/sys/power/resume", "0:0\n");
  EXPECT_EQ(Says(CheckHibernation, "memory.hibernation"), "ok");
  Write("/sys/power/resume", "8:2\n");
  EXPECT_EQ(Says(CheckHibernation, "memory.hibernation"), "warning");
}

TEST_F(DoctorTest, KeyQuotaThatIsNearlyUsedUp) {
  Write("/proc/key-users",
        "    0:    70 69/69 43/1000000 1000/25000000\n 1000:     5 5/5 100/200 900/20000\n");
  EXPECT_EQ(Says(CheckKeyQuota, "memory.key-quota"), "ok");
  Write("/proc/key-users", " 1000:     5 5/5 161/200 900/20000\n");
  EXPECT_EQ(Says(CheckKeyQuota, "memory.key-quota"), "warning");
  EXPECT_THAT(last_, HasSubstr("161 of 200 keys"));
  Write("/proc/key-users", " 1000:     5 5/5 10/200 19900/20000\n");
  EXPECT_EQ(Says(CheckKeyQuota, "memory.key-quota"), "warning");
  EXPECT_THAT(last_, HasSubstr("bytes of keys"));
}

}  // namespace
}  // namespace ext4crypt::doctor
