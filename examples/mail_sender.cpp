// An effect outside of the database: a mail for each order. No transaction holds it, so it may be asked for twice when the
// service dies between the mail and the commit. The event's identity goes along as the idempotency key, by which the
// provider knows a mail that it has sent.
#include <cstdio>
#include <set>
#include <string>

#include "shop.hpp"

using namespace write_aside;

namespace {

// Stands for a provider that takes idempotency keys, as most do.
class MailProvider {
 public:
  void send(const std::string& to, const std::string& idempotency_key) {
    ++asked_;
    if (keys_.insert(idempotency_key).second) std::printf("mail to %s\n", to.c_str());
  }
  [[nodiscard]] std::size_t sent() const { return keys_.size(); }
  [[nodiscard]] int asked() const { return asked_; }

 private:
  std::set<std::string> keys_;
  int asked_ = 0;
};

}  // namespace

int main() {
  const auto service = shop::open_service("mails", {shop::topic("signups")});
  if (!shop::run(*service, "create table mails (customer text primary key)")) return 1;
  for (const std::string customer : {"ann", "bob"}) {
    const auto sign_up = [&](UnitOfWork& unit) {
      return unit.publish({.topic = shop::topic("signups"), .key = customer, .type = "customer.signed_up"});
    };
    if (!service->run(sign_up, {.wait = Wait::visible}).is_committed()) return 1;
  }

  MailProvider provider;
  bool dies = true;  // the first time, after the mail and before the commit
  const auto welcome = [&](UnitOfWork& unit, std::span<const ReceivedEvent> events) -> Result<void> {
    for (const ReceivedEvent& event : events) {
      auto noted = unit.execute("insert into mails values ($1)", {*event.key});
      if (!noted) return failure(noted);
      // Last, when everything else has succeeded.
      provider.send(*event.key, event.source + "/" + event.id);
    }
    if (std::exchange(dies, false)) {
      return failure(Error{.side = Side::caller, .effect = Effect::no, .retriable = true, .message = "made up"});
    }
    return {};
  };
  const auto consumer = Consumer::open(*service, {.name = shop::topic("mails"), .topics = {shop::topic("signups")}});
  if (const auto done = (*consumer)->run_to_end(welcome); !done) {
    std::fprintf(stderr, "%s\n", done.error().message.c_str());
    return 1;
  }
  std::printf("%zu mails, asked for %d times\n", provider.sent(), provider.asked());
  return provider.sent() == 2 && provider.asked() > 2 && shop::number(*service, "select count(*) from mails") == 2 ? 0
                                                                                                                   : 1;
}
