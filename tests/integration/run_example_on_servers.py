#!/usr/bin/env python3
"""Runs an example on the tests' servers, in databases of its own and with names of its own; the example checks itself.

  run_example_on_servers.py PROGRAM DATABASE...
"""

import os
import pathlib
import subprocess
import sys
import uuid

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
import servers.environment  # noqa: E402

servers.environment.enter()

import psycopg  # noqa: E402

POSTGRESQL, KAFKA = "WRITE_ASIDE_TEST_POSTGRESQL", "WRITE_ASIDE_TEST_KAFKA"
SECONDS_MAX = 50


def main():
    missing = [name for name in (POSTGRESQL, KAFKA) if not os.environ.get(name)]
    if missing or len(sys.argv) < 3:
        return f"{' and '.join(missing)} not set: run this under tools/servers" if missing else __doc__
    server, prefix = os.environ[POSTGRESQL], f"example_{uuid.uuid4().hex[:10]}_"
    names = [prefix + name for name in sys.argv[2:]]
    with psycopg.connect(server, autocommit=True) as connection:
        try:
            for name in names:
                connection.execute(f"CREATE DATABASE {name}")
            return subprocess.run([sys.argv[1]], timeout=SECONDS_MAX,
                                  env={**os.environ, "SHOP_SERVER": server.rpartition("/")[0],
                                       "SHOP_BROKERS": os.environ[KAFKA], "SHOP_PREFIX": prefix}).returncode
        finally:
            for name in names:
                connection.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")


if __name__ == "__main__":
    sys.exit(main())
