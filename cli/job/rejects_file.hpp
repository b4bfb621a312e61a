// Where `--on-error skip` writes what it left out: a JSON object a line.
#pragma once

#include <cstdio>
#include <memory>
#include <string>

#include "job/planned_unit.hpp"
#include "write_aside/result.hpp"

namespace write_aside::cli {

class RejectsFile {
 public:
  // Adds to the file; none is written with an empty path.
  [[nodiscard]] static Result<RejectsFile> open(const std::string& path);

  // On return the line is in the file: it is written before the progress that passes over the unit is committed, so that
  // no rejection is lost. A run that is killed in between writes it a second time.
  [[nodiscard]] Result<void> add(const PlannedUnit& unit);

 private:
  struct Close {
    void operator()(std::FILE* file) const { std::fclose(file); }
  };
  std::string path_;
  std::unique_ptr<std::FILE, Close> file_;
};

}  // namespace write_aside::cli
