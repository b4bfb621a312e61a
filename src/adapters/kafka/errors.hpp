// Kafka's error codes as the library's errors: what they mean for the caller, and what to do.
#pragma once

#include <librdkafka/rdkafka.h>

#include <string>
#include <string_view>

#include "write_aside/error.hpp"

namespace write_aside::kafka {

// `what`: what failed, and on what. `reason`: what librdkafka logged last, which tells more than the code of a call
// that timed out; may be empty. `effect`: whether the failed call may have changed something.
[[nodiscard]] Error kafka_error(rd_kafka_resp_err_t code, std::string_view what, std::string_view reason = {},
                                Effect effect = Effect::no);

inline constexpr std::string_view write_on_topic = "Write on the topic";
inline constexpr std::string_view describe_configs_on_topic = "DescribeConfigs on the topic";

// Names the right that the call needs, if it was refused for want of one.
[[nodiscard]] Error naming_right(Error error, std::string_view right);

// The caller's own mistake.
[[nodiscard]] Error refused(std::string message);

}  // namespace write_aside::kafka
