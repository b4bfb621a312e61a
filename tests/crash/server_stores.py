"""The stores of a crash campaign on servers: a database and topics of its own, looked at from outside."""

import dataclasses
import json
import os
import subprocess
import uuid

import confluent_kafka.admin
import psycopg

import make_input
from oracle import Oracle
from server_view import ServerView
from stores import Recoverable

SECONDS_MAX = 120
EVIDENCE = {
    "write_aside_lane": "*", "write_aside_progress": "*",
    "write_aside_journal": "lane, epoch, n, member, adopted_epoch, adopted_n, tombstone, delivered_at"}
POSTGRESQL, KAFKA = "WRITE_ASIDE_TEST_POSTGRESQL", "WRITE_ASIDE_TEST_KAFKA"


class MissingServers(RuntimeError):
    """The message says what to do."""


@dataclasses.dataclass
class Addresses:
    """Where the servers are; the program may be sent somewhere else, to a proxy."""

    postgresql: str  # URL of the database `postgres`
    kafka: str  # HOST:PORT
    program_postgresql: str = ""
    program_kafka: str = ""

    @staticmethod
    def given():
        missing = [name for name in (POSTGRESQL, KAFKA) if not os.environ.get(name)]
        if missing:
            raise MissingServers(f"{' and '.join(missing)} not set: run this under tools/servers, for instance "
                                 "`tools/servers ctest --test-dir build/dev -L crash`")
        return Addresses(os.environ[POSTGRESQL], os.environ[KAFKA])


def database_url(url, name):
    return f"{url.rpartition('/')[0]}/{name}"


