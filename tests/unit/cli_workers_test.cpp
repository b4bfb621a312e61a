// What several workers share: which units are whose, what they store, and what the feed hands to each of them.
// Method: the dealer and the texts are pure; the feed reads a real file, and its workers take turns on this thread.
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <map>

#include "job/cursor.hpp"
#include "job/feed.hpp"
#include "job/worker_position.hpp"

namespace write_aside::cli {
namespace {

using namespace std::chrono_literals;

PlannedUnit unit_at(std::uint64_t line, std::string_view key, std::string_view text = "text") {
  PlannedUnit unit;
  unit.line = unit.after.line = line;
  unit.text = text;
  unit.ordering_key = key;
  return unit;
}

RC_GTEST_PROP(WorkerOf, UnitsWithTheSameOrderingKeyHaveTheSameWorker, (const std::string& key, std::uint64_t line)) {
  for (std::uint32_t workers = 1; workers <= workers_max; ++workers) {
    const std::uint32_t worker = worker_of(unit_at(line, key), workers);
    RC_ASSERT(worker < workers);
    if (!key.empty()) RC_ASSERT(worker == worker_of(unit_at(line / 2, key), workers));
  }
}

TEST(WorkerOf, UnitsWithoutAKeyTakeTurnsByTheirLine) {
  for (std::uint64_t line = 1; line < 20; ++line) EXPECT_EQ(worker_of(unit_at(line, ""), 4), line % 4);
}

TEST(WorkerOf, StaysWhatItWasBecauseInterruptedRunsGoOnByIt) {
  const std::vector<std::string> keys{"17", "18", "customer-1", "customer-2", "ä", std::string(1'000, 'x')};
  std::vector<std::uint32_t> workers;
  for (const std::string& key : keys) workers.push_back(worker_of(unit_at(1, key), 64));
  EXPECT_EQ(workers, (std::vector<std::uint32_t>{54, 11, 60, 33, 5, 28}));
}

TEST(WorkerOf, SpreadsKeysOverAllWorkers) {
  for (const std::uint32_t workers : {2u, 4u, 7u, 8u, 64u}) {
    std::vector<int> counts(workers);
    for (int i = 0; i < 1'000 * static_cast<int>(workers); ++i)
      ++counts[worker_of(unit_at(1, std::to_string(i)), workers)];
    for (const int count : counts) EXPECT_NEAR(count, 1'000, 200) << workers;
  }
}

TEST(WorkerTexts, AreReadBackAsTheyWereWritten) {
  Plan plan{4, 0xabc, {}};
  plan.start.units = 3;
  plan.start.lanes = {1, 2};
  EXPECT_EQ(to_text(plan),
            "v1 plan=4 run=0000000000000abc units=3 line=0 offset=0 sum=cbf29ce484222325 rejected=0 lanes=1,2");
  EXPECT_EQ(parse_plan(to_text(plan)), plan);
  const WorkerPosition position{2, 0xabc, 17, 4, 18, 0x123, 1, {0}};
  EXPECT_EQ(to_text(position),
            "v1 worker=2 run=0000000000000abc units=17 own=4 line=18 sum=0000000000000123 rejected=1 lanes=0");
  EXPECT_EQ(parse_worker_position(to_text(position)), position);
}

TEST(WorkerTexts, AreNotTakenForEachOther) {
  const std::vector<std::string> texts{to_text(Position{}), to_text(Plan{2, 1, {}}), to_text(WorkerPosition{})};
  for (std::size_t i = 0; i < texts.size(); ++i) {
    EXPECT_EQ(parse_position(texts[i]).has_value(), i == 0) << texts[i];
    EXPECT_EQ(parse_plan(texts[i]).has_value(), i == 1) << texts[i];
    EXPECT_EQ(parse_worker_position(texts[i]).has_value(), i == 2) << texts[i];
  }
}

TEST(WorkerTexts, RefuseMoreWorkersThanThereCanBe) {
  EXPECT_FALSE(parse_plan(to_text(Plan{workers_max + 1, 1, {}})));
  EXPECT_FALSE(parse_plan(to_text(Plan{0, 1, {}})));
}

class Dealing : public testing::Test {
 protected:
  // Deals lines 1 to `lines`; what each worker gets, in order.
  static std::map<std::uint32_t, std::vector<std::uint64_t>> deal(Dealer& dealer, std::uint64_t lines,
                                                                  std::uint64_t changed_line = 0) {
    std::map<std::uint32_t, std::vector<std::uint64_t>> dealt;
    for (std::uint64_t line = 1; line <= lines; ++line) {
      const std::string text = (line == changed_line ? "changed " : "unit ") + std::to_string(line);
      PlannedUnit unit = unit_at(line, "", text);
      if (const auto worker = dealer.deal(unit)) dealt[*worker].push_back(unit.number);
    }
    return dealt;
  }
  // Where worker 0 of two stands after lines 2 and 4, and worker 1 after line 1.
  static std::vector<WorkerPosition> places() {
    std::vector<WorkerPosition> places(2);
    Dealer dealer(0, places);
    for (std::uint64_t line = 1; line <= 4; ++line) {
      const std::string text = "unit " + std::to_string(line);
      PlannedUnit unit = unit_at(line, "", text);
      const std::uint32_t worker = dealer.deal(unit).value();
      if (worker == 1 && line > 1) continue;
      Cursor cursor("", {}, places[worker]);
      const PlannedUnit* const units[] = {&unit};
      places[worker] = std::get<WorkerPosition>(cursor.after(units, {}));
    }
    return places;
  }
};

TEST_F(Dealing, PassesOverWhatEachWorkerHasDone) {
  Dealer dealer(0, places());
  EXPECT_FALSE(dealer.has_caught_up());
  auto dealt = deal(dealer, 8);
  EXPECT_EQ(dealt[0], (std::vector<std::uint64_t>{6, 8}));
  EXPECT_EQ(dealt[1], (std::vector<std::uint64_t>{3, 5, 7}));
  EXPECT_TRUE(dealer.has_caught_up());
  EXPECT_FALSE(dealer.changed_line());
}

TEST_F(Dealing, NoticesThatADoneUnitIsNoLongerTheSame) {
  Dealer dealer(0, places());
  deal(dealer, 8, 2);
  EXPECT_EQ(dealer.changed_line(), 4u) << "the place of the worker that did it";
}

TEST_F(Dealing, LetsAUnitBeMendedThatOtherWorkersArePast) {
  Dealer dealer(0, places());
  deal(dealer, 8, 3);
  EXPECT_FALSE(dealer.changed_line());
}

TEST_F(Dealing, NoticesAUnitThatIsMissingBeforeThePlaceOfItsWorker) {
  Dealer dealer(0, places());
  deal(dealer, 3);
  EXPECT_FALSE(dealer.has_caught_up());
  EXPECT_EQ(dealer.furthest_line(), 4u);
}

// A mended unit with another key belongs to another worker, which may be past it: it must not be left out silently.
TEST_F(Dealing, NoticesAMendedUnitThatWentToAWorkerThatIsPastIt) {
  Dealer dealer(0, places());
  for (std::uint64_t line = 1; line <= 4; ++line) {
    const std::string text = "unit " + std::to_string(line);
    PlannedUnit unit = unit_at(line, line == 3 ? "17" : "", text);
    ASSERT_EQ(worker_of(unit_at(3, "17"), 2), 0u);
    (void)dealer.deal(unit);
  }
  EXPECT_TRUE(dealer.changed_line());
}

class Feeding : public testing::Test {
 protected:
  // Each line is a unit; its text is its ordering key up to the first blank.
  class KeyTranslator final : public Translator {
   public:
    void translate(std::string_view text, Arena&, PlannedUnit& unit) override {
      unit.ordering_key = text.substr(0, text.find(' '));
    }
  };

  ~Feeding() override { std::filesystem::remove(path_); }

  std::unique_ptr<Feed> feed(const std::string& content, std::uint32_t workers) {
    std::ofstream(path_, std::ios::binary) << content;
    RecordReader reader(InputFile::open(path_).value(), std::make_unique<LineSplitter>(), 1'000'000);
    return std::make_unique<Feed>(std::move(reader), std::make_unique<KeyTranslator>(),
                                  Dealer(0, std::vector<WorkerPosition>(workers)));
  }

  const std::string path_ = testing::TempDir() + "feed-" + std::to_string(getpid());
};

TEST_F(Feeding, HandsEachUnitToOneWorkerInTheOrderOfTheInput) {
  std::string content;
  for (int i = 1; i <= 50'000; ++i) content += "key" + std::to_string(i % 100) + " " + std::string(20, 'x') + "\n";
  const auto all = feed(content, 4);
  std::uint64_t count = 0;
  std::map<std::string, std::uint32_t> worker_of_key;
  std::vector<std::uint64_t> last(4);
  bool ended = false;
  while (!ended) {
    ended = true;
    for (std::uint32_t worker = 0; worker < 4; ++worker) {
      while (PlannedUnit* unit = all->next(worker, 1ms)) {
        ++count;
        EXPECT_GT(unit->number, last[worker]);
        last[worker] = unit->number;
        EXPECT_EQ(worker_of_key.emplace(unit->ordering_key, worker).first->second, worker);
      }
      all->release(worker);
      ended = ended && all->ended(worker);
    }
  }
  EXPECT_EQ(count, 50'000u);
  EXPECT_EQ(all->end()->units, 50'000u);
  EXPECT_EQ(all->end()->mark.offset, content.size());
}

// Everything goes to one worker, which takes nothing: the reader stops, instead of reading the whole input into memory.
TEST_F(Feeding, WaitsForAWorkerThatLags) {
  std::string content;
  for (int i = 0; i < 100'000; ++i) content += "key " + std::string(500, 'x') + "\n";
  for (const std::uint32_t workers : {2u, workers_max}) {
    const auto all = feed(content, workers);
    const std::uint32_t busy = worker_of(unit_at(1, "key"), workers);
    const std::uint32_t idle = busy == 0 ? 1 : 0;
    std::uint64_t held = 0;
    while (PlannedUnit* unit = all->next(busy, 2'000ms)) held = unit->number;  // released by nobody
    EXPECT_FALSE(all->ended(busy));
    EXPECT_LT(held * 500, 16u << 20) << "of 50 MB";
    EXPECT_EQ(all->next(idle, 1ms), nullptr);
    all->release(busy);
    EXPECT_NE(all->next(busy, 2'000ms), nullptr) << "it goes on";
  }
}

}  // namespace
}  // namespace write_aside::cli
