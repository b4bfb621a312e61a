#!/usr/bin/env python3
"""Says whether rows and events agree, without going through the library: it reads both stores by other means.

  oracle.py --database PATH --stream PATH --input SOURCE=FILE [--input ...] [--unfinished]
  oracle.py --postgresql URL --kafka HOST:PORT --input SOURCE=FILE [--input ...] [--unfinished]

Reads the inputs, the three tables that they fill, and every committed record of their topics: from the files of SQLite
and the local stream with SQLite alone (embedded_view.py), from servers with clients of their own (server_view.py).
Prints one JSON object with counts and the first examples of each violation, and exits with 1 if there is any:

  missing       a unit of the input has left nothing (not judged with --unfinished: its turn may still come)
  lost          a unit has rows and no event (not judged with --unfinished: its delivery may still be due)
  torn          a unit has some of its rows or events, or a row that others share does not count it (with --unfinished
                rows only: an open transaction may hold one partition back)
  orphan        an event without a unit, or of a unit without rows; a row of no unit
  duplicate     an event (ce_source, ce_id) or a row stands there again
  out_of_order  events of one key are not in the order of their input, or not in one partition
  changed       a row or an event differs from the input
  undelivered   the journal or the stream has something open, though everybody ended (not with --unfinished)
  damaged       SQLite finds one of the files malformed
  untrue        what was reported of an input, or of a unit, is not so (judged if a campaign hands reports in)
"""

import argparse
import collections
import dataclasses
import functools
import json
import pathlib
import sys

from embedded_view import EmbeddedView

VIOLATIONS = ("missing", "lost", "torn", "orphan", "duplicate", "out_of_order", "changed", "undelivered", "damaged",
              "untrue")
EXAMPLES_MAX = 5
INPUTS_KEPT_MAX = 8


@functools.lru_cache(INPUTS_KEPT_MAX)  # a campaign judges the same inputs again and again
def read_input(path):
    """What each line says: order, line item, counter, events."""
    units = []
    with open(path, encoding="utf-8") as file:
        for unit in map(json.loads, file):
            order, line_item, counter = (statement["params"] for statement in unit["statements"])
            events = [(event["topic"], event["key"], event["type"], json.dumps(event["value"], sort_keys=True),
                       event.get("headers", {})) for event in unit["events"]]
            units.append((tuple(order), tuple(line_item), counter[0], events))
    return units


class Unit:
    """What the input says of a unit, and how much of it was found."""

    __slots__ = ("name", "order", "line_item", "counter", "events", "order_rows", "line_item_rows", "event_counts",
                 "may_be_missing")

    def __init__(self, name, order, line_item, counter, events):
        self.name = name
        self.order = order
        self.line_item = line_item
        self.counter = counter
        self.events = events
        self.order_rows = 0
        self.line_item_rows = 0
        self.event_counts = [0] * len(self.events)
        self.may_be_missing = False

    def has_rows(self):
        return self.order_rows > 0 or self.line_item_rows > 0


@dataclasses.dataclass
class Report:
    """What the program said of an input at its end, and how many of its units had rows then."""

    source: str
    status: int
    tally: dict  # its JSON report
    rows: int

    def is_true(self, units):
        known = self.tally["committed"] + self.tally["skipped"]
        if self.status == 0 and known != units:
            return False
        return known <= self.rows <= known + self.tally["in_doubt"]


