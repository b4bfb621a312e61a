"""What a proxy must understand of PostgreSQL's protocol (version 3, without TLS): where a COMMIT is, and its answer."""

import struct

PROTOCOL_MAJOR = 3  # in the upper half of the first message's code; requests for encryption have other codes
JOURNAL = b"write_aside_journal"
SYNC, FLUSH = b"S\0\0\0\4", b"H\0\0\0\4"
COMMIT_TICKET = "commit"  # a connection waits for one COMMIT at a time


class Conversation:
    """One connection, split into messages. A COMMIT is labelled: `unit_commit` if its transaction has written the
    journal, else `commit`. It is found in simple queries, and in statements that are prepared and bound by name; then
    what stands behind it up to the next Sync or Flush belongs to it, since the server does not answer before."""

    def __init__(self):
        self.from_client = bytearray()
        self.from_server = bytearray()
        self.started = False  # the client's first messages have no type byte
        self.letters_due = 0  # answers to requests for encryption: a letter each, without a length
        self.statements = {}  # texts by name
        self.portals = {}
        self.wrote_journal = False
        self.commit = None  # (messages, label) of a COMMIT whose Sync has not come yet

    def requests(self, data):
        """Yields (message, label or None)."""
        self.from_client += data
        while (message := take_message(self.from_client, self.started)) is not None:
            label = self._label(message)
            if self.commit:
                message, label = self.commit[0] + message, self.commit[1]
            ends = message[:1] == b"Q" or message[-5:] in (SYNC, FLUSH)
            self.commit = None if label is None or ends else (message, label)
            if self.commit is None:
                yield message, label

    def answers(self, data):
        """Yields (message, ticket of the request that it answers, or None)."""
        self.from_server += data
        while self.letters_due and self.from_server:
            self.letters_due -= 1
            yield take(self.from_server, 1), None
        while (message := take_message(self.from_server, True)) is not None:
            yield message, COMMIT_TICKET if ends_commit(message) else None

    def ticket(self, _message):
        return COMMIT_TICKET

    def _label(self, message):
        if not self.started:
            self.started = struct.unpack_from(">H", message, 4)[0] == PROTOCOL_MAJOR
            self.letters_due += not self.started
            return None
        kind, body = message[:1], message[5:]
        if kind == b"Q":
            return self._run(body)
        if kind == b"P":
            name, text = body.split(b"\0")[:2]
            self.statements[name] = text
        elif kind == b"B":
            portal, statement = body.split(b"\0", 2)[:2]
            self.portals[portal] = self.statements.get(statement, b"")
        elif kind == b"E":
            return self._run(self.portals.get(body.split(b"\0")[0], b""))
        return None

    def _run(self, text):
        words = text.strip(b" ;\n\0").upper().split()
        first = words[0] if words else b""
        if first in (b"COMMIT", b"END"):
            label = "unit_commit" if self.wrote_journal else "commit"
            self.wrote_journal = False
            return label
        if first in (b"BEGIN", b"START") or words == [b"ROLLBACK"]:
            self.wrote_journal = False
        elif b"INSERT" in words and JOURNAL in text:
            self.wrote_journal = True
        return None


def take(buffer, size):
    taken = bytes(buffer[:size])
    del buffer[:size]
    return taken


def take_message(buffer, has_type):
    """The buffer's first message, if it is complete."""
    at = 1 if has_type else 0
    if len(buffer) < at + 4:
        return None
    size = at + struct.unpack_from(">I", buffer, at)[0]
    return take(buffer, size) if len(buffer) >= size else None


def ends_commit(message):
    kind, body = message[:1], message[5:]
    return kind == b"E" or (kind == b"C" and body.rstrip(b"\0") in (b"COMMIT", b"ROLLBACK"))
