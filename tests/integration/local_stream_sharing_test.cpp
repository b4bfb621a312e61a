// Goal: several processes and threads write and read one stream at once, and a process that dies takes nothing down
// with it but its open transaction.
//
// Method: children are forked before the parent opens the file, and tell their progress through a pipe, so that the
// parent waits on what happened and not on time.
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <csignal>
#include <cstdlib>
#include <map>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "integration/local_stream_fixture.hpp"

namespace write_aside::local_stream_test {
namespace {

using LocalStreamSharing = LocalStreamFixture;

// A forked process that runs `body` and exits 0 if it returned true.
class Child {
 public:
  template <class Body>
  explicit Child(Body body) {
    std::array<int, 2> ends{};
    if (::pipe(ends.data()) != 0) return;
    pid_ = ::fork();
    if (pid_ == 0) {
      ::close(ends[0]);
      const bool good = body([&] { return ::write(ends[1], "x", 1) == 1; });
      std::_Exit(good ? 0 : 1);
    }
    ::close(ends[1]);
    progress_ = ends[0];
  }
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;
  ~Child() {
    if (pid_ > 0) end(SIGKILL);
    ::close(progress_);
  }
  // Waits for the next word of the child; false if it ended without one.
  bool hears() const {
    char byte = 0;
    return ::read(progress_, &byte, 1) == 1;
  }
  // Its exit status, or minus the signal that ended it.
  int end(int signal = 0) {
    if (signal != 0) ::kill(pid_, signal);
    int status = 0;
    ::waitpid(pid_, &status, 0);
    pid_ = 0;
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
  }

