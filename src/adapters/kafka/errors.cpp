#include "adapters/kafka/errors.hpp"

#include <algorithm>
#include <array>

namespace write_aside::kafka {
namespace {

struct Meaning {
  rd_kafka_resp_err_t kafka_code;
  ErrorCode code;
  bool retriable;
  const char* remedy;
};

constexpr std::string_view grant = "; grant ";
constexpr const char* look_at_network = "check the address and that the broker is up";
constexpr const char* never_acknowledged = "it was not acknowledged in time; check that the broker is up";
constexpr const char* try_again = "it may be tried again";
constexpr const char* grant_topic = "grant Read and Write on the topic";
constexpr const char* grant_cluster = "grant the right on the cluster";
constexpr const char* grant_group = "grant Read on the consumer group";
constexpr const char* grant_id = "grant Write on the transactional id";
constexpr const char* check_credentials = "check sasl.username, sasl.password and sasl.mechanism";
constexpr const char* another_producer = "another producer has taken the transactional id; initialise a new instance";
constexpr const char* make_smaller = "make the event smaller, or raise max.message.bytes of the topic";
constexpr const char* upgrade = "write-aside needs brokers 3.6 or later";
constexpr const char* more_replicas = "start more brokers, or lower min.insync.replicas of the topic";

constexpr auto meanings = std::to_array<Meaning>({
    {RD_KAFKA_RESP_ERR__TRANSPORT, ErrorCode::unreachable, true, look_at_network},
    {RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN, ErrorCode::unreachable, true, look_at_network},
    {RD_KAFKA_RESP_ERR__RESOLVE, ErrorCode::unreachable, true, look_at_network},
    {RD_KAFKA_RESP_ERR_BROKER_NOT_AVAILABLE, ErrorCode::unreachable, true, look_at_network},
    {RD_KAFKA_RESP_ERR_LEADER_NOT_AVAILABLE, ErrorCode::unreachable, true, try_again},
    {RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION, ErrorCode::unreachable, true, try_again},
    {RD_KAFKA_RESP_ERR_COORDINATOR_NOT_AVAILABLE, ErrorCode::unreachable, true, try_again},
    {RD_KAFKA_RESP_ERR_NOT_COORDINATOR, ErrorCode::unreachable, true, try_again},
    {RD_KAFKA_RESP_ERR_COORDINATOR_LOAD_IN_PROGRESS, ErrorCode::unreachable, true, try_again},
    {RD_KAFKA_RESP_ERR__SSL, ErrorCode::unreachable, false, "check ssl.ca.location and the other ssl.* properties"},
    {RD_KAFKA_RESP_ERR__TIMED_OUT, ErrorCode::timeout, true, look_at_network},
    {RD_KAFKA_RESP_ERR__TIMED_OUT_QUEUE, ErrorCode::timeout, true, look_at_network},
    {RD_KAFKA_RESP_ERR__MSG_TIMED_OUT, ErrorCode::timeout, true, look_at_network},
    {RD_KAFKA_RESP_ERR__PURGE_QUEUE, ErrorCode::timeout, true, never_acknowledged},
    {RD_KAFKA_RESP_ERR__PURGE_INFLIGHT, ErrorCode::timeout, true, never_acknowledged},
    {RD_KAFKA_RESP_ERR_REQUEST_TIMED_OUT, ErrorCode::timeout, true, try_again},
    {RD_KAFKA_RESP_ERR_CONCURRENT_TRANSACTIONS, ErrorCode::busy, true, "a transaction of this id is just ending"},
    {RD_KAFKA_RESP_ERR__QUEUE_FULL, ErrorCode::busy, true, "raise queue.buffering.max.messages, or publish slower"},
    {RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART, ErrorCode::unknown_topic, false, "create the topic, or mend its name"},
    {RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC, ErrorCode::unknown_topic, false, "create the topic, or mend its name"},
    {RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION, ErrorCode::invalid_argument, false, "the topic has no such partition"},
    {RD_KAFKA_RESP_ERR_TOPIC_EXCEPTION, ErrorCode::invalid_argument, false, "mend the topic's name"},
    {RD_KAFKA_RESP_ERR_INVALID_REPLICATION_FACTOR, ErrorCode::invalid_argument, false,
     "there are fewer brokers than replicas: ask for fewer replicas"},
    {RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE, ErrorCode::event_too_large, false, make_smaller},
    {RD_KAFKA_RESP_ERR_RECORD_LIST_TOO_LARGE, ErrorCode::event_too_large, false, make_smaller},
    {RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS, ErrorCode::unreachable, true, more_replicas},
    {RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS_AFTER_APPEND, ErrorCode::unreachable, true, more_replicas},
    {RD_KAFKA_RESP_ERR__FENCED, ErrorCode::fenced, true, another_producer},
    {RD_KAFKA_RESP_ERR_PRODUCER_FENCED, ErrorCode::fenced, true, another_producer},
    {RD_KAFKA_RESP_ERR_INVALID_PRODUCER_EPOCH, ErrorCode::fenced, true, another_producer},
    {RD_KAFKA_RESP_ERR_INVALID_PRODUCER_ID_MAPPING, ErrorCode::fenced, true, another_producer},
    {RD_KAFKA_RESP_ERR__AUTHENTICATION, ErrorCode::not_authorised, false, check_credentials},
    {RD_KAFKA_RESP_ERR_SASL_AUTHENTICATION_FAILED, ErrorCode::not_authorised, false, check_credentials},
    {RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED, ErrorCode::not_authorised, false, grant_topic},
    {RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED, ErrorCode::not_authorised, false, grant_group},
    {RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED, ErrorCode::not_authorised, false, grant_cluster},
    {RD_KAFKA_RESP_ERR_TRANSACTIONAL_ID_AUTHORIZATION_FAILED, ErrorCode::not_authorised, false, grant_id},
    {RD_KAFKA_RESP_ERR_INVALID_TRANSACTION_TIMEOUT, ErrorCode::invalid_argument, false,
     "raise transaction.max.timeout.ms of the brokers, or lower transaction_timeout"},
    {RD_KAFKA_RESP_ERR_KAFKA_STORAGE_ERROR, ErrorCode::io, false, "look at the broker's log"},
    {RD_KAFKA_RESP_ERR_INVALID_MSG, ErrorCode::corrupt, false, "look at the broker's log"},
    {RD_KAFKA_RESP_ERR_UNSUPPORTED_VERSION, ErrorCode::invalid_argument, false, upgrade},
    {RD_KAFKA_RESP_ERR__UNSUPPORTED_FEATURE, ErrorCode::invalid_argument, false, upgrade},
    {RD_KAFKA_RESP_ERR_POLICY_VIOLATION, ErrorCode::invalid_argument, false, "a policy of the cluster forbids it"},
    {RD_KAFKA_RESP_ERR__INVALID_ARG, ErrorCode::invalid_argument, false, "mend the argument"},
});

}  // namespace

Error kafka_error(rd_kafka_resp_err_t code, std::string_view what, std::string_view reason, Effect effect) {
  const auto* const known = std::find_if(meanings.begin(), meanings.end(),
                                         [code](const Meaning& meaning) { return meaning.kafka_code == code; });
  Error error{.code = ErrorCode::unknown,
              .side = Side::stream,
              .effect = effect,
              .retriable = false,
              .message = std::string(what) + ": " + rd_kafka_err2str(code),
              .driver = std::string(rd_kafka_err2name(code)) + " (" + std::to_string(static_cast<int>(code)) + ')'};
  if (!reason.empty()) error.message += " (" + std::string(reason) + ')';
  if (known != meanings.end()) {
    error.code = known->code;
    error.retriable = known->retriable;
    error.message += std::string("; ") + known->remedy;
  }
  return error;
}

Error naming_right(Error error, std::string_view right) {
  const std::size_t remedy = error.message.rfind(grant);
  if (error.code != ErrorCode::not_authorised || remedy == std::string::npos) return error;
  error.message.replace(remedy, std::string::npos, std::string(grant) + std::string(right));
  return error;
}

Error refused(std::string message) {
  return {.code = ErrorCode::invalid_argument,
          .side = Side::caller,
          .effect = Effect::no,
          .message = std::move(message),
          .driver = {}};
}

}  // namespace write_aside::kafka
