#include "core/process_identity.hpp"

#include <signal.h>
#include <sys/types.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <fstream>
#include <iterator>
#include <limits>
#include <string>
#include <system_error>

namespace write_aside {
namespace {

// A file of /proc or /etc, up to `bytes_max` bytes of it. None: it cannot be read.
std::optional<std::string> read_small_file(const std::string& path) {
  constexpr std::size_t bytes_max = 4096;
  std::ifstream file(path, std::ios::binary);
  if (!file) return std::nullopt;
  std::string text(bytes_max, '\0');
  file.read(text.data(), static_cast<std::streamsize>(text.size()));
  if (file.bad()) return std::nullopt;
  text.resize(static_cast<std::size_t>(file.gcount()));
  return text;
}

std::string first_line(const std::string& path) {
  std::string text = read_small_file(path).value_or("");
  text.resize(std::min(text.find('\n'), text.size()));
  return text;
}

std::optional<std::uint64_t> parse_number(std::string_view text) {
  std::uint64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return number;
}

// The part behind the last slash; `text` keeps the part before it.
std::optional<std::string_view> take_last(std::string_view& text) {
  const std::size_t slash = text.rfind('/');
  if (slash == std::string_view::npos) return std::nullopt;
  const std::string_view last = text.substr(slash + 1);
  text = text.substr(0, slash);
  return last;
}

// "pid:[4026531836]" as its number. Two containers on one machine may share the host's name but not its pids.
std::string pid_namespace() {
  std::array<char, 64> target{};
  const ssize_t length = ::readlink("/proc/self/ns/pid", target.data(), target.size());
  if (length <= 0) return {};
  const std::string_view text(target.data(), static_cast<std::size_t>(length));
  const std::size_t from = text.find('[');
  const std::size_t upto = text.find(']');
  if (from == std::string_view::npos || upto == std::string_view::npos || upto < from) return {};
  return std::string(text.substr(from + 1, upto - from - 1));
}

// A name alone does not make a machine, many are called "localhost"; so the machine id goes with it. Without either
// of hostname and pid namespace nothing is claimed.
std::string host_text() {
  std::array<char, 256> name{};
  if (::gethostname(name.data(), name.size() - 1) != 0) return {};
  const std::string space = pid_namespace();
  if (space.empty()) return {};
  return std::string(name.data()) + ':' + first_line("/etc/machine-id") + ':' + space;
}

std::optional<core::ProcessStat> stat_of(const std::string& process) {
  const auto text = read_small_file("/proc/" + process + "/stat");
  return text ? core::parse_process_stat(*text) : std::nullopt;
}

}  // namespace

namespace ports {

std::string to_string(const ProcessIdentity& identity) {
  return identity.host + '/' + identity.boot + '/' + std::to_string(identity.pid) + '/' +
         std::to_string(identity.start_time);
}

std::optional<ProcessIdentity> parse_process_identity(std::string_view text) {
  // From the end: only the host, in front, may hold a slash.
  const auto start_time = take_last(text);
  const auto pid = take_last(text);
  const auto boot = take_last(text);
  if (!start_time || !pid || !boot) return std::nullopt;
  const auto start_time_number = parse_number(*start_time);
  const auto pid_number = parse_number(*pid);
  if (!start_time_number || !pid_number) return std::nullopt;
  return ProcessIdentity{std::string(text), std::string(*boot), *pid_number, *start_time_number};
}

}  // namespace ports

namespace core {

std::optional<ProcessStat> parse_process_stat(std::string_view text) {
  const std::size_t name_end = text.rfind(')');
  if (name_end == std::string_view::npos) return std::nullopt;
  text.remove_prefix(name_end + 1);
  constexpr int state_field = 3;
  constexpr int threads_field = 20;
  constexpr int start_time_field = 22;
  ProcessStat stat;
  for (int field = state_field; field <= start_time_field; ++field) {
    const std::size_t from = text.find_first_not_of(' ');
    if (from == std::string_view::npos) return std::nullopt;
    text.remove_prefix(from);
    const std::string_view word = text.substr(0, text.find_first_of(" \n"));
    text.remove_prefix(word.size());
    if (field == state_field) {
      if (word.size() != 1) return std::nullopt;
      stat.state = word.front();
    } else if (field == threads_field || field == start_time_field) {
      const auto number = parse_number(word);
      if (!number) return std::nullopt;
      (field == threads_field ? stat.threads : stat.start_time) = *number;
    }
  }
  return stat;
}

ports::ProcessIdentity this_process() {
  ports::ProcessIdentity identity;
  identity.host = host_text();
  identity.boot = first_line("/proc/sys/kernel/random/boot_id");
  identity.pid = static_cast<std::uint64_t>(::getpid());
  if (const auto stat = stat_of("self")) identity.start_time = stat->start_time;
  return identity;
}

bool is_proven_dead(const ports::ProcessIdentity& identity) {
  const ports::ProcessIdentity self = this_process();
  if (self.host.empty() || self.boot.empty() || identity.boot.empty()) return false;
  if (identity.host != self.host) return false;
  if (identity.boot != self.boot) return true;
  // kill() takes 0 and negative numbers for groups of processes.
  if (identity.pid == 0 || identity.pid > std::numeric_limits<pid_t>::max()) return false;
  const auto pid = static_cast<pid_t>(identity.pid);
  // Asked with kill(), since /proc may be mounted so that it hides the processes of other users.
  if (::kill(pid, 0) != 0 && errno == ESRCH) return true;
  const auto stat = stat_of(std::to_string(pid));
  if (!stat) return false;
  if (identity.start_time != 0 && stat->start_time != identity.start_time) return true;
  // A process whose first thread has ended shows as a zombie too, while its other threads work on.
  const bool ended = stat->state == 'Z' || stat->state == 'X';
  return ended && stat->threads <= 1;
}

}  // namespace core
}  // namespace write_aside
