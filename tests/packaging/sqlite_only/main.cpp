// A user of the SQLite adapter alone.
#include <write_aside/adapters/sqlite.hpp>

int main() { return write_aside::sqlite::open("consumer.db") ? 0 : 1; }
