#!/usr/bin/env python3
"""pause_loop.py on PostgreSQL and Kafka: stops `write-aside apply`, lets another process take over, wakes the first.

A process that is stopped inside a unit keeps the unit's row locks until the server ends its idle session; here that is
after a second. The servers are those that tools/servers gives.
"""

import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
import servers.environment  # noqa: E402

servers.environment.enter()

import pause_loop  # noqa: E402
from server_stores import Addresses, ServerStores  # noqa: E402

if __name__ == "__main__":
    pause_loop.main(lambda *stores: ServerStores(*stores, Addresses.given(), idle_timeout="1s"),
                    rounds=9, stores=8, workers=("4",))
