"""Finds out from a broker's own files whether it lost the end of a stream transaction (docs/guarantees.md).

A coordinator writes down that a transaction is to be committed or aborted, has a marker written into each partition that
it touched, and writes down that it is complete. A broker of 4.x that finds a partition without a leader takes it for
deleted, and completes without the marker: the records wait for the next marker, whatever that one says.
"""

import json
import re
import subprocess

PREPARED = {2: "COMMIT", 3: "ABORT"}
COMPLETE = (4, 5)
STATE = re.compile(r'key: (\{.*?\}) payload: (\{.*\})$')
MARKER = re.compile(r"endTxnMarker: (COMMIT|ABORT)")
SECONDS_MAX = 120


def lost_markers(cluster, topic):
    """Partitions of this topic where a marker is missing. One transactional id uses each, as it is on a ledger, and there
    is one broker."""
    data = cluster.brokers[0].folder / "data"
    states = [line for log in sorted(data.glob("__transaction_state-*/*.log"))
              for line in dump(cluster, log, "--transaction-log-decoder")]
    lost = []
    for partition, expected in sorted(completed_ends(states, topic).items()):
        logs = sorted((data / f"{topic}-{partition}").glob("*.log"))
        found = markers(line for log in logs for line in dump(cluster, log, "--print-data-log"))
        if not are_there(expected, found):
            lost.append(f"{topic}[{partition}], {len(expected)} ends and {len(found)} markers")
    return lost


def dump(cluster, log, *options):
    command = [*cluster.java("256m"), "org.apache.kafka.tools.DumpLogSegments", "--files", log, *options]
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True, timeout=SECONDS_MAX)
    if done.returncode:
        raise RuntimeError(f"cannot read {log}: {done.stderr[-400:]}")
    return done.stdout.splitlines()


def completed_ends(states, topic):
    """By partition of the topic: how each transaction that is complete was to end, in order."""
    prepared = {}  # by transactional id: (how, partitions)
    ends = {}
    for match in filter(None, map(STATE.search, states)):
        key, state = (json.loads(text)["data"] for text in match.groups())
        name, status = key.get("transactionalId"), state["transactionStatus"]
        if status in PREPARED:
            prepared[name] = (PREPARED[status], [partition for one in state["transactionPartitions"]
                                                 if one["topic"] == topic for partition in one["partitionIds"]])
        elif status in COMPLETE and name in prepared:
            how, partitions = prepared.pop(name)
            for partition in partitions:
                ends.setdefault(partition, []).append(how)
    return ends


def markers(lines):
    return [match[1] for match in filter(None, map(MARKER.search, lines))]


def are_there(expected, found):
    """Whether each marker that is expected is found, in order. It may stand there again: its answer was lost."""
    left = iter(found)
    return all(one in left for one in expected)
