#!/usr/bin/env python3
"""Holds the reading of a broker's files to its claims, on lines as Kafka's tool prints them."""

import json
import pathlib
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
from servers import kafka_log  # noqa: E402

ONGOING, PREPARE_COMMIT, PREPARE_ABORT, COMPLETE_COMMIT, COMPLETE_ABORT = range(1, 6)


def state(status, partitions=(), name="lane"):
    key = json.dumps({"type": "0", "data": {"transactionalId": name}})
    data = {"producerId": 1, "transactionStatus": status,
            "transactionPartitions": [{"topic": "ledger", "partitionIds": list(partitions)},
                                      {"topic": "orders", "partitionIds": [0, 1]}]}
    return f"| offset: 7 CreateTime: 1 keySize: 34 key: {key} payload: {json.dumps({'version': '1', 'data': data})}"


class KafkaLog(unittest.TestCase):
    def test_expects_a_marker_of_each_transaction_that_is_complete(self):
        states = [state(ONGOING, [2]), state(PREPARE_COMMIT, [2]), state(COMPLETE_COMMIT), state(ONGOING, [2]),
                  state(PREPARE_ABORT, [2]), state(COMPLETE_ABORT), state(PREPARE_COMMIT, [2])]
        self.assertEqual(kafka_log.completed_ends(states, "ledger"), {2: ["COMMIT", "ABORT"]})

    def test_expects_none_where_a_transaction_was_not(self):
        states = [state(PREPARE_COMMIT), state(COMPLETE_COMMIT)]
        self.assertEqual(kafka_log.completed_ends(states, "ledger"), {})

    def test_keeps_transactional_ids_apart(self):
        states = [state(PREPARE_COMMIT, [1], "a"), state(PREPARE_ABORT, [2], "b"), state(COMPLETE_COMMIT, name="a")]
        self.assertEqual(kafka_log.completed_ends(states, "ledger"), {1: ["COMMIT"]})

    def test_finds_markers_among_records(self):
        lines = ["| offset: 32 CreateTime: 1 keySize: 20 valueSize: 25 sequence: 7 headerKeys: [] key: o:a:2 payload: 1 2",
                 "| offset: 33 CreateTime: 1 keySize: 4 valueSize: 6 sequence: -1 endTxnMarker: ABORT coordinatorEpoch: 4"]
        self.assertEqual(kafka_log.markers(lines), ["ABORT"])

    def test_misses_a_marker_that_the_next_one_stands_for(self):
        self.assertFalse(kafka_log.are_there(["COMMIT", "COMMIT", "ABORT"], ["COMMIT", "ABORT"]))
        self.assertFalse(kafka_log.are_there(["ABORT", "COMMIT"], ["COMMIT"]))

    def test_accepts_a_marker_that_stands_there_again(self):
        self.assertTrue(kafka_log.are_there(["COMMIT", "ABORT"], ["COMMIT", "COMMIT", "ABORT"]))


if __name__ == "__main__":
    unittest.main()
