// What the local stream costs, call by call. The file lies in the temporary folder: TMPDIR chooses the disk.
//
//   stage/N         one `produce` of N records (200-byte value, 7 headers of about 300 bytes in all, 8 partitions)
//   stage_one_end   a transaction of one record, with its end
//   end/N           the end alone, after N records were staged; next to it, what an fsync of the same disk costs
#include <benchmark/benchmark.h>
#include <fcntl.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <memory>
#include <stdexcept>
#include <string>
#include <system_error>
#include <vector>

#include "write_aside/adapters/local_stream.hpp"

namespace {

using namespace std::chrono_literals;
namespace ports = write_aside::ports;

class Silent final : public ports::Deliveries {
 public:
  void delivered(std::uint64_t /*token*/, write_aside::Result<std::int64_t> /*first_offset*/) override {}
};

void must(const write_aside::Result<void>& result) {
  if (!result) throw std::runtime_error(result.error().message);
}

ports::Deadline soon() { return std::chrono::steady_clock::now() + 10s; }

// An opened stream in a folder of its own, with a transaction begun.
struct Bench {
  Bench() {
    std::string pattern = (std::filesystem::temp_directory_path() / "write-aside-bench-XXXXXX").string();
    folder = ::mkdtemp(pattern.data());
    stream = write_aside::local_stream::open((folder / "stream.events").string()).value();
    stream->create_topic({"orders", 8, false}, soon()).value();
    stream->create_topic({"ledger", 4, true}, soon()).value();
    producer = stream->transactional_producer("bench", 60s, deliveries).value();
    must(producer->initialise(soon()));
    keys.reserve(1000);
    for (int key = 0; key < 1000; ++key) keys.push_back("order-" + std::to_string(key));
  }
  ~Bench() {
    producer.reset();
    stream.reset();
    std::error_code ignored;
    std::filesystem::remove_all(folder, ignored);
  }
  std::vector<ports::RecordView> records(std::size_t count) {
    std::vector<ports::RecordView> made;
    for (std::size_t index = 0; index < count; ++index) {
      made.push_back({"orders", {}, keys[next++ % keys.size()], value, headers, 1'700'000'000'000});
    }
    return made;
  }
  ports::RecordView ledger_record() { return {"ledger", 0, "o:0123456789abcdef:0", "s=1.2.3", {}, 1'700'000'000'000}; }

  std::filesystem::path folder;
  Silent deliveries;
  std::shared_ptr<ports::EventStream> stream;
  std::unique_ptr<ports::TransactionalProducer> producer;
  std::vector<std::string> keys;
  std::string value = std::string(200, 'v');
  std::vector<ports::HeaderView> headers = {{"ce_id", "01234567-89ab-cdef-0123-456789abcdef"},
                                            {"ce_source", "urn:write-aside:shop.example.org/orders"},
                                            {"ce_type", "org.example.shop.order.created"},
                                            {"ce_specversion", "1.0"},
                                            {"ce_time", "2024-01-02T03:04:05.678901Z"},
                                            {"content-type", "application/json"},
                                            {"wa-unit", "0123456789abcdef0123456789abcdef:3:17:42:5:1:2:3:4:5"}};
  std::size_t next = 0;
};

void stage(benchmark::State& state) {
  Bench bench;
  must(bench.producer->begin());
  std::uint64_t calls = 0;
  for (auto _ : state) {
    const auto records = bench.records(static_cast<std::size_t>(state.range(0)));
    must(bench.producer->produce(records, ++calls));
    if (calls % 16 != 0) continue;
    state.PauseTiming();  // the end, and the checkpoint that comes with it, are measured apart
    if (!bench.producer->end(ports::Ending::commit, soon()).clean) state.SkipWithError("end");
    must(bench.producer->begin());
    must(bench.producer->produce(bench.records(8), 0));
    state.ResumeTiming();
  }
  state.SetItemsProcessed(state.iterations() * state.range(0));
}
BENCHMARK(stage)->Arg(1)->Arg(8)->Arg(50)->Arg(200)->Arg(1000)->Unit(benchmark::kMicrosecond);

void end_alone(benchmark::State& state) {
  Bench bench;
  for (auto _ : state) {
    state.PauseTiming();
    must(bench.producer->begin());
    auto records = bench.records(static_cast<std::size_t>(state.range(0)));
    records.push_back(bench.ledger_record());
    must(bench.producer->produce(records, 1));
    state.ResumeTiming();
    if (!bench.producer->end(ports::Ending::commit, soon()).clean) state.SkipWithError("end");
  }
}
BENCHMARK(end_alone)->Arg(1)->Arg(200)->Unit(benchmark::kMicrosecond)->UseRealTime();

void stage_one_and_end(benchmark::State& state) {
  Bench bench;
  for (auto _ : state) {
    must(bench.producer->begin());
    auto records = bench.records(1);
    records.push_back(bench.ledger_record());
    must(bench.producer->produce(records, 1));
    if (!bench.producer->end(ports::Ending::commit, soon()).clean) state.SkipWithError("end");
  }
}
BENCHMARK(stage_one_and_end)->Unit(benchmark::kMicrosecond)->UseRealTime();

// The yardstick: append as much as `end` does, and sync.
void fsync_alone(benchmark::State& state) {
  const Bench bench;
  const int file = ::open((bench.folder / "yardstick").c_str(), O_CREAT | O_RDWR, 0600);
  const std::vector<char> bytes(static_cast<std::size_t>(state.range(0)));
  off_t offset = 0;
  for (auto _ : state) {
    if (::pwrite(file, bytes.data(), bytes.size(), offset) < 0 || ::fdatasync(file) != 0) state.SkipWithError("sync");
    offset = (offset + state.range(0)) % (16 << 20);
  }
  ::close(file);
}
BENCHMARK(fsync_alone)->Arg(5 * 4120L)->Arg(40 * 4120L)->Unit(benchmark::kMicrosecond)->UseRealTime();

void read(benchmark::State& state) {
  Bench bench;
  must(bench.producer->begin());
  for (int call = 0; call < 50; ++call) must(bench.producer->produce(bench.records(200), 1));
  if (!bench.producer->end(ports::Ending::commit, soon()).clean) state.SkipWithError("end");
  std::vector<ports::ReadFrom> from;
  for (std::int32_t partition = 0; partition < 8; ++partition) from.push_back({"orders", partition, 0});
  std::size_t seen = 0;
  for (auto _ : state) {
    auto reader = bench.stream->reader(from, ports::Isolation::read_committed).value();
    for (std::size_t count = 0; count < 10'000;) count += reader->poll(500, soon()).value().size();
    seen += 10'000;
  }
  state.SetItemsProcessed(static_cast<std::int64_t>(seen));
}
BENCHMARK(read)->Unit(benchmark::kMillisecond);

}  // namespace

BENCHMARK_MAIN();
