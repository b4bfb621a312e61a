#!/usr/bin/env python3
"""Holds the proxy to its claims: that it strikes the request it names, and nothing before or behind it.

PostgreSQL is the real server, met through psycopg. Kafka is played by a socket that answers each request: what matters
is which requests are recognised, and in which order what arrives.
"""

import os
import pathlib
import socket
import struct
import sys
import threading
import time
import unittest
import uuid

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
import servers.environment  # noqa: E402

servers.environment.enter()

import psycopg  # noqa: E402

from servers import kafka_wire, postgresql_wire, proxy  # noqa: E402

POSTGRESQL = "WRITE_ASIDE_TEST_POSTGRESQL"
SECONDS_MAX = 10


class NextOne:
    """Strikes the next request with this label, once."""

    def __init__(self, label):
        self.label = label
        self.fault = None
        self.labels = []

    def __call__(self, label):
        self.labels.append(label)
        if label != self.label:
            return None
        fault, self.fault = self.fault, None
        return fault


class PostgresqlTest(unittest.TestCase):
    def setUp(self):
        self.table = f"proxy_{uuid.uuid4().hex[:10]}"
        address, _, self.database = os.environ[POSTGRESQL].rpartition("/")
        self.address, _, port = address.rpartition(":")
        self.direct = psycopg.connect(os.environ[POSTGRESQL], autocommit=True)
        self.direct.execute(f"CREATE TABLE {self.table}_write_aside_journal (id integer)")
        self.addCleanup(self.direct.close)
        self.addCleanup(self.direct.execute, f"DROP TABLE {self.table}_write_aside_journal")
        self.choose = NextOne("unit_commit")
        self.proxy = proxy.Proxy(postgresql_wire, lambda: int(port), self.choose).start()
        self.addCleanup(self.proxy.stop)
        self.client = self.connect()
        self.pid = self.client.info.backend_pid
        self.insert = f"INSERT INTO {self.table}_write_aside_journal VALUES (1)"

    def connect(self):
        client = psycopg.connect(f"{self.address}:{self.proxy.port}/{self.database}", autocommit=True)
        self.addCleanup(client.close)
        return client

    def rows(self):
        return self.direct.execute(f"SELECT count(*) FROM {self.table}_write_aside_journal").fetchone()[0]

    def await_rows(self, count):
        limit = time.monotonic() + SECONDS_MAX
        while self.rows() != count:
            self.assertLess(time.monotonic(), limit, f"{self.rows()} rows, not {count}")
            time.sleep(0.01)

    def commit_fails(self, fault, commit="COMMIT"):
        self.client.execute("BEGIN")
        self.client.execute(self.insert)
        self.choose.fault = fault
        with self.assertRaises(psycopg.OperationalError):
            self.client.execute(commit)

    def test_relays_everything_else(self):
        self.client.execute("BEGIN")
        self.client.execute(self.insert)
        self.client.execute("COMMIT")
        large = "x" * 1_000_000
        self.assertEqual(self.client.execute("SELECT %s::text", (large,)).fetchone()[0], large)
        self.assertEqual(self.rows(), 1)

    def test_cuts_before_the_server_reads_the_commit(self):
        self.commit_fails(proxy.cut_before())
        self.await_no_session()
        self.assertEqual(self.rows(), 0)

    def await_no_session(self):
        limit = time.monotonic() + SECONDS_MAX
        while self.direct.execute("SELECT count(*) FROM pg_stat_activity WHERE pid = %s", (self.pid,)).fetchone()[0]:
            self.assertLess(time.monotonic(), limit)
            time.sleep(0.01)

    def test_cuts_after_the_server_has_committed(self):
        self.commit_fails(proxy.cut_after())
        self.assertEqual(self.rows(), 1)

    def test_lets_the_server_read_a_commit_that_nobody_waits_for(self):
        self.commit_fails(proxy.cut_at_once())
        self.await_rows(1)

    def test_lets_a_commit_arrive_after_the_client_has_lost_its_connection(self):
        self.commit_fails(proxy.arrives_late(0.3))
        self.assertEqual(self.rows(), 0)
        self.await_rows(1)

    def test_finds_a_commit_that_is_prepared_by_name_and_pipelined(self):
        for _ in range(2):
            with self.client.pipeline():
                self.client.execute("BEGIN", prepare=True)
                self.client.execute(self.insert, prepare=True)
                self.client.execute("COMMIT", prepare=True)
        self.assertEqual(self.choose.labels, ["unit_commit", "unit_commit"])
        self.choose.fault = proxy.cut_after()
        with self.assertRaises(psycopg.OperationalError), self.client.pipeline():
            self.client.execute("BEGIN", prepare=True)
            self.client.execute(self.insert, prepare=True)
            self.client.execute("COMMIT", prepare=True)
        self.assertEqual(self.rows(), 3)

    def test_tells_the_commit_of_a_unit_from_others(self):
        for statement in (f"DELETE FROM {self.table}_write_aside_journal", self.insert, "SELECT 1"):
            self.client.execute("BEGIN")
            self.client.execute(statement)
            self.client.execute("COMMIT")
        self.client.execute("BEGIN")
        self.client.execute(self.insert)
        self.client.execute("ROLLBACK")
        self.client.execute("BEGIN")
        self.client.execute("COMMIT")
        self.assertEqual(self.choose.labels, ["commit", "unit_commit", "commit", "commit"])

    def test_cuts_everybody_off_while_partitioned(self):
        self.proxy.partition(True)
        with self.assertRaises(psycopg.OperationalError):
            self.client.execute("SELECT 1")
        with self.assertRaises(psycopg.OperationalError):
            self.connect()
        self.proxy.partition(False)
        self.assertEqual(self.connect().execute("SELECT 1").fetchone()[0], 1)


