#include "simulation/random_run.hpp"

#include <algorithm>
#include <cstdio>
#include <deque>
#include <utility>
#include <vector>

#include "simulation/random_plan.hpp"
#include "simulation/run_verdict.hpp"

namespace write_aside::simulation {
namespace {

using namespace std::chrono_literals;
using Kind = Fault::Kind;
using std::chrono::milliseconds;
using support::Randomness;
using support::TimePoint;

constexpr int last_unit_id = 9'999'999;

// Does the call need room on the store's disk?
bool writes_to_database(std::string_view step) {
  return step == "session.execute" || step == "session.receive_journal" || step == "session.commit" ||
         step == "own.commit" || step == "own.write_lane" || step == "own.adopt" || step == "own.adopt_all" ||
         step == "own.insert_tombstone" || step == "own.deliver_covered" || step == "own.deliver";
}
bool writes_to_stream(std::string_view step) {
  return step == "producer.produce" || step == "producer.end" || step == "producer.initialise";
}

class RandomRun final : public Observer {
 public:
  RandomRun(std::uint64_t seed, const RunOptionsOfTest& options)
      : shape_(shape_of(seed)),
        world_({.seed = seed}),
        pair_(world_, shape_.lanes,
              {.marker_delay_max = shape_.marker_delay,
               .reader_lag_max = shape_.reader_lag,
               .holds_back = shape_.holds_back}),
        scenario_(world_, pair_),
        trace_(options.trace),
        guarantee_(options.guarantee) {
    pair_.wrap_database = options.wrap_database;
    pair_.wrap_stream = options.wrap_stream;
    const auto stream = pair_.pair.stream(world_.outside());
    (void)stream->create_topic({.name = "u", .partitions = 3}, world_.now() + 5s).value();
    pair_.pair.stream_state().on_commit([this](const ports::StoredRecord& record) { check_decided(record); });
    scenario_.ordered = false;
    scenario_.options = shape_.options;
    scenario_.options.lanes_max = shape_.lanes;
    scenario_.may_be_too_old = shape_.options.journal_retention < 1h;
    scenario_.last_unit = last_unit_id;
    scenario_.on_report = [this](int id, const Outcome& outcome) { note_report(id, outcome); };
  }

  RunReport play() {
    const std::string stuck = world_.run([this] {
      live_all();
      // Faults stop, and what is under way lands.
      weather_ = {};
      if (shape_.ends_at_once) {
        scenario_.patience = 8s;
      } else {
        world_.sleep(8s);
      }
      trace("faults have stopped");
      wrong_ += scenario_.verdict();
      wrong_ += run_verdict(pair_.pair, extra_events, shape_.options.strict_order);
    });
    if (!stuck.empty()) wrong_ += " " + stuck;
    processes_.clear();
    trace(wrong_.empty() ? "all is well" : wrong_);
    return {wrong_, counts_, world_.fingerprint()};
  }

  void notice(const Notice& notice) noexcept override {
    static constexpr std::pair<Notice::Kind, Count> counted[] = {{Notice::Kind::lane_taken, Count::takeovers},
                                                                 {Notice::Kind::lane_lost, Count::lanes_lost},
                                                                 {Notice::Kind::batch_settled, Count::batches_settled},
                                                                 {Notice::Kind::batch_broken, Count::batches_broken},
                                                                 {Notice::Kind::unit_adopted, Count::adopted}};
    for (const auto& [kind, count] : counted) {
      if (notice.kind == kind) ++counts_[count];
    }
    if (notice.kind == Notice::Kind::lane_halted) wrong_ += "a lane was halted: " + notice.text + "; ";
    if (trace_) trace_notice(notice);
  }

 private:
  // Each until some moment.
  struct Weather {
    TimePoint database_full{};
    TimePoint stream_full{};
    TimePoint slow{};
    TimePoint database_cut{};
    TimePoint stream_cut{};
    int cut_worker = 0;  // that alone is cut off; below 0: all of them
  };

  void live_all() {
    std::vector<std::unique_ptr<ports::Thread>> threads;
    bool over = false;
    threads.push_back(world_.outside().start_thread("weather", [&] { make_weather(over); }));
    std::vector<std::unique_ptr<ports::Thread>> workers;
    for (int worker = 0; worker < shape_.processes; ++worker) {
      workers.push_back(world_.outside().start_thread("worker", [this, worker] {
        for (int incarnation = 0; incarnation < shape_.incarnations; ++incarnation) live(worker, incarnation);
      }));
    }
    workers.clear();
    over = true;
  }