class Oracle:
    """Judges what a view of the two stores shows; closes the view. `allowed` violations are counted and named, and do no
    harm: a lower level does not promise that there are none."""

    def __init__(self, view, inputs, unfinished=False, reports=(), outcomes=(), allowed=()):
        self.view = view
        self.unfinished = unfinished
        self.reports = reports
        self.outcomes = outcomes  # of single units, in the order in which they were reported: (source, line, state)
        self.allowed = allowed
        self.final = {}  # outcomes by source and line
        self.counts = dict.fromkeys(VIOLATIONS, 0)
        self.examples = collections.defaultdict(list)
        self.events = 0
        self.units = {}  # by source and line
        self.by_order = {}
        for source, path in inputs:
            for line, said in enumerate(read_input(path), start=1):
                unit = Unit(f"{source}:{line}", *said)
                self.units[source, line] = self.by_order[unit.order[0]] = unit

    def violate(self, kind, example, count=1):
        self.counts[kind] += count
        if len(self.examples[kind]) < EXAMPLES_MAX:
            self.examples[kind].append(example)

    def judge(self):
        try:
            for line in self.view.damage():
                self.violate("damaged", line)
            if not self.counts["damaged"]:
                self.read_rows()
                self.read_events()
                self.read_outcomes()
                for unit in self.units.values():
                    self.judge_unit(unit)
                self.judge_counters()
                self.judge_rest()
            self.judge_reports()
        finally:
            self.view.close()
        return self.verdict()

    def read_rows(self):
        for row in self.view.rows("SELECT id, customer, amount FROM orders"):
            unit = self.by_order.get(row[0])
            if unit is None:
                self.violate("orphan", f"row of orders: {row}")
                continue
            unit.order_rows += 1
            if row != unit.order:
                self.violate("changed", f"{unit.name}: row of orders: {row}, not {unit.order}")
        for row in self.view.rows("SELECT order_id, product FROM line_item"):
            unit = self.by_order.get(row[0])
            if unit is None:
                self.violate("orphan", f"row of line_item: {row}")
                continue
            unit.line_item_rows += 1
            if row != unit.line_item:
                self.violate("changed", f"{unit.name}: row of line_item: {row}, not {unit.line_item}")

    def read_events(self):
        last_lines = {}  # by source, topic and key
        partitions = {}  # by topic and key
        for topic, partition, offset, key, value, headers in self.view.events():
            self.events += 1
            place = f"{topic}/{partition}@{offset}"
            source = headers.get("ce_source")
            line, _, index = headers.get("ce_id", "").partition(".")
            unit = self.units.get((source, int(line))) if line.isdigit() and index.isdigit() else None
            if unit is None or int(index) >= len(unit.events):
                self.violate("orphan", f"{place}: no unit of any input has the event {source} {headers.get('ce_id')}")
                continue
            self.read_event(unit, int(index), place, (topic, key, value, headers))
            if partitions.setdefault((topic, key), partition) != partition:
                self.violate("out_of_order", f"{place}: {key} stands in partition {partitions[topic, key]}, too")
            elif int(line) < last_lines.get((source, topic, key), 0):
                self.violate("out_of_order", f"{place}: {unit.name} behind line {last_lines[source, topic, key]}")
            last_lines[source, topic, key] = int(line)

    def read_event(self, unit, index, place, record):
        topic, key, value, headers = record
        unit.event_counts[index] += 1
        if unit.event_counts[index] > 1:
            self.violate("duplicate", f"{place}: {unit.name} event {index}")
        own_headers = {name: text for name, text in headers.items()
                       if not name.startswith(("ce_", "wa-")) and name != "content-type"}
        try:
            value = json.dumps(json.loads(value), sort_keys=True)
        except (TypeError, ValueError):
            self.violate("changed", f"{place}: {unit.name} event {index}: the value is not JSON")
            return
        if (topic, key, headers.get("ce_type"), value, own_headers) != unit.events[index]:
            self.violate("changed", f"{place}: {unit.name} event {index}")

    def read_outcomes(self):
        for source, line, state in self.outcomes:
            before = self.final.setdefault((source, line), state)
            if before not in (state, "in_doubt"):
                self.violate("untrue", f"{source}:{line}: reported {before}, and then {state}")
            self.final[source, line] = state
        for place, state in self.final.items():
            unit = self.units[place]
            if state == "committed" and not unit.has_rows():
                self.violate("untrue", f"{unit.name}: reported committed, and has no rows")
            if state == "aborted" and unit.has_rows():
                self.violate("untrue", f"{unit.name}: reported aborted, and has rows")
            elif state == "aborted" and any(unit.event_counts) and "orphan" not in self.allowed:
                self.violate("untrue", f"{unit.name}: reported aborted, and has events")
            unit.may_be_missing = state != "committed"

    def judge_unit(self, unit):
        present = sum(1 for count in unit.event_counts if count > 0)
        if not unit.has_rows():
            if present:
                self.violate("orphan", f"{unit.name}: {present} events and no row", present)
            elif not self.unfinished and not unit.may_be_missing:
                self.violate("missing", unit.name)
            return
        if unit.order_rows != 1 or unit.line_item_rows == 0:
            self.violate("torn", f"{unit.name}: {unit.order_rows} orders, {unit.line_item_rows} line items")
        if unit.line_item_rows > 1:
            self.violate("duplicate", f"{unit.name}: {unit.line_item_rows} line items", unit.line_item_rows - 1)
        if present == 0 and not self.unfinished:
            self.violate("lost", unit.name)
        elif 0 < present < len(unit.events) and not self.unfinished:
            self.violate("torn", f"{unit.name}: {present} of {len(unit.events)} events")

    def judge_counters(self):
        expected = collections.Counter(unit.counter for unit in self.units.values() if unit.has_rows())
        found = dict(self.view.rows("SELECT name, units FROM counter"))
        for name in expected.keys() | found.keys():
            difference = expected.get(name, 0) - found.get(name, 0)
            if difference:
                self.violate("torn", f"counter {name}: {found.get(name)}, not {expected.get(name)}", abs(difference))

    def judge_rest(self):
        if self.unfinished:
            return
        for query, what in (("SELECT count(*) FROM write_aside_journal WHERE delivered_at IS NULL", "journal rows"),
                            ("SELECT count(*) FROM write_aside_lane WHERE halted <> ''", "halted lanes")):
            (count,) = self.view.rows(query).fetchone()
            if count:
                self.violate("undelivered", what, count)
        if count := self.view.open_transactions():
            self.violate("undelivered", "open stream transactions", count)

    def judge_reports(self):
        units = collections.Counter(source for source, _ in self.units)
        for report in self.reports:
            if not report.is_true(units[report.source]):
                self.violate("untrue", f"{report}, of {units[report.source]} units")

    def verdict(self):
        committed = sum(1 for unit in self.units.values() if unit.has_rows())
        ok = not any(count for kind, count in self.counts.items() if kind not in self.allowed)
        return {"ok": ok, "units": len(self.units), "committed": committed,
                "events": self.events, **self.counts, "examples": dict(self.examples)}


