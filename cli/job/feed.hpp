// Reads and translates the input ahead of the database, on a thread of its own, a bounded number of chunks ahead.
//
// The constructor starts the thread; the destructor ends and joins it. Everything else belongs to one consuming thread.
#pragma once

#include <chrono>
#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "input/record_reader.hpp"
#include "input/translator.hpp"
#include "job/planned_unit.hpp"
#include "write_aside/error.hpp"

namespace write_aside::cli {

// Some records of the input, as units, with the memory they refer to.
struct Chunk {
  Block block;
  Arena arena;
  std::vector<PlannedUnit> units;
};

class Feed {
 public:
  Feed(RecordReader reader, std::unique_ptr<Translator> translator);
  ~Feed();
  Feed(const Feed&) = delete;
  Feed& operator=(const Feed&) = delete;

  // The next unit; it lives until release(). Without one in hand within `patience`, none. None also when the units not yet
  // released hold all the memory there is to hold; release() helps then.
  [[nodiscard]] PlannedUnit* next(std::chrono::milliseconds patience);
  // Gives back every unit handed out so far.
  void release();
  // True once every unit was handed out, or the input failed.
  [[nodiscard]] bool ended();
  // Why the input could not be read to its end.
  [[nodiscard]] std::optional<Error> error();

 private:
  void run();
  void translate(Chunk& chunk);
  // Waits for memory to read into; none: the consumer is gone.
  [[nodiscard]] std::unique_ptr<Chunk> wait_for_chunk();

  // The reading thread's own.
  RecordReader reader_;
  std::unique_ptr<Translator> translator_;
  std::optional<RawRecord> blank_;  // a blank line, refused if anything follows it

  // The consumer's own.
  std::deque<std::unique_ptr<Chunk>> held_;
  std::size_t next_unit_ = 0;  // in the last held chunk

  std::mutex mutex_;  // guards what follows
  std::condition_variable changed_;
  std::deque<std::unique_ptr<Chunk>> full_;
  std::deque<std::unique_ptr<Chunk>> free_;
  std::optional<Error> error_;
  bool ended_ = false;
  bool abandoned_ = false;

  std::thread thread_;  // last: it uses all of the above
};

}  // namespace write_aside::cli