class Broker:
    """Answers each request with its correlation id, and remembers the requests."""

    def __init__(self):
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.requests = []
        self.arrived = threading.Condition()
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self.answer, args=(connection,), daemon=True).start()

    def answer(self, connection):
        with connection:
            while (request := receive(connection)) is not None:
                api_key, _, correlation = struct.unpack_from(">hhi", request)
                with self.arrived:
                    self.requests.append((api_key, correlation))
                    self.arrived.notify_all()
                connection.sendall(struct.pack(">ii", 4, correlation))

    def await_request(self, request):
        with self.arrived:
            return self.arrived.wait_for(lambda: request in self.requests, SECONDS_MAX)


def receive(connection):
    try:
        head = connection.recv(4, socket.MSG_WAITALL)
        return connection.recv(struct.unpack(">i", head)[0], socket.MSG_WAITALL) if len(head) == 4 else None
    except OSError:
        return None


class KafkaTest(unittest.TestCase):
    END_TXN, PRODUCE = 26, 0

    def setUp(self):
        self.broker = Broker()
        self.addCleanup(self.broker.listener.close)
        self.choose = NextOne("end_txn")
        self.proxy = proxy.Proxy(kafka_wire, lambda: self.broker.port, self.choose).start()
        self.addCleanup(self.proxy.stop)
        self.client = socket.create_connection(("127.0.0.1", self.proxy.port), SECONDS_MAX)
        self.addCleanup(self.client.close)

    def send(self, api_key, correlation):
        self.client.sendall(struct.pack(">ihhi", 8, api_key, 0, correlation))

    def answer(self):
        answer = receive(self.client)
        return None if answer is None else struct.unpack(">i", answer)[0]

    def test_relays_in_order(self):
        for correlation in range(100):
            self.send(self.END_TXN if correlation % 10 == 0 else self.PRODUCE, correlation)
        self.assertEqual([self.answer() for _ in range(100)], list(range(100)))
        self.assertEqual(self.choose.labels, ["end_txn"] * 10)

    def test_loses_the_answer_and_what_follows_it(self):
        self.choose.fault = proxy.cut_after()
        self.send(self.PRODUCE, 1)
        self.assertEqual(self.answer(), 1)
        self.send(self.END_TXN, 2)
        self.assertIsNone(self.answer())
        self.assertTrue(self.broker.await_request((self.END_TXN, 2)))

    def test_loses_the_request(self):
        self.choose.fault = proxy.cut_before()
        self.send(self.END_TXN, 1)
        self.assertIsNone(self.answer())
        self.assertNotIn((self.END_TXN, 1), self.broker.requests)

    def test_delays_the_answer(self):
        self.choose.fault = proxy.answer_delayed(0.3)
        began = time.monotonic()
        self.send(self.END_TXN, 1)
        self.assertTrue(self.broker.await_request((self.END_TXN, 1)))
        self.assertLess(time.monotonic() - began, 0.3)
        self.assertEqual(self.answer(), 1)
        self.assertGreaterEqual(time.monotonic() - began, 0.3)

    def test_delays_the_request(self):
        self.choose.fault = proxy.request_delayed(0.3)
        began = time.monotonic()
        self.send(self.END_TXN, 1)
        self.assertTrue(self.broker.await_request((self.END_TXN, 1)))
        self.assertGreaterEqual(time.monotonic() - began, 0.3)
        self.assertEqual(self.answer(), 1)

    def test_is_slow_both_ways(self):
        self.proxy.latency = 0.2
        began = time.monotonic()
        self.send(self.PRODUCE, 1)
        self.assertEqual(self.answer(), 1)
        self.assertGreaterEqual(time.monotonic() - began, 0.4)

    def test_lets_a_request_arrive_after_its_client_is_gone(self):
        self.choose.fault = proxy.arrives_late(0.3)
        self.send(self.END_TXN, 1)
        self.assertIsNone(self.answer())
        self.assertNotIn((self.END_TXN, 1), self.broker.requests)
        self.assertTrue(self.broker.await_request((self.END_TXN, 1)))

    def test_stays_silent_behind_an_answer_that_never_comes(self):
        self.choose.fault = proxy.answer_never_comes()
        self.send(self.END_TXN, 1)
        self.send(self.PRODUCE, 2)
        self.assertTrue(self.broker.await_request((self.PRODUCE, 2)))
        self.client.settimeout(0.2)
        with self.assertRaises(TimeoutError):
            self.client.recv(1)


if __name__ == "__main__":
    if not os.environ.get(POSTGRESQL):
        sys.exit(f"FAILED: {POSTGRESQL} is not set: run this under tools/servers")
    unittest.main()