def parse_input(text):
    source, separator, path = text.partition("=")
    if not separator:
        raise argparse.ArgumentTypeError("write SOURCE=FILE")
    return source, path


def parse_options():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--database", help="path of the SQLite database")
    parser.add_argument("--stream", help="path of the local stream")
    parser.add_argument("--postgresql", help="URL of the database")
    parser.add_argument("--kafka", help="HOST:PORT of a broker")
    parser.add_argument("--input", required=True, action="append", type=parse_input, metavar="SOURCE=FILE")
    parser.add_argument("--unfinished", action="store_true", help="some inputs are not applied to their end")
    options = parser.parse_args()
    if bool(options.database and options.stream) == bool(options.postgresql and options.kafka):
        parser.error("give --database and --stream, or --postgresql and --kafka")
    return options


def open_view(options):
    if options.database:
        return EmbeddedView(options.database, options.stream)
    sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
    import servers.environment
    servers.environment.enter()
    from server_view import ServerView
    topics = {event["topic"] for _, path in options.input for text in open(path, encoding="utf-8")
              for event in json.loads(text)["events"]}
    return ServerView(options.postgresql, options.kafka, sorted(topics))


def main():
    options = parse_options()
    verdict = Oracle(open_view(options), options.input, options.unfinished).judge()
    print(json.dumps(verdict))
    return 0 if verdict["ok"] else 1


if __name__ == "__main__":
    sys.exit(main())
