#include "adapters/kafka/store.hpp"

#include <algorithm>
#include <charconv>
#include <thread>
#include <utility>

#include "adapters/kafka/errors.hpp"
#include "adapters/kafka/properties.hpp"

namespace write_aside::kafka {
namespace {

// Since 3.6 a broker checks that a record belongs to a transaction that was begun, so that a delayed record cannot end up
// in the next one; the setting's presence tells the version, its value that the check is on.
constexpr const char* verification = "transaction.partition.verification.enable";
constexpr int scram_mended = 0x020601ff;  // the librdkafka from which on SCRAM is as the standard says
constexpr std::int16_t replicas_wanted = 3;
constexpr std::size_t topics_per_question = 500;
constexpr std::chrono::milliseconds topic_known_after_max{1'000};
constexpr std::chrono::milliseconds pause_before_asking_again{20};

std::int64_t number(const Settings& settings, std::string_view name) {
  const auto found = settings.find(name);
  std::int64_t value = 0;
  if (found != settings.end()) {
    std::from_chars(found->second.data(), found->second.data() + found->second.size(), value);
  }
  return value;
}

bool is(const Settings& settings, std::string_view name, std::string_view value) {
  const auto found = settings.find(name);
  return found != settings.end() && found->second == value;
}

Error too_old(std::int32_t broker, const std::string& cluster, bool switched_off) {
  const std::string who = "broker " + std::to_string(broker) + " of " + cluster;
  return refused(switched_off ? who + " has " + verification + " switched off; switch it on, write-aside relies on it"
                              : who + " is older than Kafka 3.6; write-aside needs 3.6 or later");
}

std::vector<std::string> warnings_of(const TopicLayout& layout, const Settings& settings) {
  std::vector<std::string> warnings;
  if (layout.replicas < 2) warnings.emplace_back("it has one replica: what is on a lost disk is lost");
  const std::int64_t in_sync = number(settings, "min.insync.replicas");
  if (layout.replicas > 1 && in_sync < 2) {
    warnings.emplace_back("its min.insync.replicas is 1: an acknowledged record may be on one disk only");
  }
  if (in_sync >= layout.replicas && layout.replicas > 1) {
    warnings.emplace_back("its min.insync.replicas is the number of replicas: one broker less stops it");
  }
  if (is(settings, "unclean.leader.election.enable", "true")) {
    warnings.emplace_back("its unclean.leader.election.enable is true: acknowledged records may be lost");
  }
  return warnings;
}

}  // namespace

Store::Store(Properties properties, const Options& options) : properties_(std::move(properties)), options_(options) {}

Result<std::shared_ptr<Store>> Store::open(const Properties& properties, const Options& options) {
  if (auto checked = check_properties(properties); !checked) return failure(std::move(checked));
  auto store = std::make_shared<Store>(properties, options);
  for (const char* const name : {"bootstrap.servers", "metadata.broker.list"}) {
    if (const auto found = properties.find(name); found != properties.end()) store->name_ = "kafka://" + found->second;
  }
  // The properties of a producer are tried at once: a mistake in them is not to show at the first unit.
  auto conf = make_conf(producer_properties(properties));
  if (!conf) return failure(std::move(conf));
  const auto message_bytes = static_cast<std::size_t>(number_of(**conf, "message.max.bytes"));
  store->record_bytes_max_ = message_bytes - std::min(message_bytes, framing_bytes);
  if (auto connected = store->connect(); !connected) return failure(std::move(connected));
  return store;
}

Result<void> Store::connect() {
  const ports::Deadline deadline = std::chrono::steady_clock::now() + options_.open_timeout;
  auto client = Client::open(RD_KAFKA_CONSUMER, reader_properties(properties_, ports::Isolation::read_committed));
  if (!client) return failure(std::move(client));
  client_ = std::move(*client);
  auto brokers = admin().connect(deadline);
  if (!brokers) {
    brokers.error().message = name_ + ": " + brokers.error().message + remark_on_scram();
    return failure(std::move(brokers));
  }
  broker_count_ = brokers->size();
  auto id = admin().cluster_id(deadline);
  if (!id) return failure(std::move(id));
  cluster_id_ = std::move(*id);
  return options_.check_brokers ? check_brokers(*brokers, deadline) : Result<void>();
}

// Seen with 2.0.2 and Kafka 4.3.1: the right password is refused like a wrong one.
std::string Store::remark_on_scram() const {
  const auto mechanism = std::find_if(properties_.begin(), properties_.end(), [](const auto& property) {
    return property.first == "sasl.mechanism" || property.first == "sasl.mechanisms";
  });
  const bool scram = mechanism != properties_.end() && mechanism->second.starts_with("SCRAM");
  if (!scram || client_->obstacle() != Client::Obstacle::credentials || rd_kafka_version() >= scram_mended) return {};
  return "; newer brokers refuse SCRAM by librdkafka " + std::string(rd_kafka_version_str()) +
         ", use 2.6.1 or later, or PLAIN over TLS";
}

Result<void> Store::check_brokers(const std::vector<std::int32_t>& brokers, ports::Deadline deadline) {
  for (const std::int32_t broker : brokers) {
    auto settings = admin().broker_settings(broker, deadline);
    if (!settings) {
      if (settings.error().code == ErrorCode::not_authorised) {
        settings.error().message +=
            ", with which the brokers' version is checked; or vouch for it yourself with check_brokers = false (the "
            "program's property write-aside.check.brokers)";
      }
      return failure(std::move(settings));
    }
    if (!is(*settings, verification, "true")) {
      return failure(too_old(broker, name_, settings->find(verification) != settings->end()));
    }
    const std::chrono::milliseconds most(number(*settings, "transaction.max.timeout.ms"));
    const bool known = transaction_timeout_max_.count() > 0;
    transaction_timeout_max_ = known ? std::min(transaction_timeout_max_, most) : most;
  }
  return {};
}

ports::TopicInfo Store::remember(const TopicLayout& layout, const Result<Settings>& settings) {
  // The id stays empty: librdkafka tells it only since 2.3.
  ports::TopicInfo info{.name = layout.name, .id = {}, .partitions = layout.partitions};
  KnownTopic known{.partitions = layout.partitions};
  if (settings) {
    known.batch_bytes_max = number(*settings, "max.message.bytes");
    info.compacted = is(*settings, "cleanup.policy", "compact");
    info.warnings = warnings_of(layout, *settings);
  } else {
    info.warnings.push_back(settings.error().message);
  }
  topics_.remember(layout.name, known);
  return info;
}

Result<std::optional<ports::TopicInfo>> Store::topic(const std::string& name, ports::Deadline deadline) {
  const ports::Deadline until = std::min(deadline, std::chrono::steady_clock::now() + topic_known_after_max);
  for (;;) {
    auto found = ask_for_topic(name, deadline);
    if (!found || *found) return found;
    if (broker_count_ < 2 || std::chrono::steady_clock::now() + pause_before_asking_again >= until) break;
    std::this_thread::sleep_for(pause_before_asking_again);
  }
  topics_.forget(name);
  return std::optional<ports::TopicInfo>{};
}

Result<std::optional<ports::TopicInfo>> Store::ask_for_topic(const std::string& name, ports::Deadline deadline) {
  auto layout = admin().topic(name, deadline);
  if (!layout) return failure(std::move(layout));
  if (!*layout) return std::optional<ports::TopicInfo>{};
  auto settings = admin().topic_settings({name}, deadline);
  if (!settings) return failure(std::move(settings));
  const auto found = settings->find(name);
  if (found == settings->end()) return std::optional<ports::TopicInfo>{};  // deleted meanwhile
  if (!found->second && found->second.error().code == ErrorCode::unknown_topic)
    return std::optional<ports::TopicInfo>{};
  // Without its limits a batch may be larger than the topic takes, though none of its records is.
  if (!found->second) return failure(found->second);
  return remember(**layout, found->second);
}

Result<std::vector<ports::TopicInfo>> Store::all_topics(ports::Deadline deadline) {
  auto layouts = admin().topics(deadline);
  if (!layouts) return failure(std::move(layouts));
  std::vector<ports::TopicInfo> infos;
  for (std::size_t begin = 0; begin < layouts->size(); begin += topics_per_question) {
    const std::size_t end = std::min(layouts->size(), begin + topics_per_question);
    const auto some = std::span(*layouts).subspan(begin, end - begin);
    std::vector<std::string> names;
    for (const TopicLayout& layout : some) names.push_back(layout.name);
    auto settings = admin().topic_settings(names, deadline);
    if (!settings) return failure(std::move(settings));
    for (const TopicLayout& layout : some) {
      if (const auto found = settings->find(layout.name); found != settings->end()) {
        infos.push_back(remember(layout, found->second));
      }
    }
  }
  return infos;
}

Result<KnownTopic> Store::known_topic(std::string_view name) {
  if (const auto known = topics_.find(name)) return *known;
  auto asked = topic(std::string(name), soon());
  if (!asked) return failure(std::move(asked));
  const auto known = topics_.find(name);
  if (!*asked || !known) return failure(unknown_topic(name));
  return *known;
}

Result<void> Store::check_partition(const std::string& topic, std::int32_t partition) {
  auto known = known_topic(topic);
  if (known && partition >= known->partitions) {
    topics_.forget(topic);  // it may have been given more since
    known = known_topic(topic);
  }
  if (!known) return failure(known);
  if (partition >= 0 && partition < known->partitions) return {};
  return failure(refused("topic '" + topic + "' of " + name_ + " has no partition " + std::to_string(partition) +
                         ", its partitions are 0 to " + std::to_string(known->partitions - 1)));
}

Result<const Client*> Store::client_of(ports::Isolation isolation) {
  if (isolation == ports::Isolation::read_committed) return client_.get();
  const std::lock_guard lock(mutex_);
  if (uncommitted_client_ == nullptr) {
    auto client = Client::open(RD_KAFKA_CONSUMER, reader_properties(properties_, isolation));
    if (!client) return failure(std::move(client));
    uncommitted_client_ = std::move(*client);
  }
  return uncommitted_client_.get();
}

Result<ports::EventStream::Bounds> Store::bounds(const std::string& topic, std::int32_t partition,
                                                 ports::Isolation isolation) {
  if (auto checked = check_partition(topic, partition); !checked) return failure(std::move(checked));
  auto client = client_of(isolation);
  if (!client) return failure(std::move(client));
  return Admin(**client).bounds(topic, partition, soon());
}

Result<void> Store::check_transaction_timeout(std::chrono::milliseconds timeout) const {
  constexpr std::chrono::milliseconds shortest{1'000};  // librdkafka's
  if (timeout < shortest) {
    return failure(refused("a transaction's time-out of " + std::to_string(timeout.count()) +
                           " ms is too short for Kafka; choose at least " + std::to_string(shortest.count()) + " ms"));
  }
  if (transaction_timeout_max_.count() == 0 || timeout <= transaction_timeout_max_) return {};
  return failure(refused("a transaction's time-out of " + std::to_string(timeout.count()) +
                         " ms is above transaction.max.timeout.ms of " + name_ + ", " +
                         std::to_string(transaction_timeout_max_.count()) +
                         " ms; lower transaction_timeout, or raise the brokers' setting"));
}

Result<std::int16_t> Store::replicas_of_new_topics(ports::Deadline deadline) const {
  if (options_.replication_factor > 0) return options_.replication_factor;
  auto brokers = admin().connect(deadline);
  if (!brokers) return failure(std::move(brokers));
  const auto count = std::max<std::size_t>(1, brokers->size());
  return static_cast<std::int16_t>(std::min<std::size_t>(count, replicas_wanted));
}

Error Store::unknown_topic(std::string_view topic) const {
  return {.code = ErrorCode::unknown_topic,
          .side = Side::stream,
          .effect = Effect::no,
          .message = "topic '" + std::string(topic) + "' does not exist in " + name_ + "; create it, or mend its name",
          .driver = {}};
}

}  // namespace write_aside::kafka
