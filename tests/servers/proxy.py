"""A TCP proxy on this host that cuts, drops and delays exactly where a fault hurts.

    proxy = Proxy(postgresql_wire, lambda: server.port, choose=lambda label: CUT_AFTER if label == "commit" else None)

It relays whole messages and asks `choose(label)` about each request that its protocol labels: a Fault strikes that
request, None lets it pass. `choose` is called from the proxy's own thread, one request at a time.

A lost connection is closed on both sides in an orderly way, so that the server still reads what was sent before.
"""

import asyncio
import collections
import contextlib
import dataclasses
import threading

READ_BYTES = 1 << 16
ANSWER_SECONDS_MAX = 20.0


@dataclasses.dataclass(frozen=True)
class Fault:
    """What becomes of one request and its answer. In this order: the client loses its connection (`leave`), the
    request waits, is forwarded or not, its answer waits, is relayed or not, and both connections are cut."""

    name: str
    leave: bool = False
    request_delay: float = 0.0
    forward: bool = True
    await_answer: bool = True
    answer_delay: float = 0.0
    relay_answer: bool = True
    cut: bool = False


def cut_before():
    return Fault("cut_before", forward=False, cut=True)


def cut_after():
    """The server has done it; the client does not learn it."""
    return Fault("cut_after", relay_answer=False, cut=True)


def cut_at_once():
    """The request is on its way, and nobody waits for what becomes of it."""
    return Fault("cut_at_once", await_answer=False, relay_answer=False, cut=True)


def arrives_late(seconds):
    """The client loses its connection first, and the request reaches the server later."""
    return Fault("arrives_late", leave=True, request_delay=seconds, relay_answer=False, cut=True)


def answer_never_comes():
    """As cut_after, but the connection stays open: the client must give up by itself."""
    return Fault("answer_never_comes", relay_answer=False)


def answer_delayed(seconds):
    return Fault("answer_delayed", answer_delay=seconds)


def request_delayed(seconds):
    return Fault("request_delayed", request_delay=seconds)


class Link:
    """One connection of a client, and the one to the server that belongs to it."""

    def __init__(self, proxy, client, server):
        self.proxy = proxy
        self.client_reader, self.client = client
        self.server_reader, self.server = server
        self.conversation = proxy.protocol.Conversation()
        self.struck = {}  # ticket of a struck request: (fault, future of its answer)
        self.left = False  # the client is gone and the server still there
        self.mute = False  # the client is there and hears nothing more

    async def relay(self):
        tasks = [asyncio.create_task(self.relay_requests()), asyncio.create_task(self.relay_answers())]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            if self.left:
                await asyncio.wait(tasks, timeout=ANSWER_SECONDS_MAX)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            self.cut()

    async def relay_requests(self):
        while data := await self.client_reader.read(READ_BYTES):
            await self.travel()
            for message, label in self.conversation.requests(data):
                fault = self.proxy.choose_fault(label) if label else None
                if fault is None:
                    self.server.write(message)
                elif await self.strike(fault, message):
                    return
            await self.server.drain()

    async def strike(self, fault, message):
        """Returns whether the connection is over."""
        ticket = self.conversation.ticket(message)
        answer = asyncio.get_running_loop().create_future()
        self.struck[ticket] = (fault, answer)
        await self.server.drain()
        if fault.leave:
            self.left = self.mute = True
            self.client.close()
        await asyncio.sleep(fault.request_delay)
        if fault.forward:
            self.server.write(message)
            await self.server.drain()
            if fault.await_answer and fault.cut:
                with contextlib.suppress(asyncio.TimeoutError):
                    await asyncio.wait_for(answer, ANSWER_SECONDS_MAX)
        return fault.cut

    async def relay_answers(self):
        while data := await self.server_reader.read(READ_BYTES):
            await self.travel()
            for message, ticket in self.conversation.answers(data):
                fault, answer = self.struck.pop(ticket, (None, None))
                if fault is not None:
                    if not answer.done():
                        answer.set_result(None)
                    await asyncio.sleep(fault.answer_delay)
                    # Answers keep their order: behind one that is lost, nothing arrives.
                    self.mute = self.mute or not fault.relay_answer
                if not self.mute:
                    self.client.write(message)
            if not self.mute:
                await self.client.drain()

    async def travel(self):
        if self.proxy.latency:
            await asyncio.sleep(self.proxy.latency)

    def cut(self):
        for writer in (self.client, self.server):
            with contextlib.suppress(OSError, RuntimeError):
                writer.close()


class Proxy:
    def __init__(self, protocol, server_port, choose=lambda label: None, port=0):
        self.protocol = protocol
        self.server_port = server_port  # asked at each connection: a server that is started again may have another
        self.choose = choose
        self.port = port
        self.struck = collections.Counter()  # faults by name
        self.partitioned = False
        self.latency = 0.0  # seconds that everything takes, each way
        self._links = set()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="proxy", daemon=True)

    def choose_fault(self, label):
        fault = self.choose(label)
        if fault is not None:
            self.struck[fault.name] += 1
        return fault

    def start(self):
        self._thread.start()
        self._listener = self._call(asyncio.start_server(self._accept, "127.0.0.1", self.port))
        self.port = self._listener.sockets[0].getsockname()[1]
        return self

    def cut_all(self):
        """Ends every connection; new ones are accepted."""
        self._call(self._cut_all())

    def partition(self, partitioned):
        """While partitioned, nobody gets through: what is open is cut, what comes is closed at once."""
        self.partitioned = partitioned
        if partitioned:
            self.cut_all()

    def stop(self):
        self._loop.call_soon_threadsafe(self._listener.close)
        self.cut_all()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    def _call(self, coroutine):
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(30)

    async def _cut_all(self):
        for task in list(self._links):
            task.cancel()
        await asyncio.gather(*self._links, return_exceptions=True)

    async def _accept(self, client_reader, client):
        task = asyncio.current_task()
        self._links.add(task)
        try:
            if self.partitioned:
                return
            server = await asyncio.open_connection("127.0.0.1", self.server_port())
            await Link(self, (client_reader, client), server).relay()
        except (OSError, asyncio.CancelledError):
            pass
        finally:
            self._links.discard(task)
            client.close()
