"""Goal: a cluster that does not do, and a stranger who uses a lane's id, are told in one clear line, or do no harm.

Method: brokers of their own: one that is too old, one with limits below ours, a second cluster; and, for the rest, the
servers that the tests share.
"""

import contextlib
import os
import pathlib
import re
import sys
import time
import uuid

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
import servers.environment  # noqa: E402

servers.environment.enter()

import confluent_kafka  # noqa: E402
import psycopg  # noqa: E402
from confluent_kafka.admin import AdminClient, NewTopic  # noqa: E402

from integration.program_case import KAFKA, POSTGRESQL, ProgramCase, main  # noqa: E402
from servers.kafka import TOO_OLD, Kafka  # noqa: E402
from servers.process import wait_until  # noqa: E402

SECONDS_MAX = 60
INITS = 10


@contextlib.contextmanager
def broker(**how):
    cluster = Kafka(starts_quickly=True, **how)
    try:
        yield cluster.start().bootstrap
    finally:
        cluster.stop()


class KafkaSetups(ProgramCase):
    def setUp(self):
        super().setUp()
        self.use_postgresql()
        self.address = os.environ[KAFKA]
        self.topic = f"orders-{uuid.uuid4().hex[:8]}"

    def init(self, lanes=2):
        self.must("init", "--lanes", lanes, "--topic", f"{self.topic}:2")

    def rows(self):
        return self.query("SELECT count(*) FROM orders")[0][0]

    def database_id(self):
        return self.query("SELECT database_id FROM write_aside_meta")[0][0]

    def assert_all_is_there_once(self, orders):
        self.must("recover")
        self.assertEqual(self.rows(), len(orders))
        self.assertEqual(sorted(map(int, self.tailed(self.topic))), sorted(orders))

    # Brokers learn of a new topic one after the other, and any of them may be asked for it.
    def test_makes_what_it_needs_on_several_brokers(self):
        with broker(nodes=3) as several:
            self.address = several
            for _ in range(INITS):
                self.use_postgresql()
                self.topic = f"orders-{uuid.uuid4().hex[:8]}"
                self.init(lanes=16)
                self.must("apply", self.write_units(self.topic, range(3)))

    def test_refuses_a_broker_older_than_3_6(self):
        self.init()
        units = self.write_units(self.topic, range(3))
        with broker(version=TOO_OLD) as old:
            self.address, good = old, self.address
            for command in ("init",), ("apply", units), ("tail", self.topic):
                self.assert_refused(self.run_program(*command), 2, "older than Kafka 3.6", old)
            self.address = good
        self.assertEqual(self.rows(), 0)
        self.must("apply", units)
        self.assert_all_is_there_once(range(3))

    def test_names_both_limits_where_the_brokers_allow_shorter_transactions(self):
        with broker(settings={"transaction.max.timeout.ms": 30000}) as strict:
            self.address = strict
            self.init()
            refused = self.run_program("apply", self.write_units(self.topic, range(3)))
            self.assert_refused(refused, 2, "transaction.max.timeout.ms", "30000 ms", "60000 ms")
            self.assertEqual(self.rows(), 0)

    def test_halts_on_another_cluster_that_has_a_ledger_too(self):
        self.init(lanes=1)
        self.must("apply", self.write_units(self.topic, range(3)))
        with broker() as other:
            self.address, first = other, self.address
            more = self.write_units(self.topic, range(3, 5), "more.jsonl")
            self.assert_refused(self.run_program("apply", more), 2, "ledger topic", "is missing", "write-aside init")
            self.init(lanes=1)
            self.assert_refused(self.run_program("apply", "--quiet", more), 3, "another stream")
            self.assertIn("another stream", self.run_program("status").stdout)
            self.assertIn("--new-stream", self.run_program("resolve").stdout)
            self.address = first
        self.must("resolve", "--lane", 0, "--yes")
        self.must("apply", more)
        self.assert_all_is_there_once(range(5))

    def test_halts_when_the_database_is_an_older_backup_and_goes_on_at_the_operators_word(self):
        self.init(lanes=1)
        self.must("apply", self.write_units(self.topic, [1]))
        name = self.database.rpartition("/")[2]
        with psycopg.connect(os.environ[POSTGRESQL], autocommit=True) as server:
            server.execute(f"CREATE DATABASE {name}_backup TEMPLATE {name}")
            self.must("apply", self.write_units(self.topic, [2], "lost.jsonl"))
            server.execute(f"DROP DATABASE {name} WITH (FORCE)")
            server.execute(f"ALTER DATABASE {name}_backup RENAME TO {name}")
        more = self.write_units(self.topic, [3], "more.jsonl")
        self.assert_refused(self.run_program("apply", "--quiet", more), 3, "restored from a backup")
        self.assertEqual(self.rows(), 1)
        told = self.run_program("status")
        self.assertEqual(told.returncode, 3)
        self.assertIn("restored from a backup", told.stdout)
        shown = self.run_program("resolve").stdout
        batch = re.search(r"the ledger knows batch (\d+\.\d+)", shown)[1]
        self.assertIn("--settled", shown)
        word = "resolve", "--lane", 0, "--settled", batch
        self.assertIn("dry run", self.run_program(*word).stdout)
        self.assertEqual(self.run_program("status").returncode, 3, "a dry run changes nothing")
        self.must(*word, "--yes")
        self.must("apply", more)
        self.assertEqual(self.query("SELECT id FROM orders ORDER BY id"), [(1,), (3,)])
        self.assertEqual(sorted(self.tailed(self.topic)), ["1", "2", "3"], "what was lost stays in the stream")
        self.assertEqual(self.run_program("verify", "--topic", self.topic).returncode, 0,
                         "of a source that the database knows nothing of, nothing is said")

    def test_an_event_that_is_too_large_for_the_topic_harms_its_own_unit_alone(self):
        self.make_topic({"max.message.bytes": "2000"})
        self.init()
        small, large = self.write_units(self.topic, [1, 2]), self.write_units(self.topic, [3], "large", "x" * 3_000)
        units = self.folder / "both.jsonl"
        units.write_text((self.folder / small).read_text() + (self.folder / large).read_text() +
                         (self.folder / self.write_units(self.topic, [4], "last")).read_text())
        refused = self.run_program("apply", "--quiet", "--on-error", "skip", "both.jsonl")
        self.assert_refused(refused, 1, "both.jsonl:3:", "max.message.bytes", self.topic)
        self.assert_all_is_there_once([1, 2, 4])

    def make_topic(self, settings):
        admin = AdminClient({"bootstrap.servers": self.address, "log_level": 0})
        for made in admin.create_topics([NewTopic(self.topic, 2, 1, config=settings)]).values():
            made.result(SECONDS_MAX)

    def test_a_stranger_who_takes_a_lanes_id_costs_time_alone(self):
        self.init(lanes=1)
        orders = range(10_000)
        process = self.start_program("apply", "--quiet", "--workers", 4, self.write_units(self.topic, orders))
        taken = 0
        while process.poll() is None:
            before = self.rows()
            stranger = self.stranger_takes_lane()
            taken += 1
            with contextlib.suppress(confluent_kafka.KafkaException):  # the owner may have fenced it already
                stranger.begin_transaction()
                stranger.produce(self.topic, value="a stranger's", key="-1", partition=0)  # never committed
                stranger.flush(SECONDS_MAX)
            del stranger
            wait_until(lambda: process.poll() is not None or self.rows() > before, SECONDS_MAX,
                       "the owner did not take up its work again")
        done = self.finish(process)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertGreater(taken, 2, "the program was faster than the stranger")
        self.assert_all_is_there_once(orders)

    def test_a_stranger_who_had_a_lanes_id_is_fenced(self):
        self.init(lanes=1)
        stranger = self.stranger_takes_lane()
        stranger.begin_transaction()
        stranger.produce(self.topic, value="a stranger's", key="-1", partition=0)
        stranger.flush(SECONDS_MAX)
        began = time.monotonic()
        self.must("apply", self.write_units(self.topic, range(3)))
        self.assertLess(time.monotonic() - began, 20)
        with self.assertRaises(confluent_kafka.KafkaException) as fenced:
            stranger.commit_transaction(SECONDS_MAX)
        self.assertIn(fenced.exception.args[0].code(),
                      (confluent_kafka.KafkaError._FENCED, confluent_kafka.KafkaError.PRODUCER_FENCED,
                       confluent_kafka.KafkaError.INVALID_PRODUCER_EPOCH))
        self.assert_all_is_there_once(range(3))

    def stranger_takes_lane(self):
        stranger = confluent_kafka.Producer({"bootstrap.servers": self.address, "log_level": 0,
                                             "transactional.id": f"write-aside.{self.database_id()}.0"})
        stranger.init_transactions(SECONDS_MAX)
        return stranger


if __name__ == "__main__":
    main(__doc__)
