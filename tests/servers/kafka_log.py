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
BATCH = re.compile(r"^baseOffset: .* producerId: (-?\d+) ")
MARKER = re.compile(r"endTxnMarker: (COMMIT|ABORT)")
SECONDS_MAX = 120


def lost_markers(cluster):
    """Partitions where a marker is missing. All of them are on the first broker: it is the only one, or each has all."""
    data = cluster.brokers[0].folder / "data"
    states = [line for log in sorted(data.glob("__transaction_state-*/*.log"))
              for line in dump(cluster, log, "--transaction-log-decoder")]
    expected = completed_ends(states)
    lost = []
    for topic, partition in sorted({place for place, _ in expected}):
        logs = sorted((data / f"{topic}-{partition}").glob("*.log"))
        if not logs:
            continue  # the topic is removed
        found = markers(line for log in logs for line in dump(cluster, log, "--print-data-log"))
        for (place, producer), ends in expected.items():
            if place == (topic, partition) and not are_there(ends, found.get(producer, [])):
                lost.append(f"{topic}[{partition}], {len(ends)} ends of producer {producer} and "
                            f"{len(found.get(producer, []))} markers")
    return lost


def dump(cluster, log, *options):
    command = [*cluster.java("256m"), "org.apache.kafka.tools.DumpLogSegments", "--files", log, *options]
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True, timeout=SECONDS_MAX)
    if done.returncode:
        raise RuntimeError(f"cannot read {log}: {done.stderr[-400:]}")
    return done.stdout.splitlines()


def completed_ends(states):
    """By ((topic, partition), producer id): how each transaction that is complete was to end, in order."""
    prepared = {}  # by transactional id: (how, producer id, places)
    ends = {}
    for match in filter(None, map(STATE.search, states)):
        key, state = (json.loads(text)["data"] for text in match.groups())
        name, status = key.get("transactionalId"), state["transactionStatus"]
        if status in PREPARED:
            places = [(one["topic"], partition) for one in state["transactionPartitions"]
                      for partition in one["partitionIds"]]
            prepared[name] = (PREPARED[status], state["producerId"], places)
        elif status in COMPLETE and name in prepared:
            how, producer, places = prepared.pop(name)
            for place in places:
                ends.setdefault((place, producer), []).append(how)
    return ends


def markers(lines):
    """By producer id, in order. A record's line follows that of its batch, which names the producer."""
    found = {}
    producer = None
    for line in lines:
        if batch := BATCH.search(line):
            producer = int(batch[1])
        elif marker := MARKER.search(line):
            found.setdefault(producer, []).append(marker[1])
    return found


def are_there(expected, found):
    """Whether each marker that is expected is found, in order. It may stand there again: its answer was lost."""
    left = iter(found)
    return all(one in left for one in expected)
