#include "coordination/direct_publisher.hpp"

#include "core/envelope.hpp"

namespace write_aside::coordination {

namespace {

std::string event_ids(const core::Publication& publication) {
  constexpr std::size_t named_max = 5;
  std::string text;
  for (std::size_t i = 0; i < publication.events.size() && i < named_max; ++i) {
    text += (i == 0 ? "" : ", ") + publication.events[i].id;
  }
  if (publication.events.size() > named_max) {
    text += " and " + std::to_string(publication.events.size() - named_max) + " more";
  }
  return text;
}

Outcome roll_back(ports::Session& session, Error error) {
  (void)session.rollback();
  return Outcome::aborted(std::move(error));
}

}  // namespace

DirectPublisher::DirectPublisher(const Context& context)
    : context_(context),
      lock_(context.runtime.mutex()),
      transactional_prefix_("write-aside.direct." + std::to_string(context.runtime.random()) + '.') {}

Result<std::unique_ptr<DirectPublisher>> DirectPublisher::open(const Context& context) {
  auto publisher = std::make_unique<DirectPublisher>(context);
  if (context.options.guarantee == Guarantee::at_least_once) {
    auto producer = context.stream->producer(*publisher);
    if (!producer) return failure(producer);
    publisher->producer_ = std::move(*producer);
  }
  return publisher;
}

Outcome DirectPublisher::commit(ports::Session& session, const core::Publication& publication) {
  return context_.options.guarantee == Guarantee::at_least_once ? commit_after_acknowledgement(session, publication)
                                                                : commit_both(session, publication);
}

Outcome DirectPublisher::commit_after_acknowledgement(ports::Session& session, const core::Publication& publication) {
  core::Envelope envelope;
  envelope.add(publication, nullptr);
  const std::uint64_t token = expect_delivery();
  if (auto produced = producer_->produce(envelope.records(), token); !produced) {
    forget_delivery(token);
    return roll_back(session, produced.error());
  }
  if (auto delivered = await_delivery(token); !delivered) {
    Error error = delivered.error();
    error.message += "; the rows are rolled back, the events " + event_ids(publication) + " may be in the stream";
    return roll_back(session, std::move(error));
  }
  ports::CommitReply reply = session.commit(context_.after(context_.options.commit_timeout));
  if (reply.state == CommitState::committed) return Outcome::committed({}, std::move(reply.error));
  Error error = std::move(*reply.error);
  error.message += "; the events " + event_ids(publication) + " are in the stream already: orphans" +
                   (reply.state == CommitState::in_doubt ? " if the COMMIT did not land" : "");
  if (reply.state == CommitState::in_doubt) return Outcome::in_doubt({}, std::move(error));
  error.effect = Effect::yes;
  return Outcome::aborted(std::move(error));
}

Outcome DirectPublisher::commit_both(ports::Session& session, const core::Publication& publication) {
  auto instance = take_instance();
  if (!instance) return roll_back(session, instance.error());
  bool clean = false;
  Outcome outcome = commit_both(*instance->producer, session, publication, clean);
  if (!clean) instance->producer.reset();
  give_back(std::move(*instance));
  return outcome;
}

Outcome DirectPublisher::commit_both(ports::TransactionalProducer& producer, ports::Session& session,
                                     const core::Publication& publication, bool& clean) {
  if (auto begun = producer.begin(); !begun) return roll_back(session, begun.error());
  core::Envelope envelope;
  envelope.add(publication, nullptr);
  const std::uint64_t token = expect_delivery();
  auto voted = producer.produce(envelope.records(), token);
  if (voted) {
    voted = await_delivery(token);
  } else {
    forget_delivery(token);
  }
  if (!voted) return roll_back(session, voted.error());

  const TimePoint deadline = context_.after(context_.options.commit_timeout);
  ports::CommitReply reply = session.commit(deadline);
  const ports::EndReport report =
      producer.end(reply.state == CommitState::committed ? ports::Ending::commit : ports::Ending::abort, deadline);
  clean = report.clean;
  switch (reply.state) {
    case CommitState::aborted:
      return Outcome::aborted(std::move(*reply.error));
    case CommitState::in_doubt: {
      Error error = std::move(*reply.error);
      error.message += "; the events were withdrawn: they are lost if the COMMIT landed";
      return Outcome::in_doubt({}, std::move(error));
    }
    case CommitState::committed:
      break;
  }
  if (report.clean) return Outcome::committed({}, std::move(reply.error));
  Error error = report.error.value_or(
      coordination_error(ErrorCode::unknown, Effect::unknown, false, "the stream's commit was not answered"));
  error.message += "; the rows are committed, the events " + event_ids(publication) + " may be lost";
  return Outcome::committed({}, std::move(error));
}

std::uint64_t DirectPublisher::expect_delivery() {
  const Lock lock(*lock_);
  awaited_.emplace(++last_token_, Awaited{});
  return last_token_;
}

void DirectPublisher::forget_delivery(std::uint64_t token) {
  const Lock lock(*lock_);
  awaited_.erase(token);
}

Result<void> DirectPublisher::await_delivery(std::uint64_t token) {
  const TimePoint deadline = context_.after(context_.options.publish_timeout);
  Lock lock(*lock_);
  Awaited& awaited = awaited_.at(token);
  if (!awaited.delivery) awaited.arrived = context_.runtime.condition();
  while (!awaited.delivery && context_.now() < deadline) awaited.arrived->wait_until(lock, deadline);
  const std::optional<Result<std::int64_t>> delivery = std::move(awaited.delivery);
  awaited_.erase(token);
  if (!delivery) {
    Error error =
        coordination_error(ErrorCode::timeout, Effect::unknown, false, "publishing was not acknowledged in time");
    error.side = Side::stream;
    return failure(std::move(error));
  }
  if (!*delivery) return failure(*delivery);
  return {};
}

void DirectPublisher::delivered(std::uint64_t token, Result<std::int64_t> first_offset) {
  const Lock lock(*lock_);
  const auto awaited = awaited_.find(token);
  if (awaited == awaited_.end()) return;
  awaited->second.delivery = std::move(first_offset);
  if (awaited->second.arrived) awaited->second.arrived->notify_all();
}

Result<DirectPublisher::Instance> DirectPublisher::take_instance() {
  Instance instance;
  {
    const Lock lock(*lock_);
    if (idle_.empty()) {
      instance.id = transactional_prefix_ + std::to_string(++instance_count_);
    } else {
      instance = std::move(idle_.back());
      idle_.pop_back();
    }
  }
  if (instance.producer != nullptr) return instance;
  auto producer = context_.stream->transactional_producer(instance.id, context_.options.transaction_timeout, *this);
  if (producer) {
    auto initialised = (*producer)->initialise(context_.after(context_.options.publish_timeout));
    if (!initialised) producer = failure(initialised);
  }
  if (!producer) {
    give_back(std::move(instance));
    return failure(producer);
  }
  instance.producer = std::move(*producer);
  return instance;
}

void DirectPublisher::give_back(Instance instance) {
  const Lock lock(*lock_);
  idle_.push_back(std::move(instance));
}

}  // namespace write_aside::coordination
