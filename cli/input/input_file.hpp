// The file or pipe that a command reads.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

#include "write_aside/result.hpp"

namespace write_aside::cli {

// The same file has the same name from every folder: what its progress is stored under, unless the caller names it.
[[nodiscard]] std::string absolute_path(const std::string& path);

class InputFile {
 public:
  // "-" is standard input. Refuses what is missing, unreadable, or a directory.
  [[nodiscard]] static Result<InputFile> open(const std::string& path);
  InputFile(InputFile&& other) noexcept;
  InputFile& operator=(InputFile&& other) noexcept;
  ~InputFile();

  // As in messages.
  [[nodiscard]] const std::string& name() const { return name_; }
  // None for a pipe.
  [[nodiscard]] std::optional<std::uint64_t> size() const { return size_; }
  // Waits for bytes. 0: the input is over, or a signal asked the program to stop.
  [[nodiscard]] Result<std::size_t> read(char* bytes, std::size_t count);

 private:
  InputFile(int descriptor, bool owned, std::string name, std::optional<std::uint64_t> size);

  int descriptor_ = -1;
  bool owned_ = false;
  std::string name_;
  std::optional<std::uint64_t> size_;
};

}  // namespace write_aside::cli
