#include "simulation/parallel.hpp"

#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <new>
#include <thread>
#include <vector>

namespace write_aside::simulation {
namespace {

using Clock = std::chrono::steady_clock;

constexpr unsigned jobs_limit = 256;
constexpr std::uint64_t numbers_at_a_time = 16;
constexpr auto longest_run = std::chrono::seconds(120);
constexpr auto look_again = std::chrono::milliseconds(50);

// Written by one child.
struct Slot {
  std::atomic<std::uint64_t> at;  // the number that is played
  std::atomic<std::uint64_t> runs;
  Counts counts;
  std::uint64_t fingerprint;
  std::array<char, 8192> wrong;
  std::atomic<bool> is_wrong;
};

struct Shared {
  std::atomic<std::uint64_t> next;
  std::atomic<bool> stop;
  std::array<Slot, jobs_limit> slots;
};

// Memory that is the same for all children, zero at first.
class SharedMemory {
 public:
  SharedMemory() {
    void* mapping = ::mmap(nullptr, sizeof(Shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (mapping == MAP_FAILED) throw std::bad_alloc();
    shared_ = new (mapping) Shared{};
  }
  SharedMemory(const SharedMemory&) = delete;
  SharedMemory& operator=(const SharedMemory&) = delete;
  ~SharedMemory() { ::munmap(shared_, sizeof(Shared)); }
  Shared* operator->() const { return shared_; }

 private:
  Shared* shared_;
};

struct Child {
  pid_t pid = 0;
  bool ended = false;
  std::uint64_t seen = 0;
  Clock::time_point since{};
};

void work(const SharedMemory& shared, Slot& slot, std::uint64_t end,
          const std::function<RunReport(std::uint64_t)>& play) {
  while (!shared->stop) {
    const std::uint64_t begin = shared->next.fetch_add(numbers_at_a_time);
    if (begin >= end) return;
    for (std::uint64_t number = begin; number < std::min(end, begin + numbers_at_a_time); ++number) {
      slot.at = number;
      const RunReport report = play(number);
      ++slot.runs;
      slot.counts.add(report.counts);
      slot.fingerprint += report.fingerprint;
      if (report.wrong.empty()) continue;
      std::strncpy(slot.wrong.data(), report.wrong.c_str(), slot.wrong.size() - 1);
      slot.is_wrong = true;
      shared->stop = true;
      return;
    }
  }
}

class Parent {
 public:
  Parent(std::uint64_t first, std::uint64_t count, unsigned jobs, const std::string& name)
      : count_(count), jobs_(std::clamp(jobs, 1u, jobs_limit)), name_(name) {
    shared_->next = first;
  }

  ManyRuns run(std::uint64_t end, const std::function<RunReport(std::uint64_t)>& play) {
    std::fflush(nullptr);
    for (unsigned job = 0; job < jobs_; ++job) {
      const pid_t pid = ::fork();
      if (pid == 0) {
        work(shared_, shared_->slots[job], end, play);
        ::_exit(0);
      }
      if (pid < 0) {
        if (children_.empty()) return {.wrong = "no process could be started"};
        break;
      }
      children_.push_back({.pid = pid, .since = begun_});
    }
    while (look_after_children()) {
      std::this_thread::sleep_for(look_again);
      show_progress();
    }
    return results();
  }

 private:
  // True while one of them runs.
  bool look_after_children() {
    bool running = false;
    for (std::size_t job = 0; job < children_.size(); ++job) {
      Child& child = children_[job];
      if (child.ended) continue;
      int status = 0;
      if (::waitpid(child.pid, &status, WNOHANG) == child.pid) {
        child.ended = true;
        if (WIFSIGNALED(status)) blame(job, "the run crashed with signal " + std::to_string(WTERMSIG(status)));
        if (WIFEXITED(status) && WEXITSTATUS(status) != 0) blame(job, "the run ended its process");
        continue;
      }
      running = true;
      const std::uint64_t runs = shared_->slots[job].runs;
      if (runs != child.seen) child = {.pid = child.pid, .seen = runs, .since = Clock::now()};
      if (Clock::now() - child.since < longest_run) continue;
      ::kill(child.pid, SIGKILL);
      blame(job, "the run does not end");
      child.since = Clock::now();
    }
    return running;
  }

  void blame(std::size_t job, const std::string& what) {
    shared_->stop = true;
    if (!wrong_.empty()) return;
    wrong_ = what;
    wrong_number_ = shared_->slots[job].at;
  }

  void show_progress() {
    if (::isatty(STDERR_FILENO) == 0 || Clock::now() - shown_ < std::chrono::seconds(1)) return;
    shown_ = Clock::now();
    std::uint64_t runs = 0;
    for (unsigned job = 0; job < jobs_; ++job) runs += shared_->slots[job].runs;
    std::fprintf(stderr, "\r%llu of %llu %s ", static_cast<unsigned long long>(runs),
                 static_cast<unsigned long long>(count_), name_.c_str());
  }

  ManyRuns results() {
    if (::isatty(STDERR_FILENO) != 0) std::fprintf(stderr, "\r%*s\r", 60, "");
    ManyRuns result;
    for (unsigned job = 0; job < jobs_; ++job) {
      const Slot& slot = shared_->slots[job];
      result.runs += slot.runs;
      result.counts.add(slot.counts);
      result.fingerprint += slot.fingerprint;
      if (slot.is_wrong && (wrong_.empty() || slot.at < wrong_number_)) {
        wrong_ = slot.wrong.data();
        wrong_number_ = slot.at;
      }
    }
    result.wrong = wrong_;
    result.wrong_number = wrong_number_;
    result.seconds = std::chrono::duration<double>(Clock::now() - begun_).count();
    return result;
  }

  SharedMemory shared_;
  std::uint64_t count_;
  unsigned jobs_;
  std::string name_;
  Clock::time_point begun_ = Clock::now();
  Clock::time_point shown_{};
  std::vector<Child> children_;
  std::string wrong_;
  std::uint64_t wrong_number_ = 0;
};

}  // namespace

ManyRuns play_many(std::uint64_t first, std::uint64_t count, unsigned jobs, const std::string& name,
                   const std::function<RunReport(std::uint64_t)>& play) {
  return Parent(first, count, jobs, name).run(first + count, play);
}

}  // namespace write_aside::simulation
