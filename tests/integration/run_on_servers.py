#!/usr/bin/env python3
"""Runs the example on_servers on the tests' servers, and looks from outside: the row is as the example says, and a
read_committed consumer sees both events, once, in their order.

  run_on_servers.py PROGRAM
"""

import os
import pathlib
import subprocess
import sys
import time
import uuid

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
import servers.environment  # noqa: E402

servers.environment.enter()

import confluent_kafka  # noqa: E402
import psycopg  # noqa: E402

POSTGRESQL, KAFKA = "WRITE_ASIDE_TEST_POSTGRESQL", "WRITE_ASIDE_TEST_KAFKA"
SECONDS_MAX = 20


def events_of(source):
    """Types, in the order of the partition that all events with one key are in."""
    consumer = confluent_kafka.Consumer({"bootstrap.servers": os.environ[KAFKA], "group.id": source, "log_level": 0,
                                         "isolation.level": "read_committed", "enable.partition.eof": True})
    consumer.assign([confluent_kafka.TopicPartition("orders", partition, confluent_kafka.OFFSET_BEGINNING)
                     for partition in range(2)])
    types, ended, limit = [], set(), time.monotonic() + SECONDS_MAX
    while len(ended) < 2 and time.monotonic() < limit:
        message = consumer.poll(1)
        if message is None:
            continue
        if message.error():
            ended.add(message.partition())
            continue
        headers = {name: value.decode() for name, value in message.headers() or ()}
        if headers.get("ce_source") == source:
            types.append(headers["ce_type"])
    consumer.close()
    return types


def main():
    missing = [name for name in (POSTGRESQL, KAFKA) if not os.environ.get(name)]
    if missing or len(sys.argv) != 2:
        return f"{' and '.join(missing)} not set: run this under tools/servers" if missing else __doc__
    server, name = os.environ[POSTGRESQL], f"example_{uuid.uuid4().hex[:10]}"
    url = f"{server.rpartition('/')[0]}/{name}"
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
        try:
            done = subprocess.run([sys.argv[1]], timeout=SECONDS_MAX,
                                  env={**os.environ, "SHOP_DATABASE": url, "SHOP_BROKERS": os.environ[KAFKA],
                                       "SHOP_SOURCE": name})
            with psycopg.connect(url) as shop:
                rows = shop.execute("SELECT id, state FROM orders").fetchall() if done.returncode == 0 else []
        finally:
            connection.execute(f"DROP DATABASE {name} WITH (FORCE)")
    events = events_of(name) if done.returncode == 0 else []
    if (done.returncode, rows, events) == (0, [("17", "paid")], ["order.placed", "order.paid"]):
        return 0
    return f"FAILED: ended with {done.returncode}, left the rows {rows} and the events {events}"


if __name__ == "__main__":
    sys.exit(main())
