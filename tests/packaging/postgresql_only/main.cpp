// A user of the PostgreSQL adapter alone. No server is needed to learn that none listens on port 1.
#include <write_aside/adapters/postgresql.hpp>

int main() {
  const auto database = write_aside::postgresql::open("postgresql://127.0.0.1:1/shop");
  return !database && database.error().code == write_aside::ErrorCode::unreachable ? 0 : 1;
}