  // One incarnation of a worker: faults at random steps, some units on several fibers, then the end or its death.
  void live(int worker, int incarnation) {
    Randomness& random = world_.randomness();
    SimulatedProcess& simulated = world_.process("p" + std::to_string(worker));
    FaultyProcess& process = processes_.emplace_back(simulated);
    process.watch([this, worker](std::string_view step, std::optional<Fault>& fault) { strike(worker, step, fault); });
    if (random.below(2) == 0) process.set_linger(milliseconds(random.below(3000)));
    plan_faults(process, shape_, random);
    CoordinatorOptions options = shape_.options;
    options.lanes_max = static_cast<std::uint32_t>(1 + random.below(2));
    options.observer = this;
    options.guarantee = guarantee_;
    const int first_id = 1 + 10'000 * worker + 1000 * incarnation;
    auto thread =
        scenario_.start_process(process, simulated, options, [&](Coordinator& coordinator, SimulatedProcess& self) {
          std::vector<std::unique_ptr<ports::Thread>> others;
          for (int number = 1; number < shape_.threads; ++number) {
            others.push_back(
                self.start_thread("caller", [&, number] { call(coordinator, self, first_id + 100 * number); }));
          }
          call(coordinator, self, first_id);
        });
    while (random.below(3) == 0) pause(simulated);
    thread.reset();
    trace(simulated.name() + (simulated.killed() ? " is dead" : " has ended"));
  }

