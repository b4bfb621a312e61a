// A topic as `init --topic` names it: NAME:PARTITIONS[:compacted].
#pragma once

#include <string>

#include "write_aside/ports/event_stream.hpp"
#include "write_aside/result.hpp"

namespace write_aside::cli {

[[nodiscard]] Result<ports::TopicSpec> parse_topic_spec(const std::string& text);

}  // namespace write_aside::cli
