// A statement of `consume`: SQL in which names stand for parts of an event.
//
//   :key  :value  :topic  :partition  :offset  :timestamp_ms  :type  :source  :id      of the event
//   :header.NAME  :value.FIELD.FIELD  :value.LIST.0                                    a header, a part of a JSON value
//   :{header.content-type}                                                             a name with other characters
//   :value.note?                                                                       NULL where it is missing
//   :key_bytes  :value_bytes                                                           as bytes instead of text
//
// Names in quotes, comments and PostgreSQL's `::` are left alone. The names become the database's own placeholders, so that
// nothing of an event is ever part of the SQL.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "stores.hpp"
#include "write_aside/result.hpp"

namespace write_aside::cli {

struct EventPart {
  enum class Kind {
    key,
    key_bytes,
    value,
    value_bytes,
    topic,
    partition,
    offset,
    timestamp_ms,
    source,
    id,
    header,
    field
  };
  Kind kind = Kind::key;
  std::string name = {};               // as written, for messages; of a header: its name
  std::vector<std::string> path = {};  // of a field
  bool optional = false;
};

struct EventStatement {
  std::string sql;               // with the database's placeholders
  std::vector<EventPart> parts;  // what they stand for, in order

  // A name that means nothing is an error.
  [[nodiscard]] static Result<EventStatement> parse(std::string_view text, const Dialect& dialect);
};

}  // namespace write_aside::cli