  void pause(SimulatedProcess& process) {
    Randomness& random = world_.randomness();
    world_.sleep(std::chrono::microseconds(random.below(40'000)));
    if (process.killed()) return;
    ++counts_[Count::pauses];
    trace(process.name() + " pauses");
    world_.pause(process);
    world_.sleep(milliseconds(random.below(8000)));
    world_.resume(process);
    trace(process.name() + " goes on");
  }

  // The units of one fiber.
  void call(Coordinator& coordinator, SimulatedProcess& self, int first_id) {
    Randomness& random = world_.randomness();
    for (int id = first_id; id < first_id + shape_.units_of_a_thread && !self.killed(); ++id) {
      if (random.below(3) == 0) world_.sleep(milliseconds(random.below(2000)));
      ++counts_[Count::units];
      RunOptions run{.deadline = 20s};
      if (random.below(3) == 0) run.wait = Wait::visible;
      if (random.below(3) == 0) run.ordering_key = "key";
      const bool contends = random.below(4) == 0;
      scenario_.commit_unit(coordinator, self, id, run, [&](UnitOfWork& unit) -> Result<void> {
        if (contends) {
          const std::string text = std::to_string(id);
          if (auto rows = unit.execute("put ? ?", {"shared", text}); !rows) return failure(rows);
        }
        for (int event = 0; event < extra_events(id); ++event) {
          const Event extra{
              .topic = "u", .key = std::to_string(7 * id + event), .type = "x", .value = std::to_string(id)};
          if (auto published = unit.publish(extra); !published) return published;
        }
        return {};
      });
    }
  }
  static int extra_events(int id) { return id == last_unit_id ? 0 : id % 3; }

  // What happens to the stores themselves, and to the network.
  void make_weather(const bool& over) {
    static constexpr std::uint64_t between_events[] = {20, 300, 2000};  // in milliseconds, at most
    Randomness& random = world_.randomness();
    for (std::uint64_t event = random.below(5); event > 0 && !over; --event) {
      world_.sleep(milliseconds(random.below(one_of(random, between_events))));
      const milliseconds span(random.below(3000));
      switch (random.below(8)) {
        case 0:
          weather_.database_full = world_.now() + span;
          trace("the database's disk is full");
          break;
        case 1:
          weather_.stream_full = world_.now() + span;
          trace("the stream's disk is full");
          break;
        case 2:
        case 3:
          weather_.slow = world_.now() + span;
          trace("replies are slow and come in any order");
          break;
        case 4:
        case 5: {
          (random.below(3) > 0 ? weather_.database_cut : weather_.stream_cut) = world_.now() + span;
          weather_.cut_worker = static_cast<int>(random.below(4)) - 1;
          trace("a store cannot be reached by " +
                (weather_.cut_worker < 0 ? std::string("anybody") : "p" + std::to_string(weather_.cut_worker)));
          break;
        }
        case 6:
          ++counts_[Count::database_restarts];
          trace("the database restarts");
          pair_.pair.database_state().restart();
          break;
        default:
          ++counts_[Count::clock_jumps];
          trace("a store's clock jumps");
          if (random.below(2) == 0) {
            pair_.pair.database_state().pass_time(span);
          } else {
            pair_.pair.stream_state().pass_time(span);
          }
      }
    }
  }

  // At every step of every process: what the weather makes of it.
  void strike(int worker, std::string_view step, std::optional<Fault>& fault) {
    ++counts_[Count::steps];
    const TimePoint now = world_.now();
    if (!fault && is_cut_off(worker, step)) {
      ++counts_[Count::cut_off];
      trace_step(step, "cut off");
      fault = {.kind = may_arrive_late(step) ? Kind::lose_reply : Kind::fail};
      fault->error.retriable = true;
      if (world_.randomness().below(2) == 0) fault->delay = milliseconds(world_.randomness().below(4000));
      return;
    }
    if (!fault && ((now < weather_.database_full && writes_to_database(step)) ||
                   (now < weather_.stream_full && writes_to_stream(step)))) {
      ++counts_[Count::full_disk];
      trace_step(step, "disk full");
      fault = {.kind = Kind::fail,
               .error = {.code = ErrorCode::storage_full, .effect = Effect::no, .message = "the disk is full"}};
      return;
    }
    if (!fault && (now < weather_.slow || shape_.is_slow) && world_.randomness().below(3) == 0) {
      const auto delay = std::chrono::microseconds(world_.randomness().below(30'000));
      const bool before = world_.randomness().below(2) == 0;
      fault = {.kind = before ? Kind::delay : Kind::late_reply, .delay = delay};
    }
    if (!fault) {
      if (trace_) trace_step(step, "");
      return;
    }
    note_fault(step, *fault);
  }

  [[nodiscard]] bool is_cut_off(int worker, std::string_view step) const {
    if (weather_.cut_worker >= 0 && weather_.cut_worker != worker) return false;
    const bool to_database = step.starts_with("session.") || step.starts_with("own.") || step.starts_with("database.");
    return world_.now() < (to_database ? weather_.database_cut : weather_.stream_cut);
  }
  // What may have been on its way when the connection was cut, and may arrive.
  static bool may_arrive_late(std::string_view step) {
    return step == "session.commit" || step == "own.commit" || step == "producer.end" || step == "producer.initialise";
  }

  void note_fault(std::string_view step, const Fault& fault) {
    static constexpr Count counted[] = {Count::crash_before, Count::crash_after, Count::error,
                                        Count::reply_lost,   Count::delay,       Count::late_reply};
    ++counts_[counted[static_cast<std::size_t>(fault.kind)]];
    const bool is_lost = fault.kind == Kind::crash_after || fault.kind == Kind::lose_reply;
    if (may_arrive_late(step) && is_lost && fault.delay.count() > 0) ++counts_[Count::lands_late];
    if (!trace_) return;
    std::string text(support::to_string(fault.kind));
    if (fault.delay.count() > 0) text += ", " + std::to_string(fault.delay / std::chrono::microseconds(1)) + " us";
    trace_step(step, text);
  }

  void note_report(int id, const Outcome& outcome) {
    static constexpr Count counted[] = {Count::committed, Count::aborted, Count::in_doubt};
    if (id != last_unit_id) ++counts_[counted[static_cast<std::size_t>(outcome.state())]];
    if (!trace_) return;
    static constexpr const char* words[] = {"committed", "aborted", "in doubt"};
    std::string text = "unit " + std::to_string(id) + ' ' + words[static_cast<std::size_t>(outcome.state())];
    if (outcome.unit()) text += " as " + to_string(*outcome.unit());
    if (outcome.error()) text += ": " + outcome.error()->message;
    trace(text);
  }

  // A record becomes visible now. Its unit's row is there by then (B2).
  void check_decided(const ports::StoredRecord& record) {
    if (record.topic != "t" && record.topic != "u") return;
    if (record.value && !pair_.pair.database_state().has_user_row(*record.value)) {
      wrong_ += "visible before its unit is decided: " + *record.value + "; ";
    }
  }

  void trace(const std::string& text) {
    if (!trace_) return;
    std::array<char, 32> time{};
    std::snprintf(time.data(), time.size(), "%12.6f  ", std::chrono::duration<double>(world_.elapsed()).count());
    trace_(time.data() + text);
  }
  void trace_step(std::string_view step, const std::string& what) {
    if (!trace_) return;
    trace(std::string(world_.fiber()) + "  " + std::string(step) + (what.empty() ? "" : "  ** " + what));
  }
  void trace_notice(const Notice& notice) {
    static constexpr const char* words[] = {"lane taken",   "lane lost",     "lane halted",   "batch settled",
                                            "batch broken", "unit in doubt", "unit resolved", "unit adopted",
                                            "store failed", "store warning"};
    std::string text = std::string(world_.fiber()) + "  " + words[static_cast<std::size_t>(notice.kind)] + ", lane " +
                       std::to_string(notice.lane);
    if (notice.unit) text += ", unit " + to_string(*notice.unit);
    if (notice.batch) text += ", batch " + std::to_string(notice.batch->epoch) + '.' + std::to_string(notice.batch->n);
    trace(text + (notice.text.empty() ? "" : ": " + notice.text));
  }

  Shape shape_;
  World world_;
  WrappedPair pair_;
  Scenario scenario_;
  std::function<void(const std::string&)> trace_;
  Guarantee guarantee_;
  std::deque<FaultyProcess> processes_;
  Weather weather_;
  Counts counts_;
  std::string wrong_;
};

}  // namespace

RunReport play_random_run(std::uint64_t seed, const RunOptionsOfTest& options) {
  return RandomRun(seed, options).play();
}

}  // namespace write_aside::simulation
