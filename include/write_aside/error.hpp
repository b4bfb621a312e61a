// What went wrong, said so that a program can act on it and a person can mend it.
//
// Every fallible call of this library returns a Result (result.hpp) that holds an Error on failure.
// An Error answers four questions: did the call take effect, may it be tried again, which side failed,
// and what did the driver say. `message` is one line: what failed, on what, and what to do. It never
// holds a password or the contents of a row or an event.
//
// Values of these types are plain data: copy them, share them between threads by copying.
#pragma once

#include <string>

namespace write_aside {

// Did the failed call change anything in the store? `unknown` is the honest answer to a lost reply.
enum class Effect { no, yes, unknown };

// Who refused: one of the two stores, this library's coordination, or the caller's own input.
enum class Side { database, stream, coordinator, caller };

// The kinds a program may want to tell apart. A driver's code that is not known maps to the most
// careful kind (`unknown`), never to one that promises more than is known.
enum class ErrorCode {
  invalid_argument,   // the caller's input: unknown field, bad name, a value out of range
  unknown_topic,      // the topic does not exist in the stream
  event_too_large,    // above the stream's limit for one record
  constraint,         // a constraint of the database refused the row
  statement,          // the database refused a statement for another reason (syntax, missing table)
  conflict,           // serialization failure, deadlock, an order guard: the unit may be run again
  busy,               // somebody else holds the database or the stream file
  timeout,            // a bounded wait ended
  unreachable,        // the store cannot be opened or connected to
  not_authorised,     // the store refused the credentials, or they lack a right
  read_only,          // the store cannot be written
  storage_full,       // no space left
  io,                 // the store failed to read or write
  corrupt,            // the store is damaged, or is not ours
  not_initialised,    // the tables or the ledger are missing: run `write-aside init`
  newer_version,      // made by a newer version of this software
  gone,               // records that were to be read are no longer in the stream
  fenced,             // another producer took this transactional id
  lane_unavailable,   // no lane can take the unit just now
  halted,             // the lane was halted and waits for the operator
  transaction_ended,  // the caller ended the transaction behind the library's back
  closed,             // the object was closed
  internal,           // an invariant of this library is broken: a defect
  unknown,
};

struct Error {
  ErrorCode code = ErrorCode::unknown;
  Side side = Side::coordinator;
  Effect effect = Effect::unknown;
  bool retriable = false;    // running the same unit again may succeed
  std::string message = {};  // one line: what, on what, what to do
  std::string driver = {};   // verbatim: "SQLITE_BUSY (5)", SQLSTATE, Kafka's error name; may be empty
};

}  // namespace write_aside
