// SPDX-License-Identifier: Apache-2.0
// What a verb is. A new one is a file beside this, and a line in kVerbs of verbs.cc.
#pragma once

#include <functional>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "terminal/json.h"
#include "terminal/prompt.h"

namespace CLI {
class App;
}

namespace ext4crypt {

// Options before or after any verb.
struct GlobalOptions {
  std::string socket;
  bool json = false;
};

// What a verb has to say. `text` and `json` say the same, one for people and one for programs;
// both may be there with a failure, as with `lock` when files are busy. With --json exactly one
// object is written; a failure adds a member "error" to it.
struct CommandResult {
  absl::Status status;
  std::string text;
  Json json = Json::Object();
  // With status OK: of a report that found something, as doctor's.
  int exit_code = 0;
  // What must wait until this is written, and needs to know when it could not be.
  std::function<absl::Status(bool written)> after;
};

// What main() runs once the command line is understood.
struct SelectedCommand {
  std::string verb;  // as in messages: "passphrase change"
  std::function<CommandResult()> run;
};

// Adds every verb to `app`. `globals` and `selected` outlive it.
void AddVerbs(CLI::App& app, const GlobalOptions& globals, SelectedCommand& selected);

// What `ext4crypt` alone does. `globals` outlives it.
[[nodiscard]] SelectedCommand StatusAndNextStep(const GlobalOptions& globals);

void AddEnrol(CLI::App& app, const GlobalOptions& globals, SelectedCommand& selected);
void AddUnlock(CLI::App& app, const GlobalOptions& globals, SelectedCommand& selected);
void AddLock(CLI::App& app, const GlobalOptions& globals, SelectedCommand& selected);
void AddDoctor(CLI::App& app, const GlobalOptions& globals, SelectedCommand& selected);
void AddStatus(CLI::App& app, const GlobalOptions& globals, SelectedCommand& selected);
void AddSetPolicy(CLI::App& app, const GlobalOptions& globals, SelectedCommand& selected);
void AddExport(CLI::App& app, const GlobalOptions& globals, SelectedCommand& selected);
void AddKey(CLI::App& app, const GlobalOptions& globals, SelectedCommand& selected);
void AddEncrypt(CLI::App& app, const GlobalOptions& globals, SelectedCommand& selected);
void AddPolicy(CLI::App& app, const GlobalOptions& globals, SelectedCommand& selected);
void AddPassphrase(CLI::App& app, const GlobalOptions& globals, SelectedCommand& selected);
void AddRecovery(CLI::App& app, const GlobalOptions& globals, SelectedCommand& selected);
void AddAdopt(CLI::App& app, const GlobalOptions& globals, SelectedCommand& selected);
void AddProtectors(CLI::App& app, const GlobalOptions& globals, SelectedCommand& selected);

// --passphrase-fd N, for the verbs that read secrets.
void AddPassphraseFd(CLI::App& verb, std::optional<int>& fd);
// --user NAME|UID, for the verbs root may use for others.
void AddUser(CLI::App& verb, std::string& user);
// nullopt for an empty name. kNoSuchUser.
[[nodiscard]] absl::StatusOr<std::optional<unsigned>> ResolveUser(const std::string& user);

// A failure before anything can be reported.
[[nodiscard]] inline CommandResult Failure(absl::Status status) {
  return CommandResult{.status = std::move(status)};
}

// As RETURN_IF_ERROR and ASSIGN_OR_RETURN, in a function that returns CommandResult.
#define FAIL_IF_ERROR(expr)                                   \
  do {                                                        \
    if (absl::Status e4c_status = (expr); !e4c_status.ok()) { \
      return Failure(std::move(e4c_status));                  \
    }                                                         \
  } while (false)
#define ASSIGN_OR_FAIL(lhs, expr) E4C_ASSIGN_OR_FAIL(E4C_CONCAT(e4c_result_, __LINE__), lhs, expr)
#define E4C_ASSIGN_OR_FAIL(result, lhs, expr)                   \
  auto result = (expr);                                         \
  if (!result.ok()) return Failure(std::move(result).status()); \
  lhs = *std::move(result)

}  // namespace ext4crypt
