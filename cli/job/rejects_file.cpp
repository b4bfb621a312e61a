#include "job/rejects_file.hpp"

#include <fmt/format.h>

#include <cerrno>
#include <nlohmann/json.hpp>
#include <system_error>

#include "exit_status.hpp"

namespace write_aside::cli {

Result<RejectsFile> RejectsFile::open(const std::string& path) {
  RejectsFile rejects;
  if (path.empty()) return rejects;
  rejects.path_ = path;
  rejects.file_.reset(std::fopen(path.c_str(), "ae"));
  if (rejects.file_) return rejects;
  return failure(
      usage_error(fmt::format("cannot open the rejects file {}: {}", path, std::generic_category().message(errno))));
}

Result<void> RejectsFile::add(const PlannedUnit& unit) {
  if (!file_) return {};
  const Refusal& refusal = *unit.refusal;
  nlohmann::ordered_json object;
  object["line"] = unit.line;
  object["column"] = place_of(unit, refusal.at).column;
  object["error"] = refusal.message;
  object["input"] = unit.text;
  // Input that is not UTF-8 is shown with replacement characters.
  const std::string text = object.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace) + "\n";
  const bool written = std::fwrite(text.data(), 1, text.size(), file_.get()) == text.size();
  if (written && std::fflush(file_.get()) == 0) return {};
  return failure(
      Error{ErrorCode::io,
            Side::caller,
            Effect::no,
            false,
            fmt::format("cannot write the rejects file {}: {}", path_, std::generic_category().message(errno)),
            {}});
}

}  // namespace write_aside::cli
