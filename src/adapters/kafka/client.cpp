#include "adapters/kafka/client.hpp"

#include <algorithm>
#include <array>
#include <span>
#include <string_view>
#include <utility>

#include "adapters/kafka/errors.hpp"

namespace write_aside::kafka {
namespace {

constexpr int log_level_error = 3;  // syslog's
constexpr const char* interceptor_name = "write-aside";
constexpr std::chrono::milliseconds longest_wait{3'600'000};
constexpr std::chrono::seconds words_age_max{60};  // what was said before may be over long since

rd_kafka_resp_err_t on_request_sent(rd_kafka_t*, int, const char*, std::int32_t, std::int16_t api_key, std::int16_t,
                                    std::int32_t, std::size_t, void* listener) {
  static_cast<Listener*>(listener)->request_sent(api_key);
  return RD_KAFKA_RESP_ERR_NO_ERROR;
}

rd_kafka_resp_err_t on_response_received(rd_kafka_t*, int, const char*, std::int32_t, std::int16_t api_key,
                                         std::int16_t, std::int32_t, std::size_t, std::int64_t, rd_kafka_resp_err_t,
                                         void* listener) {
  static_cast<Listener*>(listener)->response_received(api_key);
  return RD_KAFKA_RESP_ERR_NO_ERROR;
}

// "[thrd:HOST:PORT/1]: HOST:PORT/1: Connect to … failed: Connection refused (after 0ms in state CONNECT)" becomes
// "HOST:PORT/1: Connect to … failed: Connection refused".
std::string tidy(std::string_view text) {
  if (text.starts_with("[thrd:")) {
    if (const std::size_t end = text.find("]: "); end != text.npos) text.remove_prefix(end + 3);
  }
  if (const std::size_t after = text.rfind(" (after "); after != text.npos) text = text.substr(0, after);
  std::string line(text);
  std::replace(line.begin(), line.end(), '\n', ' ');
  return line;
}

Client::Obstacle obstacle_of(std::string_view text) {
  const auto says = [text](std::string_view words) { return text.find(words) != text.npos; };
  if (says("SASL") || says("Authentication failed")) return Client::Obstacle::credentials;
  if (says("SSL handshake failed") || says("certificate")) return Client::Obstacle::encryption;
  return Client::Obstacle::network;
}

// Of `Failed to add partition "TOPIC" [0] to transaction: Broker: Topic authorization failed`; empty: of another text.
std::string denied_topic_in(std::string_view text) {
  const std::size_t begin = text.find('"');
  const std::size_t end = text.find('"', begin + 1);
  const std::string_view why = rd_kafka_err2str(RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED);
  if (end == text.npos || text.find(why, end) == text.npos) return {};
  return std::string(text.substr(begin + 1, end - begin - 1));
}

// Of `Current transaction failed in state …: … (TOPIC_AUTHORIZATION_FAILED)`.
rd_kafka_resp_err_t code_in(std::string_view text) {
  const std::size_t open = text.rfind('(');
  if (open == text.npos) return RD_KAFKA_RESP_ERR_NO_ERROR;
  const std::string_view name = text.substr(open + 1, text.find_first_of(",)", open) - open - 1);
  const rd_kafka_err_desc* descriptions = nullptr;
  std::size_t count = 0;
  rd_kafka_get_err_descs(&descriptions, &count);
  for (const rd_kafka_err_desc& one : std::span(descriptions, count)) {
    if (one.name != nullptr && one.name == name) return one.code;
  }
  return RD_KAFKA_RESP_ERR_NO_ERROR;
}

// Records that librdkafka took back by itself, since their transaction cannot be committed any more.
bool is_withdrawal(rd_kafka_resp_err_t code) {
  return code == RD_KAFKA_RESP_ERR__PURGE_QUEUE || code == RD_KAFKA_RESP_ERR__PURGE_INFLIGHT;
}

bool is_connection_trouble(rd_kafka_resp_err_t code) {
  switch (code) {
    case RD_KAFKA_RESP_ERR__TRANSPORT:
    case RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN:
    case RD_KAFKA_RESP_ERR__TIMED_OUT:
    case RD_KAFKA_RESP_ERR__TIMED_OUT_QUEUE:
    case RD_KAFKA_RESP_ERR__MSG_TIMED_OUT:
      return true;
    default:
      return false;
  }
}

}  // namespace

Result<std::unique_ptr<Client>> Client::open(rd_kafka_type_t type, const Properties& properties, Listener* listener) {
  auto conf = make_conf(properties);
  if (!conf) return failure(std::move(conf));
  auto client = std::make_unique<Client>();
  client->listener_ = listener;
  client->queued_records_max_ = number_of(**conf, "queue.buffering.max.messages");
  client->queued_bytes_max_ = number_of(**conf, "queue.buffering.max.kbytes") * 1024;
  rd_kafka_conf_set_opaque(conf->get(), client.get());
  rd_kafka_conf_set_log_cb(conf->get(), on_log);
  if (listener != nullptr) {
    // Without a delivery callback an end of transaction polls in steps of 10 ms.
    rd_kafka_conf_set_dr_msg_cb(conf->get(), [](rd_kafka_t*, const rd_kafka_message_t* record, void* opaque) {
      static_cast<Client*>(opaque)->listener_->released(*record);
    });
    rd_kafka_conf_interceptor_add_on_new(conf->get(), interceptor_name, on_new, client.get());
  }
  if (type == RD_KAFKA_CONSUMER) rd_kafka_conf_set_rebalance_cb(conf->get(), on_rebalance);
  std::array<char, 512> words{};
  client->handle_.reset(rd_kafka_new(type, conf->get(), words.data(), words.size()));
  // The client owns the conf now. After a failure it is still ours, but has been half taken apart where there are
  // interceptors (librdkafka below 2.13), and giving it back would do so twice: it is left to leak.
  const bool leaks = client->handle_ == nullptr && listener != nullptr;
  if (client->handle_ != nullptr || leaks) static_cast<void>(conf->release());
  if (client->handle_ == nullptr)
    return failure(refused("librdkafka refuses the properties: " + std::string(words.data())));
  return client;
}

Client::~Client() = default;

rd_kafka_resp_err_t Client::on_acknowledgement(rd_kafka_t*, rd_kafka_message_t* record, void* client) {
  const auto* const self = static_cast<const Client*>(client);
  self->listener_->acknowledged(*record, *self);
  return RD_KAFKA_RESP_ERR_NO_ERROR;
}

// Groups are cooperative here. What goes wrong shows in the assignment, which the group mends.
void Client::on_rebalance(rd_kafka_t* handle, rd_kafka_resp_err_t code, rd_kafka_topic_partition_list_t* partitions,
                          void* client) {
  const bool gives = code == RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS;
  if (gives) static_cast<Client*>(client)->was_given_share_ = true;
  rd_kafka_error_t* const error =
      gives ? rd_kafka_incremental_assign(handle, partitions) : rd_kafka_incremental_unassign(handle, partitions);
  if (error != nullptr) rd_kafka_error_destroy(error);
}

rd_kafka_resp_err_t Client::on_new(rd_kafka_t* handle, const rd_kafka_conf_t*, void* client, char*, std::size_t) {
  Listener* const listener = static_cast<Client*>(client)->listener_;
  auto added = rd_kafka_interceptor_add_on_request_sent(handle, interceptor_name, on_request_sent, listener);
  if (added != RD_KAFKA_RESP_ERR_NO_ERROR) return added;
  added = rd_kafka_interceptor_add_on_response_received(handle, interceptor_name, on_response_received, listener);
  if (added != RD_KAFKA_RESP_ERR_NO_ERROR) return added;
  return rd_kafka_interceptor_add_on_acknowledgement(handle, interceptor_name, on_acknowledgement, client);
}

// Called by librdkafka's threads; the library never prints.
void Client::on_log(const rd_kafka_t* handle, int level, const char* facility, const char* text) {
  // Why a connection was closed comes as information, too: the other side may want TLS.
  const bool tells_why = level <= log_level_error || std::string_view(facility) == "FAIL";
  if (!tells_why) return;
  auto* const client = static_cast<Client*>(rd_kafka_opaque(handle));
  if (client != nullptr) client->hear(facility, text);
}

void Client::hear(std::string_view facility, std::string_view text) {
  std::string words = tidy(text);
  if (facility == "ADDPARTS" && listener_ != nullptr) {
    if (const std::string topic = denied_topic_in(words); !topic.empty()) {
      listener_->denied(topic);
      const std::lock_guard lock(mutex_);
      denied_topic_ = topic;
    }
  }
  const Obstacle obstacle = obstacle_of(words);
  const std::lock_guard lock(mutex_);
  if (facility == "TXNERR") transaction_error_ = code_in(words);
  // "1/1 brokers are down" follows the reason and says less.
  if (words.find("brokers are down") != std::string::npos) return;
  last_words_ = std::move(words);
  obstacle_ = obstacle;
  heard_at_ = std::chrono::steady_clock::now();
}

bool Client::is_recent() const { return std::chrono::steady_clock::now() - heard_at_ < words_age_max; }

std::string Client::last_words() const {
  const std::lock_guard lock(mutex_);
  return is_recent() ? last_words_ : std::string();
}

Client::Obstacle Client::obstacle() const {
  const std::lock_guard lock(mutex_);
  return is_recent() ? obstacle_ : Obstacle::none;
}

Error Client::error(rd_kafka_resp_err_t code, std::string_view what, Effect effect) const {
  std::array<char, 512> words{};
  if (code == RD_KAFKA_RESP_ERR__FATAL) {
    const rd_kafka_resp_err_t cause = rd_kafka_fatal_error(get(), words.data(), words.size());
    return kafka_error(cause, what, words.data(), effect);
  }
  if (is_withdrawal(code)) return withdrawn(code, what, effect);
  if (!is_connection_trouble(code)) return kafka_error(code, what, {}, effect);
  if (obstacle() == Obstacle::credentials) code = RD_KAFKA_RESP_ERR__AUTHENTICATION;
  if (obstacle() == Obstacle::encryption) code = RD_KAFKA_RESP_ERR__SSL;
  return kafka_error(code, what, last_words(), effect);
}

Error Client::withdrawn(rd_kafka_resp_err_t code, std::string_view what, Effect effect) const {
  const std::lock_guard lock(mutex_);
  if (transaction_error_ == RD_KAFKA_RESP_ERR_NO_ERROR) return kafka_error(code, what, {}, effect);
  if (transaction_error_ != RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED || denied_topic_.empty()) {
    return kafka_error(transaction_error_, what, is_recent() ? last_words_ : std::string(), effect);
  }
  // It need not be this record's topic.
  const std::string denied = "publish to topic '" + denied_topic_ + "' failed";
  return naming_right(kafka_error(transaction_error_, denied, {}, effect), write_on_topic);
}

Error Client::error(const rd_kafka_error_t& cause, std::string_view what, Effect effect) const {
  const rd_kafka_resp_err_t code = rd_kafka_error_code(&cause);
  if (rd_kafka_error_is_fatal(&cause) != 0 && rd_kafka_fatal_error(get(), nullptr, 0) != RD_KAFKA_RESP_ERR_NO_ERROR) {
    return error(RD_KAFKA_RESP_ERR__FATAL, what, effect);
  }
  if (is_connection_trouble(code) && obstacle() != Obstacle::none) return error(code, what, effect);
  return kafka_error(code, what, rd_kafka_error_string(&cause), effect);
}

int milliseconds_until(ports::Deadline deadline) {
  const auto now = std::chrono::steady_clock::now();
  if (deadline <= now) return 0;
  if (deadline - now > longest_wait) return static_cast<int>(longest_wait.count());
  return static_cast<int>(std::chrono::ceil<std::chrono::milliseconds>(deadline - now).count());
}

}  // namespace write_aside::kafka
