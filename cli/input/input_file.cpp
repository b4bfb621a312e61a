#include "input/input_file.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdlib>
#include <memory>
#include <system_error>
#include <utility>

#include "exit_status.hpp"
#include "interruption.hpp"

namespace write_aside::cli {
namespace {

std::string reason(int error) { return std::generic_category().message(error); }

}  // namespace

std::string absolute_path(const std::string& path) {
  const std::unique_ptr<char, void (*)(void*)> resolved(realpath(path.c_str(), nullptr), std::free);
  return resolved ? resolved.get() : path;
}

InputFile::InputFile(int descriptor, bool owned, std::string name, std::optional<std::uint64_t> size)
    : descriptor_(descriptor), owned_(owned), name_(std::move(name)), size_(size) {}

InputFile::InputFile(InputFile&& other) noexcept
    : descriptor_(std::exchange(other.descriptor_, -1)),
      owned_(std::exchange(other.owned_, false)),
      name_(std::move(other.name_)),
      size_(other.size_) {}

InputFile& InputFile::operator=(InputFile&& other) noexcept {
  std::swap(descriptor_, other.descriptor_);
  std::swap(owned_, other.owned_);
  std::swap(name_, other.name_);
  std::swap(size_, other.size_);
  return *this;
}

InputFile::~InputFile() {
  if (owned_) close(descriptor_);
}

Result<InputFile> InputFile::open(const std::string& path) {
  const bool standard_input = path == "-";
  const int descriptor = standard_input ? STDIN_FILENO : ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (descriptor < 0) return failure(usage_error(fmt::format("cannot open {}: {}", path, reason(errno))));
  InputFile file(descriptor, !standard_input, standard_input ? "standard input" : path, std::nullopt);
  struct stat status {};
  if (fstat(descriptor, &status) != 0) {
    return failure(usage_error(fmt::format("cannot read {}: {}", file.name_, reason(errno))));
  }
  if (S_ISDIR(status.st_mode)) {
    return failure(usage_error(fmt::format("{} is a directory; name a file, or - for standard input", file.name_)));
  }
  if (S_ISREG(status.st_mode)) {
    // A redirected standard input may have been read in part already.
    const off_t begin = lseek(descriptor, 0, SEEK_CUR);
    file.size_ = static_cast<std::uint64_t>(status.st_size - (begin > 0 ? begin : 0));
  }
  return file;
}

Result<std::size_t> InputFile::read(char* bytes, std::size_t count) {
  for (;;) {
    if (interruption::requested()) return 0;
    // A pipe may stay silent for long; the signal must not wait for it.
    if (!size_) {
      std::array<pollfd, 2> ready{{{descriptor_, POLLIN, 0}, {interruption::descriptor(), POLLIN, 0}}};
      if (poll(ready.data(), ready.size(), -1) < 0 || ready[1].revents != 0) continue;
    }
    const ssize_t got = ::read(descriptor_, bytes, count);
    if (got >= 0) return static_cast<std::size_t>(got);
    if (errno == EINTR) continue;
    return failure(Error{
        ErrorCode::io, Side::caller, Effect::no, false, fmt::format("cannot read {}: {}", name_, reason(errno)), {}});
  }
}

}  // namespace write_aside::cli
