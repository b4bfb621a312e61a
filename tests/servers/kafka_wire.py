"""What a proxy must understand of Kafka's protocol (without TLS): where an EndTxn request is, and its answer."""

import struct

END_TXN = 26
LENGTH_BYTES = 4


class Conversation:
    """One connection, split into messages. A request that ends a stream transaction is labelled `end_txn`."""

    def __init__(self):
        self.from_client = bytearray()
        self.from_server = bytearray()

    def requests(self, data):
        """Yields (message, label or None)."""
        for message in take_frames(self.from_client, data):
            (api_key,) = struct.unpack_from(">h", message, LENGTH_BYTES)
            yield message, "end_txn" if api_key == END_TXN else None

    def answers(self, data):
        """Yields (message, ticket): an answer begins with the correlation id of its request."""
        for message in take_frames(self.from_server, data):
            yield message, struct.unpack_from(">i", message, LENGTH_BYTES)[0]

    def ticket(self, message):
        return struct.unpack_from(">i", message, LENGTH_BYTES + 4)[0]


def take_frames(buffer, data):
    buffer += data
    while len(buffer) >= LENGTH_BYTES:
        size = LENGTH_BYTES + struct.unpack_from(">I", buffer)[0]
        if len(buffer) < size:
            return
        frame = bytes(buffer[:size])
        del buffer[:size]
        yield frame
