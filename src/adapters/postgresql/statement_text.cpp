#include "adapters/postgresql/statement_text.hpp"

#include <algorithm>
#include <cctype>

namespace write_aside::postgresql {
namespace {

// A block comment, which may hold others.
std::size_t comment_end(std::string_view sql) {
  int depth = 0;
  for (std::size_t at = 0; at + 1 < sql.size(); ++at) {
    if (sql[at] == '/' && sql[at + 1] == '*') {
      ++depth;
      ++at;
    } else if (sql[at] == '*' && sql[at + 1] == '/') {
      ++at;
      if (--depth == 0) return at + 1;
    }
  }
  return sql.size();
}

// What the server passes over before a statement: space, comments, semicolons.
std::string_view skip_blank(std::string_view sql) {
  while (!sql.empty()) {
    if (sql.starts_with("--")) {
      sql.remove_prefix(std::min(sql.find('\n'), sql.size()));
    } else if (sql.starts_with("/*")) {
      sql.remove_prefix(comment_end(sql));
    } else if (std::string_view("; \t\r\n\f\v").find(sql.front()) != std::string_view::npos) {
      sql.remove_prefix(1);
    } else {
      break;
    }
  }
  return sql;
}

bool is_word_letter(char letter) { return std::isalnum(static_cast<unsigned char>(letter)) != 0 || letter == '_'; }

// The word at the front of `sql`, in upper case; `sql` moves behind it and behind what is blank after it.
std::string take_word(std::string_view& sql) {
  std::string word;
  while (word.size() < sql.size() && is_word_letter(sql[word.size()])) {
    word.push_back(static_cast<char>(std::toupper(static_cast<unsigned char>(sql[word.size()]))));
  }
  sql = skip_blank(sql.substr(word.size()));
  return word;
}

// As a name of a setting, in whatever case and wherever it stands.
bool mentions(std::string_view sql, std::string_view word) {
  const auto same = [](char left, char right) { return std::tolower(static_cast<unsigned char>(left)) == right; };
  return std::search(sql.begin(), sql.end(), word.begin(), word.end(), same) != sql.end();
}

// Why a statement may not run in a unit; none: it may.
const char* refusal(std::string_view sql, std::string& word) {
  word = take_word(sql);
  if (word == "COMMIT" || word == "END") return "call commit() on the unit instead";
  if (word == "ROLLBACK" || word == "ABORT") return "call rollback() or rollback_to_savepoint() on the unit instead";
  if (word == "BEGIN" || word == "START") return "the unit is the transaction already";
  if (word == "SAVEPOINT" || word == "RELEASE") {
    return "call savepoint() and release_savepoint() on the unit instead, which take its events along";
  }
  if (word == "PREPARE" || word == "DEALLOCATE" || word == "EXECUTE") return "the unit prepares what it repeats";
  if (word == "COPY") return "it does not go with a pipeline; use INSERT";
  if (word == "LISTEN" || word == "UNLISTEN") return "it belongs to the connection, not to a unit";
  if (word == "DISCARD" || word == "RESET") return "the setting belongs to the connection, not to a unit";
  if (word == "SET") {
    const std::string next = take_word(sql);
    if (next != "LOCAL" && next != "CONSTRAINTS" && next != "TRANSACTION") {
      return "the setting belongs to the connection, not to a unit; SET LOCAL ends with the unit";
    }
  }
  return nullptr;
}

tl::unexpected<Error> refused(std::string_view name, const std::string& why) {
  return failure({ErrorCode::invalid_argument,
                  Side::caller,
                  Effect::no,
                  false,
                  "statement refused on " + std::string(name) + ": " + why,
                  {}});
}

}  // namespace

Result<void> check_statement_text(std::string_view sql, std::string_view name) {
  // libpq stops reading at a NUL; what follows would be dropped without a word.
  if (sql.find('\0') != std::string_view::npos) return refused(name, "it holds a NUL character");
  const std::string_view start = skip_blank(sql);
  if (start.empty()) return refused(name, "it is empty");
  std::string word;
  if (const char* why = refusal(start, word); why != nullptr) {
    return refused(name, word + " is not for units: " + why);
  }
  // SET LOCAL, or the function set_config.
  if (mentions(start, "synchronous_commit")) {
    return refused(name, "synchronous_commit is not for units: the guarantee rests on it");
  }
  return {};
}

}  // namespace write_aside::postgresql
