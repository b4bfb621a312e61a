"""What tests have in common that run the program against servers of their own. Import it after
servers.environment.enter()."""

import argparse
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import time
import unittest
import uuid

import psycopg

SECONDS_MAX = 20  # a mistake is said within this time
PROGRAM_SECONDS_MAX = 120
POSTGRESQL, KAFKA = "WRITE_ASIDE_TEST_POSTGRESQL", "WRITE_ASIDE_TEST_KAFKA"


class ProgramCase(unittest.TestCase):
    """A folder with an SQLite database, and the program; `address` is the broker's, `properties` are the client's."""

    program = None
    address = None
    properties = {}

    def setUp(self):
        scratch = tempfile.TemporaryDirectory()
        self.addCleanup(scratch.cleanup)
        self.folder = pathlib.Path(scratch.name)
        self.database = f"sqlite:{self.folder / 'shop.db'}"
        self.placeholders = "?, ?"

    def use_postgresql(self, server=os.environ.get(POSTGRESQL)):
        """A database there, instead of SQLite's; by default on the server that the tests share."""
        if not server:
            self.fail(f"{POSTGRESQL} is not set: run this under tools/servers")
        name = f"own_{uuid.uuid4().hex[:10]}"
        self.database = f"{server.rpartition('/')[0]}/{name}"
        self.placeholders = "$1, $2"
        with psycopg.connect(server, autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name}")

        def drop():
            with psycopg.connect(server, autocommit=True) as connection:
                connection.execute(f"DROP DATABASE {name} WITH (FORCE)")

        self.addCleanup(drop)
        self.query("CREATE TABLE orders (id integer PRIMARY KEY, state text)")

    def query(self, statement):
        with psycopg.connect(self.database, autocommit=True) as connection:
            cursor = connection.execute(statement)
            return cursor.fetchall() if cursor.description else []

    def start_program(self, *arguments, properties=None, preload=None):
        file = self.folder / "stream.properties"
        file.write_text("".join(f"{name} = {value}\n" for name, value in (properties or self.properties).items()))
        environment = {**os.environ, "WRITE_ASIDE_DATABASE": self.database,
                       "WRITE_ASIDE_STREAM": f"kafka://{self.address}"}
        if preload:
            environment["LD_PRELOAD"] = str(preload)
        process = subprocess.Popen([self.program, "--stream-config", file, *map(str, arguments)], env=environment,
                                   cwd=self.folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.addCleanup(self.end, process)
        return process

    @staticmethod
    def end(process):
        process.kill()
        process.communicate()

    def finish(self, process):
        out, err = process.communicate(timeout=PROGRAM_SECONDS_MAX)
        return subprocess.CompletedProcess(process.args, process.returncode, out, err)

    def run_program(self, *arguments, **how):
        began = time.monotonic()
        done = self.finish(self.start_program(*arguments, **how))
        self.seconds = time.monotonic() - began
        return done

    def must(self, *arguments, **how):
        done = self.run_program(*arguments, **how)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        return done

    def assert_refused(self, done, status, *words, seconds_max=SECONDS_MAX):
        """One line that has these words, in time."""
        self.assertEqual(done.returncode, status, done.stdout + done.stderr)
        self.assertEqual(len(done.stderr.splitlines()), 1, done.stderr)
        for word in words:
            self.assertIn(word, done.stderr)
        self.assertLess(self.seconds, seconds_max)

    def write_units(self, topic, orders, name="units.jsonl", filling=""):
        lines = [{"statements": [{"sql": f"insert into orders values ({self.placeholders})", "params": [order, "new"]}],
                  "events": [{"topic": topic, "key": str(order), "type": "order.created",
                              "value": {"id": order, **({"filling": filling} if filling else {})}}]}
                 for order in orders]
        (self.folder / name).write_text("".join(json.dumps(line) + "\n" for line in lines))
        return name

    def tailed(self, topic, **how):
        """The keys of what a read_committed consumer sees."""
        done = self.must("tail", topic, "--from", "beginning", "--json", **how)
        return [json.loads(line)["key"] for line in done.stdout.splitlines()]


def main(description):
    parser = argparse.ArgumentParser(description=description.splitlines()[0])
    parser.add_argument("--program", type=pathlib.Path, required=True)
    options, rest = parser.parse_known_args()
    ProgramCase.program = options.program.resolve()
    unittest.main(argv=[sys.argv[0], *rest])
