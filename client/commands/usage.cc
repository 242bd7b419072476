// SPDX-License-Identifier: Apache-2.0
#include "client/commands/usage.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <array>
#include <numeric>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/string_view.h"
#include "common/printable.h"

namespace ext4crypt {
namespace {

// Where the words of a command line lead.
struct Position {
  const CLI::App* verb = nullptr;
  std::string path;   // "ext4crypt key"
  std::string wrong;  // the word that is none of its verbs; empty: there was none
  size_t at = 0;      // of that word
};

const CLI::App* FindVerb(const CLI::App& app, const std::string& word) {
  for (const CLI::App* verb : app.get_subcommands([](const CLI::App*) { return true; })) {
    if (verb->check_name(word)) return verb;
  }
  return nullptr;
}

std::vector<std::string> VerbNames(const CLI::App& app) {
  std::vector<std::string> names;
  for (const CLI::App* verb : app.get_subcommands([](const CLI::App*) { return true; })) {
    names.push_back(verb->get_name());
  }
  return names;
}

bool TakesNextWord(const CLI::App* verb, const std::string& option) {
  if (option.find('=') != std::string::npos) return false;
  for (; verb != nullptr; verb = verb->get_parent()) {
    const CLI::Option* found = verb->get_option_no_throw(option);
    if (found != nullptr) return found->get_items_expected() > 0;
  }
  return false;
}

Position Follow(const CLI::App& app, const std::vector<std::string>& arguments) {
  Position position{.verb = &app, .path = app.get_name()};
  for (size_t i = 0; i < arguments.size(); ++i) {
    const std::string& word = arguments[i];
    if (!word.empty() && word[0] == '-') {
      if (TakesNextWord(position.verb, word)) ++i;
      continue;
    }
    const CLI::App* next = FindVerb(*position.verb, word);
    if (next == nullptr) {
      if (!VerbNames(*position.verb).empty()) position.wrong = word;
      position.at = i;
      break;
    }
    position.verb = next;
    absl::StrAppend(&position.path, " ", word);
  }
  return position;
}

// How many letters have to be put in, taken away or exchanged.
size_t Distance(absl::string_view a, absl::string_view b) {
  std::vector<size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), 0);
  for (size_t i = 1; i <= a.size(); ++i) {
    size_t diagonal = row[0];
    row[0] = i;
    for (size_t j = 1; j <= b.size(); ++j) {
      const size_t exchanged = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
      diagonal = row[j];
      row[j] = std::min({row[j] + 1, row[j - 1] + 1, exchanged});
    }
  }
  return row[b.size()];
}

struct Synonym {
  const char* word;
  const char* verb;
};
constexpr std::array kSynonyms = {
    Synonym{"enroll", "enrol"},      Synonym{"init", "enrol"},
    Synonym{"setup", "enrol"},       Synonym{"ls", "list"},
    Synonym{"show", "list"},         Synonym{"rm", "remove"},
    Synonym{"delete", "remove"},     Synonym{"del", "remove"},
    Synonym{"add", "create"},        Synonym{"new", "create"},
    Synonym{"make", "create"},       Synonym{"open", "unlock"},
    Synonym{"close", "lock"},        Synonym{"info", "status"},
    Synonym{"show", "status"},       Synonym{"keys", "key"},
    Synonym{"passwd", "passphrase"}, Synonym{"password", "passphrase"},
    Synonym{"backup", "export"},     Synonym{"restore", "import"},
    Synonym{"decrypt", "unlock"},    Synonym{"set-policy", "setpolicy"},
};

// The verb of `app` that `word` was probably meant to be; empty when none is near.
std::string Nearest(const CLI::App& app, const std::string& word) {
  const std::vector<std::string> names = VerbNames(app);
  const auto is_verb = [&](absl::string_view name) {
    return std::find(names.begin(), names.end(), name) != names.end();
  };
  for (const Synonym& synonym : kSynonyms) {
    if (word == synonym.word && is_verb(synonym.verb)) return synonym.verb;
  }
  std::string nearest;
  size_t best = std::max<size_t>(word.size() / 3, 1) + 1;
  for (const std::string& name : names) {
    const size_t distance = Distance(word, name);
    if (distance < best) {
      best = distance;
      nearest = name;
    }
  }
  return nearest;
}

}  // namespace

std::vector<std::string> ReadArguments(const CLI::App& app, int argc, char** argv) {
  std::vector<std::string> arguments(argv + std::min(argc, 1), argv + argc);
  const Position position = Follow(app, arguments);
  if (position.wrong == "help") {
    arguments.erase(arguments.begin() + static_cast<std::ptrdiff_t>(position.at));
    arguments.emplace_back("--help");
  }
  return arguments;
}

std::string ExplainUsage(const CLI::App& app, const std::vector<std::string>& arguments,
                         const std::string& what) {
  const Position position = Follow(app, arguments);
  const std::string verbs = absl::StrJoin(VerbNames(*position.verb), ", ");
  std::string line = absl::StrCat(position.path, ": ");
  if (!position.wrong.empty()) {
    const std::string meant = Nearest(*position.verb, position.wrong);
    absl::StrAppend(&line, "there is no '", Printable(position.wrong), "'; ",
                    meant.empty() ? absl::StrCat("there are ", verbs)
                                  : absl::StrCat("did you mean: ", position.path, " ", meant));
  } else if (!verbs.empty() && position.verb != &app) {
    absl::StrAppend(&line, "say what to do: ", verbs);
  } else {
    absl::StrAppend(&line, Printable(what));
  }
  absl::StrAppend(&line, ". See: ", position.path, " --help");
  return line;
}

std::string FindEmptyArgument(const CLI::App& app) {
  for (const CLI::Option* option : app.get_options()) {
    for (const std::string& value : option->results()) {
      if (value.empty()) return absl::StrCat(option->get_name(), " is empty");
    }
  }
  for (const CLI::App* verb : app.get_subcommands()) {
    if (std::string empty = FindEmptyArgument(*verb); !empty.empty()) return empty;
  }
  return "";
}

}  // namespace ext4crypt
