// Goal: the local stream keeps every promise of the EventStream port.
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <memory>
#include <string>
#include <system_error>
#include <thread>

#include "contract/event_stream_contract.hpp"
#include "contract/event_stream_group_contract.hpp"
#include "contract/event_stream_holding_back_contract.hpp"
#include "write_aside/adapters/local_stream.hpp"

namespace write_aside::contract {
namespace {

// A file of its own for every test.
class LocalStreamHarness {
 public:
  static constexpr bool compacts_at_once = true;
  static constexpr std::chrono::milliseconds shortest_time_out{100};
  static std::chrono::milliseconds patience() { return 10s; }
  static void pass(std::chrono::milliseconds time) { std::this_thread::sleep_for(time); }

  LocalStreamHarness() {
    std::string pattern = (std::filesystem::temp_directory_path() / "write-aside-XXXXXX").string();
    if (::mkdtemp(pattern.data()) != nullptr) folder_ = pattern;
  }
  ~LocalStreamHarness() {
    std::error_code ignored;
    std::filesystem::remove_all(folder_, ignored);
  }
  static std::string name(std::string text) { return text; }
  std::shared_ptr<ports::EventStream> open() {
    auto opened = local_stream::open((folder_ / "stream.events").string());
    EXPECT_TRUE(opened.has_value()) << opened.error().message;
    return opened ? *opened : nullptr;
  }

 private:
  std::filesystem::path folder_;
};

INSTANTIATE_TYPED_TEST_SUITE_P(LocalStream, EventStreamContract, LocalStreamHarness);
INSTANTIATE_TYPED_TEST_SUITE_P(LocalStream, EventStreamHoldingBackContract, LocalStreamHarness);
INSTANTIATE_TYPED_TEST_SUITE_P(LocalStream, EventStreamGroupContract, LocalStreamHarness);

}  // namespace
}  // namespace write_aside::contract
