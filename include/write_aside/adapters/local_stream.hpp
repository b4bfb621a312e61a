// The local stream: topics in one SQLite file, with the promises of the EventStream port.
//
// URL: `local:PATH`. No server: any number of processes on one host open the file. Readable with any SQLite tool
// through the view `committed_records(topic, partition, offset, key, value, headers, timestamp_ms)`, `headers` being a
// JSON object. Keys take the same partition as with Kafka's Java client (murmur2). Keys, values and headers that are
// UTF-8 text are stored as text; other bytes as a blob, in a header as {"base64":"…"}.
//
// What a reported success promises: the end of a transaction, a topic, a position and an epoch are on the disk. A
// record of an open transaction is not yet, and needs not be: a power cut aborts the transaction. After a failure
// nothing of the call is there, except that an end whose sync failed may or may not have taken effect (`unknown`).
//
// A producer that may hold records back (TransactionalProducer::hold_back) keeps up to 4 MiB of them in memory, and
// writes them at the end.
//
// What differs from Kafka: an acknowledgement comes from within `produce`. A compacted topic is compacted at the end
// of each transaction, and keeps the newest record of a key for ever, also a tombstone. Nothing else is ever deleted.
// A timed-out transaction is aborted by whoever initialises a producer, or reads up to it.
//
// Threads: the EventStream is safe from many threads. It starts none.
#pragma once

#include <chrono>
#include <memory>
#include <string>

#include "write_aside/ports/event_stream.hpp"
#include "write_aside/result.hpp"

namespace write_aside::local_stream {

struct Options {
  bool create = true;
  // How long to wait for a lock that another thread or process holds. 0: never wait for anything; a `poll` then
  // returns at once with what is there, whatever its deadline.
  std::chrono::milliseconds busy_timeout{10'000};
  std::size_t record_bytes_max = 1u << 20;  // key + value + headers of one record, as Kafka's default
  bool unsafe_synchronous_normal = false;   // for comparisons only: the end of a transaction is not synced
};

[[nodiscard]] Result<std::shared_ptr<ports::EventStream>> open(const std::string& path, Options options = {});

}  // namespace write_aside::local_stream
