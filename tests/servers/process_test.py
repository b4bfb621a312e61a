#!/usr/bin/env python3
"""Holds the handling of server processes to its claims."""

import pathlib
import socket
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
from servers import process  # noqa: E402

SECONDS_MAX = 20
PRINTS_A_PORT_OF_THREE = f"""
import sys
sys.path.insert(0, {sys.path[0]!r})
from servers import process
process.PORTS = {{}}
process.PORTS_TRIED_MAX = 3
print(process.free_port())
"""


class FreePort(unittest.TestCase):
    def test_is_none_that_an_outgoing_connection_may_take_before_the_server_binds_it(self):
        first = int(pathlib.Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
        self.assertLess(process.free_port(), first)

    def test_is_given_once_also_to_other_processes(self):
        mine = process.free_port()
        with socket.socket() as server:
            server.bind(("127.0.0.1", 0))
            server.listen()
            taken = server.getsockname()[1]
            free = process.free_port()
            process.RESERVATIONS.pop().close()
            script = PRINTS_A_PORT_OF_THREE.format([mine, taken, free])
            got = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=SECONDS_MAX)
        self.assertEqual(got.stdout.strip(), str(free), got.stderr)

    def test_says_so_when_there_is_none(self):
        script = PRINTS_A_PORT_OF_THREE.format([process.free_port()] * 3)
        got = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=SECONDS_MAX)
        self.assertIn("no free port", got.stderr)


class ServerThatEnds(unittest.TestCase):
    def test_is_told_with_its_log_without_the_frames_of_a_stack(self):
        with tempfile.NamedTemporaryFile() as log:
            script = "printf 'cannot bind: in use\\n'; for _ in $(seq 20); do printf '\\tat a.frame\\n'; done; exit 3"
            server = process.ServerProcess("A server", ["sh", "-c", script], log.name)
            server.process.wait(SECONDS_MAX)
            with self.assertRaisesRegex(process.ServerError, r"(?s)A server ended with 3.*cannot bind: in use$"):
                server.check_running()


if __name__ == "__main__":
    unittest.main()
