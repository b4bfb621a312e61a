// Runs the real program in a folder of its own, with a database and a stream in it.
#pragma once

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

namespace write_aside::integration {

struct Finished {
  int status = -1;  // 128 + the signal that ended it
  std::string out;
  std::string err;
};

class ProgramTest : public testing::Test {
 protected:
  using Arguments = std::vector<std::string>;

  ProgramTest() {
    std::string pattern = testing::TempDir() + "write-aside-XXXXXX";
    folder_ = mkdtemp(pattern.data());
  }
  ~ProgramTest() override {
    for (const pid_t child : children_) {
      kill(child, SIGKILL);
      waitpid(child, nullptr, 0);
    }
    std::filesystem::remove_all(folder_);
  }

  [[nodiscard]] std::string path(const std::string& name) const { return folder_ / name; }
  void write_file(const std::string& name, const std::string& content) const {
    std::ofstream(path(name), std::ios::binary) << content;
  }
  [[nodiscard]] std::string read_file(const std::string& name) const {
    std::ostringstream content;
    content << std::ifstream(path(name), std::ios::binary).rdbuf();
    return content.str();
  }

  // Begins the program; its standard input is the file or pipe `input`, its output goes to LABEL.out or to `output`.
  pid_t start(const Arguments& arguments, int input, const std::string& label = "run", int output = -1) {
    const pid_t child = fork();
    if (child == 0) execute(arguments, input, label, output);
    children_.push_back(child);
    return child;
  }

  Finished finish(pid_t child, const std::string& label = "run") {
    int status = 0;
    waitpid(child, &status, 0);
    std::erase(children_, child);
    return {WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status), read_file(label + ".out"),
            read_file(label + ".err")};
  }

  Finished run(const Arguments& arguments, const std::string& input = "") {
    write_file("run.in", input);
    const int descriptor = open(path("run.in").c_str(), O_RDONLY | O_CLOEXEC);
    const pid_t child = start(arguments, descriptor);
    close(descriptor);
    return finish(child);
  }

  // The tables of the tests, and the topic `orders`.
  void initialise() {
    ASSERT_EQ(
        std::system(("sqlite3 " + path("shop.db") +
                     " 'create table orders (id integer primary key, state text not null check (length(state) < 9))'")
                        .c_str()),
        0);
    const Finished made = run({"init", "--topic", "orders:2"});
    ASSERT_EQ(made.status, 0) << made.err;
  }

  [[nodiscard]] std::string query(const std::string& file, const std::string& sql) const {
    const std::string command =
        "sqlite3 -cmd '.timeout 10000' " + path(file) + " \"" + sql + "\" > " + path("query.out");
    if (std::system(command.c_str()) != 0) return "query failed";
    std::string result = read_file("query.out");
    while (result.ends_with('\n')) result.pop_back();
    return result;
  }
  [[nodiscard]] std::string rows() const { return query("shop.db", "select count(*) from orders"); }
  [[nodiscard]] std::string events() const {
    return query("shop.events", "select count(*) from committed_records where topic = 'orders'");
  }

  // As if it were lost. `init` makes a new one.
  void remove_stream() const {
    for (const std::string suffix : {"", "-wal", "-shm"}) std::filesystem::remove(path("shop.events" + suffix));
  }

  // A unit that inserts the row and publishes one event about it.
  [[nodiscard]] static std::string unit(int id, const std::string& state = "new") {
    const std::string text = std::to_string(id);
    return R"x({"statements":[{"sql":"insert into orders values (?1, ?2)","params":[)x" + text + ",\"" + state +
           R"("]}],)" + R"("events":[{"topic":"orders","key":")" + text + R"(","type":"created","value":{"id":)" +
           text + "}}]}\n";
  }

  // Does it hold letters that a terminal would obey?
  static bool commands_terminal(const std::string& text) {
    return text.find_first_of("\x1b\x07\x08\r\x7f") != std::string::npos || text.find("\xC2\x9B") != std::string::npos;
  }

  // Waits, bounded, until the condition holds.
  template <class Condition>
  static bool eventually(Condition condition) {
    for (int attempt = 0; attempt < 1'000; ++attempt) {
      if (condition()) return true;
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
    return false;
  }

  std::string environment_database_ = "sqlite:shop.db";

 private:
  [[noreturn]] void execute(const Arguments& arguments, int input, const std::string& label, int output) const {
    const int out = output >= 0 ? output : open(path(label + ".out").c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600);
    const int err = open(path(label + ".err").c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600);
    dup2(input, STDIN_FILENO);
    dup2(out, STDOUT_FILENO);
    dup2(err, STDERR_FILENO);
    if (chdir(folder_.c_str()) != 0) _exit(127);
    setenv("WRITE_ASIDE_DATABASE", environment_database_.c_str(), 1);
    setenv("WRITE_ASIDE_STREAM", "local:shop.events", 1);
    std::vector<char*> words{const_cast<char*>(WRITE_ASIDE_PROGRAM)};
    for (const std::string& argument : arguments) words.push_back(const_cast<char*>(argument.c_str()));
    words.push_back(nullptr);
    execv(WRITE_ASIDE_PROGRAM, words.data());
    _exit(127);
  }

  std::filesystem::path folder_;
  std::vector<pid_t> children_;
};

}  // namespace write_aside::integration