 private:
  pid_t pid_ = 0;
  int progress_ = -1;
};

constexpr int transactions = 60;

// Commits every second transaction, all but those of "a" and "c" held back; values name the writer, the transaction and the place in it.
bool write_transactions(ports::EventStream& stream, const std::string& writer) {
  auto producer = stream.transactional_producer(writer, 60s, silent);
  if (!producer || !(*producer)->initialise(soon())) return false;
  if (writer != "a" && writer != "c") (*producer)->hold_back();
  for (int number = 0; number < transactions; ++number) {
    if (!(*producer)->begin()) return false;
    for (const char* place : {"/first", "/second"}) {
      const std::string value = writer + "/" + std::to_string(number) + place;
      if (!stage(**producer, {record(0, value)})) return false;
    }
    const auto ending = number % 2 == 0 ? ports::Ending::commit : ports::Ending::abort;
    if (!(*producer)->end(ending, soon()).clean) return false;
  }
  return true;
}

// Every committed transaction of every writer once, whole and in order; nothing of an aborted one.
void expect_all(const Values& values, const std::set<std::string>& writers) {
  std::map<std::string, Values> of_writer;
  for (const std::string& value : values) of_writer[value.substr(0, value.find('/'))].push_back(value);
  EXPECT_EQ(of_writer.size(), writers.size());
  for (const std::string& writer : writers) {
    Values expected;
    for (int number = 0; number < transactions; number += 2) {
      for (const char* place : {"/first", "/second"}) expected.push_back(writer + "/" + std::to_string(number) + place);
    }
    EXPECT_EQ(of_writer[writer], expected) << writer;
  }
}

TEST_F(LocalStreamSharing, LetsTwoProcessesWriteAtOnce) {
  make_stream().reset();
  const auto body = [this](const std::string& writer) {
    return [this, writer](const auto&) {
      const auto stream = local_stream::open(path_);
      return stream && write_transactions(**stream, writer);
    };
  };
  Child first(body("a"));
  Child second(body("b"));
  EXPECT_EQ(first.end(), 0);
  EXPECT_EQ(second.end(), 0);
  const StreamPointer stream = open_stream(path_);
  expect_all(committed(*stream, 0), {"a", "b"});
}

TEST_F(LocalStreamSharing, LetsProcessesMakeTheSameFileAtOnce) {
  for (int round = 0; round < 20; ++round) {
    const std::string path = path_ + std::to_string(round);
    const auto body = [path](const auto&) {
      const auto stream = local_stream::open(path);
      return stream && (*stream)->create_topic({"orders", 2, false}, soon()).has_value();
    };
    Child first(body);
    Child second(body);
    Child third(body);
    Child fourth(body);
    for (Child* child : {&first, &second, &third, &fourth}) EXPECT_EQ(child->end(), 0);
    EXPECT_EQ(open_stream(path)->topics().value().size(), 1u);
  }
}

TEST_F(LocalStreamSharing, LetsManyThreadsShareOneStream) {
  const StreamPointer stream = make_stream();
  const std::set<std::string> writers = {"a", "b", "c", "d"};
  std::vector<std::thread> threads;
  std::atomic<int> failed = 0;
  for (const std::string& writer : writers) {
    threads.emplace_back([&stream, &failed, writer] { failed += write_transactions(*stream, writer) ? 0 : 1; });
  }
  auto reader = stream->reader({{"orders", 0, 0}}, ports::Isolation::read_committed).value();
  Values seen;
  const std::size_t all = writers.size() * static_cast<std::size_t>(transactions);
  while (seen.size() < all) {
    const auto records = reader->poll(100, soon());
    ASSERT_TRUE(records && !records->empty());
    for (const auto& one : *records) seen.push_back(*one.value);
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(failed, 0);
  expect_all(seen, writers);
}

TEST_F(LocalStreamSharing, LetsManyThreadsShareThePlainProducer) {
  const StreamPointer stream = make_stream();
  const auto producer = stream->producer(silent).value();
  std::vector<std::thread> threads;
  std::atomic<int> failed = 0;
  for (int writer = 0; writer < 4; ++writer) {
    threads.emplace_back([&] {
      for (int number = 0; number < 10; ++number) {
        const std::vector<ports::RecordView> records = {record(0, "x"), record(0, "y")};
        failed += producer->produce(records, 1) ? 0 : 1;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(failed, 0);
  const Values values = committed(*stream, 0);
  ASSERT_EQ(values.size(), 80u);
  for (std::size_t index = 0; index < values.size(); ++index) EXPECT_EQ(values[index], index % 2 == 0 ? "x" : "y");
}

TEST_F(LocalStreamSharing, WakesAReaderOfAnotherProcess) {
  make_stream().reset();
  Child child([this](const auto& tell) {
    const auto stream = local_stream::open(path_);
    if (!stream) return false;
    auto reader = (*stream)->reader({{"orders", 0, 0}}, ports::Isolation::read_committed);
    if (!reader || !tell()) return false;
    const auto start = std::chrono::steady_clock::now();
    const auto records = (*reader)->poll(1, start + 60s);
    return records && records->size() == 1 && std::chrono::steady_clock::now() - start < 20s;
  });
  ASSERT_TRUE(child.hears());
  const StreamPointer stream = open_stream(path_);
  EXPECT_TRUE(commit(*initialised(*stream, "a"), {record(0, "x")}));
  EXPECT_EQ(child.end(), 0);
}

TEST_F(LocalStreamSharing, AbortsWhatAKilledProcessLeftOpen) {
  make_stream().reset();
  Child child([this](const auto& tell) {
    const auto stream = local_stream::open(path_);
    if (!stream) return false;
    const ProducerPointer producer = initialised(**stream, "a");
    if (!commit(*producer, {record(0, "committed")})) return false;
    if (!producer->begin() || !stage(*producer, {record(0, "open"), record(1, "open")})) return false;
    tell();
    ::pause();
    return false;
  });
  ASSERT_TRUE(child.hears());
  EXPECT_EQ(child.end(SIGKILL), -SIGKILL);
  const StreamPointer stream = open_stream(path_);
  EXPECT_EQ(committed(*stream, 0), (Values{"committed"}));
  EXPECT_EQ(count_records(path_), "3");
  const ProducerPointer producer = initialised(*stream, "a");
  EXPECT_EQ(count_records(path_), "1");
  EXPECT_TRUE(commit(*producer, {record(0, "goes on")}));
  EXPECT_EQ(committed(*stream, 0), (Values{"committed", "goes on"}));
}

TEST_F(LocalStreamSharing, LeavesNothingOfWhatAKilledProcessHeldBack) {
  make_stream().reset();
  Child child([this](const auto& tell) {
    const auto stream = local_stream::open(path_);
    if (!stream) return false;
    const ProducerPointer producer = holding_back(**stream, "a");
    if (!commit(*producer, {record(0, "committed")})) return false;
    if (!producer->begin() || !stage(*producer, {record(0, "open"), record(1, "open")})) return false;
    tell();
    ::pause();
    return false;
  });
  ASSERT_TRUE(child.hears());
  const StreamPointer stream = open_stream(path_);
  EXPECT_EQ(count_records(path_), "1");
  EXPECT_TRUE(commit(*initialised(*stream, "b"), {record(0, "does not wait")}));
  EXPECT_EQ(child.end(SIGKILL), -SIGKILL);
  EXPECT_EQ(committed(*stream, 0), (Values{"committed", "does not wait"}));
}

TEST_F(LocalStreamSharing, SurvivesAKillAtAnyMoment) {
  make_stream().reset();
  for (int round = 0; round < 8; ++round) {
    Child child([this, round](const auto& tell) {
      const auto stream = local_stream::open(path_);
      if (!stream) return false;
      const ProducerPointer producer = initialised(**stream, "a");
      if (round % 2 == 1) producer->hold_back();
      for (int number = 0;; ++number) {
        const std::string value = std::to_string(round) + "." + std::to_string(number);
        if (!commit(*producer, {record(0, value), record(1, value)})) return false;
        tell();
      }
    });
    for (int heard = 0; heard <= round; ++heard) ASSERT_TRUE(child.hears());
    EXPECT_EQ(child.end(SIGKILL), -SIGKILL);
    const StreamPointer stream = open_stream(path_);
    const ProducerPointer newer = initialised(*stream, "a");
    const Values values = committed(*stream, 0);
    EXPECT_EQ(values, committed(*stream, 1));
    // What the child reported is there.
    const std::string reported = std::to_string(round) + "." + std::to_string(round);
    EXPECT_NE(std::find(values.begin(), values.end(), reported), values.end()) << reported;
  }
  EXPECT_EQ(raw_query(path_, "PRAGMA integrity_check"), (Values{"ok"}));
}

TEST_F(LocalStreamSharing, NeverWaitsWhenItMayNotWait) {
  local_stream::Options options;
  options.busy_timeout = 0ms;
  const StreamPointer stream = make_stream(options);
  const ProducerPointer producer = initialised(*stream, "a");
  ASSERT_TRUE(producer->begin());
  sqlite3* raw = nullptr;
  sqlite3_open(path_.c_str(), &raw);
  const std::unique_ptr<sqlite3, CloseHandle> other(raw);
  ASSERT_EQ(sqlite3_exec(raw, "BEGIN IMMEDIATE", nullptr, nullptr, nullptr), SQLITE_OK);
  const auto staged = stage(*producer, {record(0, "x")});
  ASSERT_FALSE(staged.has_value());
  EXPECT_EQ(staged.error().code, ErrorCode::busy);
  EXPECT_TRUE(staged.error().retriable);
  EXPECT_EQ(staged.error().effect, Effect::no);
  auto reader = stream->reader({{"orders", 0, 0}}, ports::Isolation::read_committed).value();
  EXPECT_TRUE(reader->poll(1, ports::Deadline::max()).value().empty());
  ASSERT_EQ(sqlite3_exec(raw, "COMMIT", nullptr, nullptr, nullptr), SQLITE_OK);
  EXPECT_TRUE(stage(*producer, {record(0, "x")}));
}

TEST_F(LocalStreamSharing, AbortsATimedOutTransactionAlsoWhenItMayNotWait) {
  local_stream::Options options;
  options.busy_timeout = 0ms;
  const StreamPointer stream = make_stream(options);
  const auto slow = stream->transactional_producer("slow", -1ms, silent).value();  // over as soon as it begins
  ASSERT_TRUE(slow->initialise(soon()) && slow->begin() && stage(*slow, {record(0, "slow")}));
  auto reader = stream->reader({{"orders", 0, 0}}, ports::Isolation::read_committed).value();
  EXPECT_TRUE(reader->poll(1, ports::Deadline::max()).value().empty());
  EXPECT_EQ(reader->position("orders", 0).value(), 1);
  EXPECT_EQ(slow->end(ports::Ending::commit, soon()).error->code, ErrorCode::fenced);
}

TEST_F(LocalStreamSharing, EndsAtItsDeadlineWhileAnotherProcessHoldsTheFile) {
  const StreamPointer stream = make_stream();
  const ProducerPointer producer = initialised(*stream, "a");
  ASSERT_TRUE(producer->begin() && stage(*producer, {record(0, "x")}));
  sqlite3* raw = nullptr;
  sqlite3_open(path_.c_str(), &raw);
  const std::unique_ptr<sqlite3, CloseHandle> other(raw);
  ASSERT_EQ(sqlite3_exec(raw, "BEGIN IMMEDIATE", nullptr, nullptr, nullptr), SQLITE_OK);
  const auto start = std::chrono::steady_clock::now();
  const ports::EndReport report = producer->end(ports::Ending::commit, start + 50ms);
  EXPECT_LT(std::chrono::steady_clock::now() - start, 5s);
  EXPECT_FALSE(report.clean);
  ASSERT_TRUE(report.error.has_value());
  EXPECT_EQ(report.error->code, ErrorCode::busy);
}

}  // namespace
}  // namespace write_aside::local_stream_test
