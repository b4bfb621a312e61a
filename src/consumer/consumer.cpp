#include "write_aside/consumer.hpp"

#include <utility>

#include "consumer/loop.hpp"

namespace write_aside {
namespace {

Error refused(std::string message) {
  return {
      .code = ErrorCode::invalid_argument, .side = Side::caller, .effect = Effect::no, .message = std::move(message)};
}

Result<void> check(const ConsumerOptions& options) {
  if (options.name.empty()) return failure(refused("a consumer needs a name, under which its positions are kept"));
  if (options.topics.empty()) return failure(refused("consumer '" + options.name + "' needs a topic"));
  if (options.batch_max == 0) return failure(refused("consumer '" + options.name + "' needs a batch of at least 1"));
  return {};
}

}  // namespace

Result<std::unique_ptr<Consumer>> Consumer::open(Coordinator& coordinator, ConsumerOptions options) {
  if (auto checked = check(options); !checked) return failure(checked);
  if (auto ours = coordinator.check_process(); !ours) return failure(ours);
  if (auto schema = coordinator.database()->schema(); !schema) return failure(schema);
  for (const std::string& topic : options.topics) {
    const auto info = coordinator.stream()->topic(topic);
    if (!info) return failure(info);
    if (!*info) {
      return failure(Error{.code = ErrorCode::unknown_topic,
                           .side = Side::stream,
                           .effect = Effect::no,
                           .message = "there is no topic '" + topic + "' in " + coordinator.stream()->name()});
    }
  }
  auto prefix = coordinator.database()->table_prefix();
  if (!prefix) return failure(prefix);
  auto stream_id = coordinator.stream()->identity();
  if (!stream_id) return failure(stream_id);
  auto loop =
      std::make_unique<consumer::Loop>(coordinator, std::move(options), *std::move(prefix), *std::move(stream_id));
  return std::unique_ptr<Consumer>(new Consumer(std::move(loop)));
}

Consumer::Consumer(std::unique_ptr<consumer::Loop> loop) : loop_(std::move(loop)) {}
Consumer::~Consumer() {
  // Left to leak, as the coordinator is.
  if (loop_ != nullptr && !loop_->opened_in().is_this_one()) static_cast<void>(loop_.release());
}

Result<void> Consumer::run(const Handler& handler) { return run(handler, false); }
Result<void> Consumer::run_to_end(const Handler& handler) { return run(handler, true); }
Result<void> Consumer::run(const Handler& handler, bool to_end) {
  if (!loop_->opened_in().is_this_one()) return failure(loop_->opened_in().forked_error("the consumer"));
  return loop_->run(handler, to_end);
}
void Consumer::stop() { loop_->stop(); }
ConsumerProgress Consumer::progress() const { return loop_->progress(); }

}  // namespace write_aside
