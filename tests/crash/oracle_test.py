#!/usr/bin/env python3
"""Holds the oracle to its claims: it accepts what a faultless run leaves, and finds each corruption, once each.

The stores are written here by hand, so that no program is needed; only the columns that the oracle reads are there.
"""

import json
import pathlib
import sqlite3
import tempfile
import unittest

import make_input
from embedded_view import EmbeddedView
from oracle import VIOLATIONS, Oracle, Report

SOURCE = "input"
UNITS = 60
CUSTOMERS = 5  # so that a key has many events
STREAM_SCHEMA = """
CREATE TABLE committed_records (topic, partition, offset, key, value, headers, timestamp_ms);
CREATE TABLE open_transaction (producer INTEGER PRIMARY KEY);
"""
WRITE_ASIDE_SCHEMA = """
CREATE TABLE write_aside_journal (lane, epoch, n, member, delivered_at);
CREATE TABLE write_aside_lane (lane, halted);
"""


class OracleTest(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)
        folder = pathlib.Path(self.folder.name)
        self.input = folder / "input.jsonl"
        make_input.write(self.input, UNITS, customers=CUSTOMERS)
        self.database_path = folder / "shop.db"
        self.stream_path = folder / "shop.events"
        self.database = sqlite3.connect(self.database_path, isolation_level=None)
        self.stream = sqlite3.connect(self.stream_path, isolation_level=None)
        self.addCleanup(self.database.close)
        self.addCleanup(self.stream.close)
        for connection in (self.database, self.stream):
            connection.execute("PRAGMA synchronous = OFF")  # nobody cuts the power here
        self.apply_everything()

    def apply_everything(self):
        self.database.executescript(make_input.EMBEDDED.schema + WRITE_ASIDE_SCHEMA)
        self.stream.executescript(STREAM_SCHEMA)
        self.database.execute("BEGIN")
        self.stream.execute("BEGIN")
        offset = 0
        for line, text in enumerate(self.input.read_text().splitlines(), start=1):
            unit = json.loads(text)
            for statement in unit["statements"]:
                self.database.execute(statement["sql"], statement["params"])
            for index, event in enumerate(unit["events"]):
                headers = {"ce_id": f"{line}.{index}", "ce_source": SOURCE, "ce_type": event["type"],
                           "content-type": "application/json", "wa-unit": f"0.1.{line}.1", **event.get("headers", {})}
                partition = int(event["key"].rpartition("-")[2]) % make_input.TOPICS[event["topic"]]
                self.stream.execute("INSERT INTO committed_records VALUES (?, ?, ?, ?, ?, ?, 0)",
                                    (event["topic"], partition, offset, event["key"], json.dumps(event["value"]),
                                     json.dumps(headers)))
                offset += 1
        self.database.execute("COMMIT")
        self.stream.execute("COMMIT")

    def judge(self, unfinished=False):
        return Oracle(EmbeddedView(self.database_path, self.stream_path), [(SOURCE, self.input)], unfinished).judge()

    def expect(self, unfinished=False, **expected):
        verdict = self.judge(unfinished)
        found = {kind: verdict[kind] for kind in VIOLATIONS if verdict[kind]}
        self.assertEqual(found, expected, verdict["examples"])
        self.assertEqual(verdict["ok"], not expected)

    def delete_events(self, line, index="*"):
        deleted = self.stream.execute("DELETE FROM committed_records WHERE json_extract(headers, '$.ce_id') GLOB ?",
                                      (f"{line}.{index}",)).rowcount
        self.assertGreater(deleted, 0)

    def delete_rows(self, order):
        self.database.execute("DELETE FROM orders WHERE id = ?", (order,))
        self.database.execute("DELETE FROM line_item WHERE order_id = ?", (order,))

    def uncount(self, order):
        unit = json.loads(self.input.read_text().splitlines()[order - 1])
        self.database.execute("UPDATE counter SET units = units - 1 WHERE name = ?", unit["statements"][2]["params"])

    def test_accepts_a_faultless_run(self):
        self.expect()
        self.assertEqual(self.judge()["events"], 2 * UNITS)
        self.assertEqual(self.judge()["committed"], UNITS)

    def test_finds_a_unit_that_lost_all_its_events(self):
        self.delete_events(17)
        self.expect(lost=1)

    def test_finds_a_unit_that_lost_one_event(self):
        self.delete_events(17, 1)
        self.expect(torn=1)

    def test_finds_a_unit_that_was_not_applied(self):
        self.delete_events(17)
        self.delete_rows(17)
        self.uncount(17)
        self.expect(missing=1)

    def test_finds_a_repeated_event(self):
        self.stream.execute("INSERT INTO committed_records SELECT topic, partition, 1000, key, value, headers, 0 "
                            "FROM committed_records WHERE json_extract(headers, '$.ce_id') = ?", (f"{UNITS}.0",))
        self.expect(duplicate=1)

    def test_finds_a_late_repetition_out_of_order_too(self):
        first = self.stream.execute("SELECT key, json_extract(headers, '$.ce_id') FROM committed_records "
                                    "WHERE topic = 'orders' ORDER BY offset LIMIT 1").fetchone()
        self.stream.execute("INSERT INTO committed_records SELECT topic, partition, 1000, key, value, headers, 0 "
                            "FROM committed_records WHERE json_extract(headers, '$.ce_id') = ?", (first[1],))
        self.expect(duplicate=1, out_of_order=1)

    def test_finds_two_events_of_a_key_that_changed_places(self):
        offsets = self.stream.execute(
            "SELECT offset FROM committed_records WHERE topic = 'stock' AND key = 'a-1' ORDER BY offset").fetchall()
        (first,), (second,) = offsets[3:5]
        self.stream.execute("UPDATE committed_records SET offset = -1 WHERE offset = ?", (first,))
        self.stream.execute("UPDATE committed_records SET offset = ? WHERE offset = ?", (first, second))
        self.stream.execute("UPDATE committed_records SET offset = ? WHERE offset = -1", (second,))
        self.expect(out_of_order=1)

    def test_finds_a_key_in_two_partitions(self):
        self.stream.execute("UPDATE committed_records SET partition = 9 WHERE offset = "
                            "(SELECT max(offset) FROM committed_records)")
        self.expect(out_of_order=1)

    def test_finds_a_missing_row_of_an_order(self):
        self.database.execute("DELETE FROM orders WHERE id = 17")
        self.expect(torn=1)

    def test_finds_a_missing_line_item(self):
        self.database.execute("DELETE FROM line_item WHERE order_id = 17")
        self.expect(torn=1)

    def test_finds_a_unit_that_a_shared_row_does_not_count(self):
        self.database.execute("UPDATE counter SET units = units - 1 WHERE name = 'shared'")
        self.expect(torn=1)

    def test_finds_a_unit_that_was_applied_twice(self):
        self.database.execute("INSERT INTO line_item (order_id, product) "
                              "SELECT order_id, product FROM line_item WHERE order_id = 17")
        self.expect(duplicate=1)

    def test_finds_the_events_of_a_unit_without_rows(self):
        self.delete_rows(17)
        self.uncount(17)
        self.expect(orphan=2)
        self.expect(unfinished=True, orphan=2)

    def test_finds_an_event_that_no_unit_has(self):
        self.stream.execute("INSERT INTO committed_records VALUES ('orders', 0, 1000, 'a-1', '{}', ?, 0)",
                            (json.dumps({"ce_id": f"{UNITS + 1}.0", "ce_source": SOURCE}),))
        self.stream.execute("INSERT INTO committed_records VALUES ('orders', 0, 1001, 'a-1', '{}', '{}', 0)")
        self.expect(orphan=2)

    def test_finds_a_row_of_no_unit(self):
        self.database.execute("INSERT INTO orders VALUES (?, 'a-1', 1)", (UNITS + 1,))
        self.expect(orphan=1)

    def test_finds_what_differs_from_the_input(self):
        self.database.execute("UPDATE orders SET amount = -1 WHERE id = 17")
        self.stream.execute("UPDATE committed_records SET value = '{}' WHERE offset = 3")
        self.expect(changed=2)

    def test_finds_what_is_left_open(self):
        self.database.execute("INSERT INTO write_aside_journal VALUES (0, 1, 1, 1, NULL)")
        self.database.execute("INSERT INTO write_aside_lane VALUES (0, 'the ledger is below settled')")
        self.stream.execute("INSERT INTO open_transaction VALUES (1)")
        self.expect(undelivered=3)

    def test_waits_for_what_may_still_come(self):
        self.delete_events(17)  # committed, not yet delivered
        self.delete_events(18)  # not yet applied
        self.delete_rows(18)
        self.uncount(18)
        self.database.execute("INSERT INTO write_aside_journal VALUES (0, 1, 1, 1, NULL)")
        self.expect(unfinished=True)

    def test_finds_a_report_that_is_not_true(self):
        def report(status, committed, in_doubt, rows):
            tally = {"committed": committed, "skipped": 10, "in_doubt": in_doubt}
            return Report(SOURCE, status, tally, rows)

        true = [report(0, UNITS - 10, 0, UNITS), report(3, 20, 2, 31), report(1, 20, 0, 30)]
        untrue = [report(0, UNITS - 11, 0, UNITS - 1), report(1, 20, 0, 31), report(3, 20, 1, 29)]
        view = EmbeddedView(self.database_path, self.stream_path)
        verdict = Oracle(view, [(SOURCE, self.input)], reports=true + untrue).judge()
        self.assertEqual(verdict["untrue"], len(untrue), verdict["examples"])

    def test_finds_an_outcome_that_is_not_true(self):
        for line in (17, 18, 19, 20):
            self.delete_events(line)
            self.delete_rows(line)
            self.uncount(line)
        true = [(1, "committed"), (2, "in_doubt"), (2, "committed"), (17, "aborted"), (18, "in_doubt"),
                (18, "aborted"), (19, "in_doubt"), (20, "aborted")]
        untrue = [(20, "committed"), (3, "aborted"), (4, "aborted"), (4, "committed")]
        for outcomes, count in ((true, 0), (true + untrue, 4)):
            view = EmbeddedView(self.database_path, self.stream_path)
            verdict = Oracle(view, [(SOURCE, self.input)],
                             outcomes=[(SOURCE, *outcome) for outcome in outcomes]).judge()
            self.assertEqual((verdict["untrue"], verdict["missing"]), (count, count > 0), verdict["examples"])

    def test_counts_what_a_level_allows_and_finds_no_harm_in_it(self):
        self.delete_events(3)
        self.delete_rows(5)
        self.uncount(5)
        for allowed, ok in (((), False), (("lost",), False), (("lost", "orphan"), True)):
            view = EmbeddedView(self.database_path, self.stream_path)
            verdict = Oracle(view, [(SOURCE, self.input)], outcomes=[(SOURCE, 5, "aborted")], allowed=allowed).judge()
            self.assertEqual((verdict["ok"], verdict["lost"], verdict["orphan"]), (ok, 1, 2), verdict["examples"])
            self.assertEqual(verdict["untrue"], "orphan" not in allowed, verdict["examples"])

    def test_finds_a_damaged_file(self):
        self.database.close()
        with open(self.database_path, "r+b") as file:
            file.seek(4096)
            file.write(b"\xff" * 4096)
        verdict = self.judge()
        self.assertFalse(verdict["ok"])
        self.assertGreater(verdict["damaged"], 0)


if __name__ == "__main__":
    unittest.main()
