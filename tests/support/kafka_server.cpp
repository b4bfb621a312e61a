#include "support/kafka_server.hpp"

#include <gtest/gtest.h>

#include <cstdlib>
#include <random>

namespace write_aside::support {

std::string kafka_address() {
  const char* const address = std::getenv("WRITE_ASIDE_TEST_KAFKA");
  if (address != nullptr) return address;
  ADD_FAILURE() << "WRITE_ASIDE_TEST_KAFKA is not set: run the tests under tools/servers, or name a broker, HOST:PORT";
  return "127.0.0.1:1";
}

kafka::Properties kafka_properties() { return {{"bootstrap.servers", kafka_address()}}; }

std::shared_ptr<ports::EventStream> open_kafka(const kafka::Properties& more) {
  kafka::Properties properties = kafka_properties();
  for (const auto& [name, value] : more) properties.insert_or_assign(name, value);
  auto opened = kafka::open(properties);
  EXPECT_TRUE(opened.has_value()) << opened.error().message;
  return opened ? *opened : nullptr;
}

UniqueNames::UniqueNames() {
  static constexpr std::string_view letters = "abcdefghijklmnopqrstuvwxyz0123456789";
  std::random_device device;
  for (int count = 0; count < 8; ++count) prefix_ += letters[device() % letters.size()];
  prefix_ += '-';
}

}  // namespace write_aside::support
