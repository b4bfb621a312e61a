// The Kafka broker that the tests share. Each test makes topics, ids and groups with names of its own.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "write_aside/adapters/kafka.hpp"
#include "write_aside/ports/event_stream.hpp"

namespace write_aside::support {

// HOST:PORT from WRITE_ASIDE_TEST_KAFKA. A test without it fails, and is told what to do.
[[nodiscard]] std::string kafka_address();
[[nodiscard]] kafka::Properties kafka_properties();
// Null, and the test has failed, if the broker cannot be reached.
[[nodiscard]] std::shared_ptr<ports::EventStream> open_kafka(const kafka::Properties& more = {});
// Eight random letters and digits and a dash, the same for one object.
class UniqueNames {
 public:
  UniqueNames();
  [[nodiscard]] std::string operator()(const std::string& text) const { return prefix_ + text; }

 private:
  std::string prefix_;
};

}  // namespace write_aside::support
