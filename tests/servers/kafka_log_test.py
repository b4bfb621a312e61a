#!/usr/bin/env python3
"""Holds the reading of a broker's files to its claims, on lines as Kafka's tool prints them."""

import json
import pathlib
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
from servers import kafka_log  # noqa: E402

ONGOING, PREPARE_COMMIT, PREPARE_ABORT, COMPLETE_COMMIT, COMPLETE_ABORT = range(1, 6)


def state(status, partitions=(), name="lane", producer=1):
    key = json.dumps({"type": "0", "data": {"transactionalId": name}})
    data = {"producerId": producer, "transactionStatus": status,
            "transactionPartitions": [{"topic": "ledger", "partitionIds": list(partitions)}] if partitions else []}
    return f"| offset: 7 CreateTime: 1 keySize: 34 key: {key} payload: {json.dumps({'version': '1', 'data': data})}"


def batch(producer, control):
    return (f"baseOffset: 32 lastOffset: 33 count: 2 baseSequence: 6 lastSequence: 7 producerId: {producer} producerEpoch: "
            f"3 partitionLeaderEpoch: 0 isTransactional: true isControl: {control} deleteHorizonMs: OptionalLong.empty")


class KafkaLog(unittest.TestCase):
    def test_expects_a_marker_of_each_transaction_that_is_complete(self):
        states = [state(ONGOING, [2]), state(PREPARE_COMMIT, [2]), state(COMPLETE_COMMIT), state(ONGOING, [2]),
                  state(PREPARE_ABORT, [2]), state(COMPLETE_ABORT), state(PREPARE_COMMIT, [2])]
        self.assertEqual(kafka_log.completed_ends(states), {(("ledger", 2), 1): ["COMMIT", "ABORT"]})

    def test_expects_none_where_a_transaction_was_not(self):
        states = [state(PREPARE_COMMIT), state(COMPLETE_COMMIT)]
        self.assertEqual(kafka_log.completed_ends(states), {})

    def test_keeps_transactional_ids_and_producers_apart(self):
        states = [state(PREPARE_COMMIT, [1], "a", 1), state(PREPARE_ABORT, [1, 2], "b", 2),
                  state(COMPLETE_COMMIT, name="a", producer=1), state(COMPLETE_ABORT, name="b", producer=2)]
        self.assertEqual(kafka_log.completed_ends(states),
                         {(("ledger", 1), 1): ["COMMIT"], (("ledger", 1), 2): ["ABORT"],
                          (("ledger", 2), 2): ["ABORT"]})

    def test_finds_markers_among_records(self):
        lines = [batch(4, "false"),
                 "| offset: 32 CreateTime: 1 keySize: 20 valueSize: 25 sequence: 7 headerKeys: [] key: o:a:2 payload: 1 2",
                 batch(5, "true"),
                 "| offset: 33 CreateTime: 1 keySize: 4 valueSize: 6 sequence: -1 endTxnMarker: ABORT coordinatorEpoch: 4",
                 batch(4, "true"),
                 "| offset: 34 CreateTime: 1 keySize: 4 valueSize: 6 sequence: -1 endTxnMarker: COMMIT coordinatorEpoch: 4"]
        self.assertEqual(kafka_log.markers(lines), {5: ["ABORT"], 4: ["COMMIT"]})

    def test_misses_a_marker_that_the_next_one_stands_for(self):
        self.assertFalse(kafka_log.are_there(["COMMIT", "COMMIT", "ABORT"], ["COMMIT", "ABORT"]))
        self.assertFalse(kafka_log.are_there(["ABORT", "COMMIT"], ["COMMIT"]))

    def test_accepts_a_marker_that_stands_there_again(self):
        self.assertTrue(kafka_log.are_there(["COMMIT", "ABORT"], ["COMMIT", "COMMIT", "ABORT"]))


if __name__ == "__main__":
    unittest.main()
