#include "adapters/kafka/producers.hpp"

#include <algorithm>
#include <array>
#include <thread>
#include <utility>

#include "adapters/kafka/errors.hpp"
#include "adapters/kafka/properties.hpp"

namespace write_aside::kafka {
namespace {

using Clock = std::chrono::steady_clock;

// A transaction that is still open when its id is initialised is aborted by the coordinator within milliseconds, but
// librdkafka asks again only after half a second. A new instance asks at once. After these, one has all the time there
// is: a slow cluster needs it.
constexpr std::array<std::chrono::milliseconds, 3> patiences{
    {std::chrono::milliseconds(150), std::chrono::milliseconds(150), std::chrono::milliseconds(600)}};

constexpr std::chrono::milliseconds pause{50};

// Nothing of the call was taken, and the instance is as good as before.
bool is_refusal(ErrorCode code) {
  switch (code) {
    case ErrorCode::invalid_argument:
    case ErrorCode::unknown_topic:
    case ErrorCode::event_too_large:
    case ErrorCode::not_authorised:
    case ErrorCode::busy:
      return true;
    default:
      return false;
  }
}

}  // namespace

std::string KafkaTransactionalProducer::describe(std::string_view what) const {
  return std::string(what) + " (transactional id '" + transactional_id_ + "', " + store_->name() + ')';
}

Error KafkaTransactionalProducer::misused(std::string_view what) const { return refused(describe(what)); }

Result<void> KafkaTransactionalProducer::check_state(State expected, std::string_view mistake) const {
  if (state_ == State::broken) return failure(broken_by_);
  if (state_ != expected) return failure(misused(mistake));
  return {};
}

Result<void> KafkaTransactionalProducer::initialise(ports::Deadline deadline) {
  state_ = State::fresh;
  for (std::size_t attempt = 0;; ++attempt) {
    const auto until = attempt < patiences.size() ? Clock::now() + patiences[attempt] : deadline;
    auto initialised = try_to_initialise(std::min(until, deadline), deadline);
    if (!initialised) return failure(std::move(initialised));
    if (*initialised) break;
  }
  if (auto warmed = sender_->warm(deadline); !warmed) return warmed;
  end_requests_due_ = 0;
  state_ = State::ready;
  return {};
}

Result<bool> KafkaTransactionalProducer::try_to_initialise(ports::Deadline until, ports::Deadline deadline) {
  sender_.reset();
  auto sender = Sender::open(
      store_, transactional_properties(store_->properties(), transactional_id_, transaction_timeout_), deliveries_);
  if (!sender) return failure(std::move(sender));
  sender_ = std::move(*sender);
  const ErrorHandle error(rd_kafka_init_transactions(sender_->client().get(), milliseconds_until(until)));
  if (error == nullptr) return true;
  // Also an answer that may change, such as a coordinator that is being elected, is asked for again.
  if (rd_kafka_error_is_retriable(error.get()) != 0 && Clock::now() < deadline) {
    // An answer that came at once would come again.
    std::this_thread::sleep_until(std::min(until, Clock::now() + pause));
    return false;
  }
  return failure(sender_->client().error(*error, describe("initialising a producer failed")));
}

Result<void> KafkaTransactionalProducer::begin() {
  if (auto checked = check_state(State::ready, "begin before initialise or inside a transaction"); !checked) {
    return checked;
  }
  const ErrorHandle error(rd_kafka_begin_transaction(sender_->client().get()));
  if (error != nullptr) {
    state_ = State::broken;
    broken_by_ = sender_->client().error(*error, describe("beginning a transaction failed"));
    return failure(broken_by_);
  }
  has_records_ = false;
  state_ = State::open;
  return {};
}

Result<void> KafkaTransactionalProducer::produce(std::span<const ports::RecordView> records, std::uint64_t token) {
  if (auto checked = check_state(State::open, "produce outside a transaction; begin one first"); !checked) {
    return checked;
  }
  auto produced = sender_->produce(records, token);
  if (produced) {
    has_records_ = has_records_ || !records.empty();
  } else if (!is_refusal(produced.error().code)) {
    state_ = State::broken;
    broken_by_ = produced.error();
  }
  return produced;
}

ports::EndReport KafkaTransactionalProducer::end(ports::Ending ending, ports::Deadline deadline) {
  if (auto checked = check_state(State::open, "end outside a transaction; begin one first"); !checked) {
    return {.clean = false, .error = checked.error()};
  }
  rd_kafka_t* const handle = sender_->client().get();
  const int patience = milliseconds_until(deadline);
  const bool commit = ending == ports::Ending::commit;
  const ErrorHandle error(commit ? rd_kafka_commit_transaction(handle, patience)
                                 : rd_kafka_abort_transaction(handle, patience));
  if (has_records_) ++end_requests_due_;
  const std::int64_t sent = sender_->end_requests();
  // B4: a second request may still be on its way and would end a later transaction (KAFKA-17754). A transaction without
  // records has no end at the coordinator, none is sent.
  if (error == nullptr && sent == end_requests_due_ && !sender_->has_failed()) {
    state_ = State::ready;
    return {.clean = true, .error = {}};
  }
  state_ = State::broken;
  broken_by_ = error == nullptr
                   ? not_clean(sent)
                   : sender_->client().error(
                         *error, describe(commit ? "committing a transaction failed" : "aborting a transaction failed"),
                         Effect::unknown);
  return {.clean = false, .error = broken_by_};
}

Error KafkaTransactionalProducer::not_clean(std::int64_t requests_sent) const {
  const std::string why =
      sender_->has_failed()
          ? "a record was not delivered"
          : std::to_string(requests_sent) + " requests to end it were sent, not " + std::to_string(end_requests_due_);
  return {.code = ErrorCode::unknown,
          .side = Side::stream,
          .effect = Effect::unknown,
          .retriable = true,
          .message = describe("the end of a transaction proves nothing: " + why),
          .driver = {}};
}

}  // namespace write_aside::kafka