class ServerStores(Recoverable):
    """`idle_timeout`: the server ends a session that holds locks and says nothing for so long."""

    def __init__(self, program, folder, lanes, addresses, environment=None, idle_timeout="0"):
        self.program = program
        self.folder = folder
        self.addresses = addresses
        self.environment = environment
        self.idle_timeout = idle_timeout
        self.inputs = []  # (source, path)
        self.orders = {}  # by source: the first and the last
        self.name = f"crash_{uuid.uuid4().hex[:10]}"
        self.form = dataclasses.replace(make_input.SERVERS, topic_suffix=f"-{self.name}")
        self.url = database_url(addresses.postgresql, self.name)
        self.make_database()
        self.connection = None
        self.query(self.form.schema)
        topics = [f"--topic={name}:{partitions}" for name, partitions in self.form.topics().items()]
        made = self.run("init", f"--lanes={lanes}", *topics)
        if made.returncode != 0:
            raise RuntimeError(f"init: {made.stderr}")

    def make_database(self):
        try:
            with psycopg.connect(self.addresses.postgresql, autocommit=True) as server:
                server.execute(f"CREATE DATABASE {self.name}")
                server.execute(f"ALTER DATABASE {self.name} "
                               f"SET idle_in_transaction_session_timeout = '{self.idle_timeout}'")
        except psycopg.OperationalError as error:
            raise RuntimeError(f"{POSTGRESQL}: {error}; run this under tools/servers") from None

    def command(self, *words):
        database = database_url(self.addresses.program_postgresql or self.addresses.postgresql, self.name)
        stream = f"kafka://{self.addresses.program_kafka or self.addresses.kafka}"
        return [self.program, "--database", database, "--stream", stream, *words]

    def run(self, *words):
        try:
            return subprocess.run(self.command(*words), capture_output=True, text=True, timeout=SECONDS_MAX,
                                  env=self.environment)
        except subprocess.TimeoutExpired as expired:
            said = f"{expired.stdout}{expired.stderr}"
            raise RuntimeError(f"{words[0]} did not end within {SECONDS_MAX} s: {said}") from None

    def audit(self, inputs):
        """The program's own audit must agree with the oracle."""
        for source, path in inputs:
            audited = self.run("verify", str(path), "--source", source,
                               *[f"--topic={topic}" for topic in self.form.topics()])
            if audited.returncode != 0:
                raise RuntimeError(f"verify of {source} finds what the oracle does not: "
                                   f"{audited.stdout}{audited.stderr}")

    def add_input(self, source, units, first_order, prefix, seed, customers=make_input.CUSTOMERS):
        path = self.folder / f"{source}.jsonl"
        make_input.write(path, units, first_order, prefix, seed, customers, self.form)
        self.inputs.append((source, path))
        self.orders[source] = (first_order, first_order + units - 1)
        return path

    def query(self, sql, parameters=None):
        """Rows, or None while the server cannot be reached."""
        try:
            if self.connection is None:
                self.connection = psycopg.connect(self.url, autocommit=True, application_name="oracle")
            cursor = self.connection.execute(sql, parameters)
            return cursor.fetchall() if cursor.description else []
        except psycopg.OperationalError:
            self.connection = None
            return None

    def last_order(self):
        """The highest order that is committed; None while nobody can tell."""
        rows = self.query("SELECT coalesce(max(id), 0) FROM orders")
        return rows[0][0] if rows else None

    def progress(self, source):
        """Units of this input that are committed; None while nobody can tell."""
        rows = self.query("SELECT count(*) FROM orders WHERE id BETWEEN %s AND %s", self.orders[source])
        return rows[0][0] if rows else None

    def has_late_unit(self):
        """Whether a unit is committed, and its events may not be visible yet."""
        rows = self.query("SELECT count(*) FROM write_aside_journal WHERE delivered_at IS NULL")
        return bool(rows) and rows[0][0] > 0

    def is_locked(self):
        """Nobody who is stopped holds others up for long: the server ends his session (idle_timeout)."""
        return False

    def lanes_of(self, pid):
        """Lanes and epochs that this process owns; None while nobody can tell."""
        rows = self.query("SELECT lane, epoch FROM write_aside_lane WHERE owner_process ~ %s", (f"/{pid}/[0-9]+$",))
        return None if rows is None else set(rows)

    def terminate_backends(self, count):
        """Ends up to so many of the program's sessions; returns how many."""
        rows = self.query(
            "SELECT count(pg_terminate_backend(pid)) FROM (SELECT pid FROM pg_stat_activity WHERE datname = %s "
            "AND application_name <> 'oracle' AND backend_type = 'client backend' "
            "ORDER BY random() LIMIT %s) AS chosen",
            (self.name, count))
        return rows[0][0] if rows else 0

    def judge(self, unfinished=False, reports=(), outcomes=(), allowed=()):
        view = self.view(settled=not unfinished)
        return Oracle(view, self.inputs, unfinished, reports, outcomes, allowed).judge()

    def save_evidence(self):
        """What one needs to look into it once the servers are gone: the tables, the ledger, whose event is where."""
        try:
            text = self.evidence()
        except (RuntimeError, psycopg.Error, confluent_kafka.KafkaException) as error:
            text = f"nothing: {error}"
        (self.folder / "evidence").write_text(text)

    def evidence(self):
        view = self.view(settled=False)
        evidence = {table: [list(row) for row in view.rows(f"SELECT {columns} FROM {table} ORDER BY 1, 2")]
                    for table, columns in EVIDENCE.items()}
        for isolation in ("read_committed", "read_uncommitted"):
            evidence[f"ledger, {isolation}"] = list(view.ledger(isolation))
        evidence["units of events"] = [(*place, headers.get("wa-unit"), headers.get("ce_source"), headers.get("ce_id"))
                                       for *place, _, _, headers in view.events()]
        view.close()
        return "".join(f"{name}\n" + "".join(f"  {json.dumps(row, default=str)}\n" for row in rows)
                       for name, rows in evidence.items())

    def view(self, settled):
        return ServerView(self.url, self.addresses.kafka, list(self.form.topics()), settled)

    def remove(self):
        """The database and the topics, so that a long run does not fill the servers."""
        if self.connection is not None:
            self.connection.close()
            self.connection = None
        with psycopg.connect(self.url) as database:
            (database_id,) = database.execute("SELECT database_id FROM write_aside_meta").fetchone()
        with psycopg.connect(self.addresses.postgresql, autocommit=True) as server:
            server.execute(f"DROP DATABASE {self.name} WITH (FORCE)")
        admin = confluent_kafka.admin.AdminClient({"bootstrap.servers": self.addresses.kafka, "log_level": 0})
        for removed in admin.delete_topics([*self.form.topics(), f"write-aside-ledger.{database_id}"]).values():
            removed.result(SECONDS_MAX)
