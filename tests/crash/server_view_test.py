#!/usr/bin/env python3
"""Holds the oracle's view of PostgreSQL and Kafka to its claims: it shows what is committed, all of it, nothing else.

The stores are written here with clients of their own, as a faultless run would leave them; what the oracle makes of
what it sees is tried in oracle_test.py.
"""

import dataclasses
import json
import pathlib
import sys
import tempfile
import unittest
import uuid

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
import servers.environment  # noqa: E402

servers.environment.enter()

import confluent_kafka  # noqa: E402
import confluent_kafka.admin  # noqa: E402
import psycopg  # noqa: E402

import make_input  # noqa: E402
from oracle import VIOLATIONS, Oracle  # noqa: E402
from server_stores import Addresses, MissingServers, database_url  # noqa: E402
from server_view import LEDGER, ServerView  # noqa: E402

SOURCE = "input"
UNITS = 60
SECONDS_MAX = 30
TABLES = """
CREATE TABLE write_aside_meta (database_id text);
CREATE TABLE write_aside_journal (lane integer, delivered_at bigint);
CREATE TABLE write_aside_lane (lane integer, halted text);
"""


class ServerViewTest(unittest.TestCase):
    def setUp(self):
        self.addresses = Addresses.given()
        self.name = f"view_{uuid.uuid4().hex[:10]}"
        self.form = dataclasses.replace(make_input.SERVERS, topic_suffix=f"-{self.name}")
        self.make_database()
        self.make_topics()
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.input = pathlib.Path(folder.name) / "input.jsonl"
        make_input.write(self.input, UNITS, customers=5, form=self.form)
        self.units = [json.loads(text) for text in self.input.read_text().splitlines()]
        self.producer = self.make_producer()
        self.apply_everything()

    def make_database(self):
        with psycopg.connect(self.addresses.postgresql, autocommit=True) as server:
            server.execute(f"CREATE DATABASE {self.name}")
        self.addCleanup(self.drop_database)
        self.url = database_url(self.addresses.postgresql, self.name)
        self.database = psycopg.connect(self.url, autocommit=True)
        self.addCleanup(self.database.close)
        self.database.execute(self.form.schema + TABLES)
        self.database.execute("INSERT INTO write_aside_meta VALUES (%s)", (self.name,))

    def drop_database(self):
        with psycopg.connect(self.addresses.postgresql, autocommit=True) as server:
            server.execute(f"DROP DATABASE {self.name} WITH (FORCE)")

    def make_topics(self):
        admin = confluent_kafka.admin.AdminClient({"bootstrap.servers": self.addresses.kafka})
        topics = {**self.form.topics(), LEDGER + self.name: 1}
        new = [confluent_kafka.admin.NewTopic(*topic, 1) for topic in topics.items()]
        for made in admin.create_topics(new).values():
            made.result(SECONDS_MAX)
        self.addCleanup(admin.delete_topics, list(topics))

    def make_producer(self):
        producer = confluent_kafka.Producer({"bootstrap.servers": self.addresses.kafka, "linger.ms": 0, "log_level": 0,
                                             "transactional.id": f"view-test.{uuid.uuid4().hex}"})
        producer.init_transactions(SECONDS_MAX)
        return producer

    def apply_everything(self):
        self.producer.begin_transaction()
        with self.database.transaction():
            for unit in self.units:
                for statement in unit["statements"]:
                    cursor = psycopg.RawCursor(self.database)
                    cursor.execute(statement["sql"], statement["params"])
        for line in range(1, UNITS + 1):
            self.produce(line)
        self.producer.commit_transaction(SECONDS_MAX)

    def produce(self, line, indices=(0, 1)):
        for index in indices:
            event = self.units[line - 1]["events"][index]
            headers = {"ce_id": f"{line}.{index}", "ce_source": SOURCE, "ce_type": event["type"],
                       "content-type": "application/json", "wa-unit": f"0.1.{line}.1", **event.get("headers", {})}
            self.producer.produce(event["topic"], json.dumps(event["value"]), event["key"], headers=headers)

    def expect(self, settled=True, **expected):
        view = ServerView(self.url, self.addresses.kafka, list(self.form.topics()), settled)
        verdict = Oracle(view, [(SOURCE, self.input)]).judge()
        found = {kind: verdict[kind] for kind in VIOLATIONS if verdict[kind]}
        self.assertEqual(found, expected, verdict["examples"])
        return verdict

    def test_accepts_a_faultless_run(self):
        verdict = self.expect()
        self.assertEqual((verdict["committed"], verdict["events"]), (UNITS, 2 * UNITS))

    def test_does_not_show_what_was_aborted(self):
        self.producer.begin_transaction()
        self.produce(UNITS)
        self.producer.flush(SECONDS_MAX)
        self.producer.abort_transaction(SECONDS_MAX)
        self.expect()

    def test_shows_an_event_that_stands_there_again(self):
        self.producer.begin_transaction()
        self.produce(UNITS)
        self.producer.commit_transaction(SECONDS_MAX)
        self.expect(duplicate=2)

    def test_counts_the_partitions_that_an_open_transaction_holds_up(self):
        self.producer.begin_transaction()
        self.produce(UNITS)
        self.producer.flush(SECONDS_MAX)
        self.expect(settled=False, undelivered=2)
        self.producer.abort_transaction(SECONDS_MAX)

    def test_counts_an_open_transaction_on_the_ledger(self):
        self.producer.begin_transaction()
        self.producer.produce(LEDGER + self.name, "1 1 1", "o:1")
        self.producer.flush(SECONDS_MAX)
        self.expect(settled=False, undelivered=1)
        self.producer.abort_transaction(SECONDS_MAX)

    def test_shows_rows_without_their_events(self):
        self.database.execute("INSERT INTO orders VALUES (%s, 'a-1', 1)", (UNITS + 1,))
        self.database.execute("DELETE FROM line_item WHERE order_id = 17")
        self.database.execute("UPDATE counter SET units = units - 1 WHERE name = 'shared'")
        self.expect(orphan=1, torn=2)

    def test_counts_what_is_not_delivered(self):
        self.database.execute("INSERT INTO write_aside_journal VALUES (0, NULL), (0, 17)")
        self.database.execute("INSERT INTO write_aside_lane VALUES (0, 'the ledger is below settled'), (1, '')")
        self.expect(undelivered=2)

    def test_fails_when_a_topic_is_missing(self):
        view = ServerView(self.url, self.addresses.kafka, ["no-such-topic"])
        with self.assertRaisesRegex(RuntimeError, "no topic no-such-topic"):
            Oracle(view, [(SOURCE, self.input)]).judge()


if __name__ == "__main__":
    try:
        Addresses.given()
    except MissingServers as missing:
        sys.exit(f"FAILED: {missing}")
    unittest.main()
