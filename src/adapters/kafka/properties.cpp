#include "adapters/kafka/properties.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <utility>

#include "adapters/kafka/errors.hpp"

namespace write_aside::kafka {
namespace {

using Named = std::pair<const char*, const char*>;

// librdkafka knows some properties by two names; the user may have used either.
constexpr std::array<Named, 8> aliases = {{{"request.required.acks", "acks"},
                                           {"message.timeout.ms", "delivery.timeout.ms"},
                                           {"queue.buffering.max.ms", "linger.ms"},
                                           {"metadata.broker.list", "bootstrap.servers"},
                                           {"compression.codec", "compression.type"},
                                           {"message.send.max.retries", "retries"},
                                           {"max.in.flight", "max.in.flight.requests.per.connection"},
                                           {"fetch.message.max.bytes", "max.partition.fetch.bytes"}}};

// The library sets these itself.
constexpr std::array<Named, 8> ours = {{
    {"transactional.id", "each lane has its own"},
    {"transaction.timeout.ms", "set the coordinator's transaction_timeout"},
    {"isolation.level", "each reader has its own"},
    {"group.id", "positions are stored under the consumer's name"},
    {"enable.auto.commit", "positions are stored together with what was done"},
    {"auto.offset.reset", "an offset that is gone must be noticed"},
    {"enable.partition.eof", "readers need it"},
    {"delivery.report.only.error", "every acknowledgement counts"},
}};

// Idle connections, small requests: latency counts, not bandwidth. All time-outs are finite and short enough that a
// broker's restart is over in the time of one transaction.
constexpr std::array<Named, 5> common_defaults = {{{"socket.nagle.disable", "true"},
                                                   {"socket.timeout.ms", "10000"},
                                                   {"socket.connection.setup.timeout.ms", "5000"},
                                                   {"reconnect.backoff.max.ms", "1000"},
                                                   {"client.id", "write-aside"}}};
constexpr std::array<Named, 7> producer_defaults = {{
    {"linger.ms", "1"},
    {"delivery.timeout.ms", "30000"},
    {"batch.size", "131072"},
    {"queue.buffering.max.kbytes", "65536"},
    // A busy loop costs more than the 100 ms that a retry waits; what is lost in a broker's restart is seldom.
    {"retry.backoff.ms", "50"},
    {"partitioner", "murmur2_random"},
    {"allow.auto.create.topics", "false"},
}};
constexpr std::array<Named, 3> producer_demands = {
    {{"enable.idempotence", "true"}, {"acks", "all"}, {"delivery.report.only.error", "false"}}};
constexpr std::array<Named, 4> reader_defaults = {{
    {"fetch.wait.max.ms", "100"},  // how long a reader may take to see that it stands at the end
    {"fetch.error.backoff.ms", "50"},
    {"queued.max.messages.kbytes", "16384"},
    {"allow.auto.create.topics", "false"},
}};
constexpr std::array<Named, 4> reader_demands = {{{"auto.offset.reset", "error"},
                                                  {"enable.partition.eof", "true"},
                                                  {"enable.auto.commit", "false"},
                                                  {"enable.auto.offset.store", "false"}}};
constexpr std::chrono::milliseconds shortest_timeout{300};
constexpr std::int64_t unset = -1;

std::string_view name_of(std::string_view name) {
  for (const auto& [alias, proper] : aliases) {
    if (name == alias) return proper;
  }
  return name;
}

void add(Properties& properties, const Properties& more) {
  for (const auto& [name, value] : more) properties.insert_or_assign(std::string(name_of(name)), value);
}
template <std::size_t count>
void add(Properties& properties, const std::array<Named, count>& more) {
  for (const auto& [name, value] : more) properties.insert_or_assign(name, value);
}

bool is_zero(const std::string& value) { return value.find_first_not_of("0 ") == std::string::npos; }

// Why this value cannot be had; empty: it can.
std::string objection(std::string_view name, const std::string& value) {
  for (const auto& [own, why] : ours) {
    if (name == own) return std::string("the library sets it itself: ") + why;
  }
  if (name == "enable.idempotence" && value != "true") return "exactly one copy of each event needs it";
  if (name == "acks" && value != "all" && value != "-1")
    return "an acknowledged event must be on every replica in sync";
  if (name == "delivery.timeout.ms" && is_zero(value)) return "a wait without end cannot be had; choose a time";
  return {};
}

// A wrong value of such a property is not shown.
bool may_be_secret(std::string_view name) {
  static constexpr std::array<std::string_view, 7> marks = {"password", "secret", "key",  "pem",
                                                            "sasl",     "oauth",  "token"};
  return std::any_of(marks.begin(), marks.end(),
                     [name](std::string_view mark) { return name.find(mark) != name.npos; });
}

std::int64_t number(const Properties& properties, const std::string& name) {
  const auto found = properties.find(name);
  if (found == properties.end()) return unset;
  std::int64_t value = unset;
  std::from_chars(found->second.data(), found->second.data() + found->second.size(), value);
  return value;
}

void cap(Properties& properties, const std::string& name, std::int64_t most) {
  if (number(properties, name) > most) properties[name] = std::to_string(most);
}

}  // namespace

Result<void> check_properties(const Properties& properties) {
  bool has_servers = false;
  for (const auto& [name, value] : properties) {
    const std::string_view proper = name_of(name);
    has_servers = has_servers || (proper == "bootstrap.servers" && !value.empty());
    if (const std::string why = objection(proper, value); !why.empty()) {
      std::string message = "the Kafka property '" + name;
      message.append("' cannot be set so: ").append(why);
      return failure(refused(std::move(message)));
    }
  }
  if (!has_servers)
    return failure(refused("the Kafka property 'bootstrap.servers' is missing; name a broker, HOST:PORT"));
  return {};
}

Properties reader_properties(const Properties& user, ports::Isolation isolation) {
  Properties properties;
  add(properties, common_defaults);
  add(properties, reader_defaults);
  add(properties, user);
  add(properties, reader_demands);
  properties["isolation.level"] = isolation == ports::Isolation::read_committed ? "read_committed" : "read_uncommitted";
  return properties;
}

Properties group_properties(const Properties& user, const ports::GroupSpec& spec) {
  Properties properties = reader_properties(user, ports::Isolation::read_committed);
  properties["group.id"] = spec.name;
  if (!spec.instance.empty()) properties["group.instance.id"] = spec.instance;
  properties["partition.assignment.strategy"] = "cooperative-sticky";
  const std::int64_t timeout = spec.session_timeout.count();
  properties["session.timeout.ms"] = std::to_string(timeout);
  properties["heartbeat.interval.ms"] = std::to_string(std::max<std::int64_t>(1, timeout / 5));
  // A member that is stuck in its work holds up a rebalance no longer than that.
  properties["max.poll.interval.ms"] = std::to_string(std::max<std::int64_t>(timeout, 60'000));
  // Where the group stands does not matter; what little comes before the partitions are paused is dropped.
  properties["auto.offset.reset"] = "latest";
  properties["enable.partition.eof"] = "false";
  properties["queued.min.messages"] = "1";
  properties["queued.max.messages.kbytes"] = "1";
  return properties;
}

Properties producer_properties(const Properties& user) {
  Properties properties;
  add(properties, common_defaults);
  add(properties, producer_defaults);
  add(properties, user);
  add(properties, producer_demands);
  return properties;
}

Properties transactional_properties(const Properties& user, const std::string& transactional_id,
                                    std::chrono::milliseconds transaction_timeout) {
  Properties properties = producer_properties(user);
  properties["transactional.id"] = transactional_id;
  properties["transaction.timeout.ms"] = std::to_string(transaction_timeout.count());
  // C5: a vote is valid for half the transaction's time; what is delivered later is of no use.
  const std::int64_t half = std::max(transaction_timeout / 2, shortest_timeout).count();
  cap(properties, "delivery.timeout.ms", half);
  cap(properties, "socket.timeout.ms", half);
  return properties;
}

std::int64_t number_of(const rd_kafka_conf_t& conf, const char* name) {
  std::array<char, 64> text{};
  std::size_t size = text.size();
  if (rd_kafka_conf_get(&conf, name, text.data(), &size) != RD_KAFKA_CONF_OK) return unset;
  std::int64_t value = unset;
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
}

Result<ConfHandle> make_conf(const Properties& properties) {
  ConfHandle conf(rd_kafka_conf_new());
  std::array<char, 512> words{};
  for (const auto& [name, value] : properties) {
    switch (rd_kafka_conf_set(conf.get(), name.c_str(), value.c_str(), words.data(), words.size())) {
      case RD_KAFKA_CONF_OK:
        continue;
      case RD_KAFKA_CONF_UNKNOWN:
        return failure(refused("librdkafka " + std::string(rd_kafka_version_str()) + " knows no property '" + name +
                               "'; mend its name"));
      case RD_KAFKA_CONF_INVALID:
        break;
    }
    return failure(refused("librdkafka refuses the value of the property '" + name + '\'' +
                           (may_be_secret(name) ? std::string() : ": " + std::string(words.data()))));
  }
  return conf;
}

}  // namespace write_aside::kafka
