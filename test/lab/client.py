# SPDX-License-Identifier: Apache-2.0
"""A client: many flows at once, who answered them and how many failed."""

import asyncio
import collections
import dataclasses
import itertools
import multiprocessing
import signal
import socket
import struct
import time

from .process import LabError
from .service import TRICKLE


@dataclasses.dataclass(frozen=True)
class Outcome:
    node: str | None
    error: str | None
    seconds: float
    began: float = 0.0  # time.monotonic()

    def was_under_way(self, moments, margin=0.1):
        """Whether one of these moments lies within its time, or `margin` seconds around it."""
        begin, end = self.began - margin, self.began + self.seconds + margin
        return any(begin <= moment <= end for moment in moments)


class Outcomes(list):
    def spread(self):
        """Answers by node."""
        return collections.Counter(one.node for one in self if one.node)

    def failures(self):
        """Failures by cause."""
        return collections.Counter(one.error for one in self if one.error)

    @property
    def failed(self):
        return sum(1 for one in self if one.error)


def _head(path, connection="close"):
    return f"GET {path} HTTP/1.1\r\nHost: vip\r\nConnection: {connection}\r\n\r\n".encode()


async def _request(address, port, tls, path, source_port):
    connection = await _from_port(address, port, source_port) if source_port else None
    where = {"sock": connection, "server_hostname": address if tls else None} if connection else {
        "host": address, "port": port
    }
    reader, writer = await asyncio.open_connection(**where, ssl=tls)
    try:
        writer.write(_head(path))
        head, _, body = (await reader.read()).partition(b"\r\n\r\n")
        if not head.startswith(b"HTTP/1.1 200 "):
            raise ConnectionError("no complete answer")
        return body.decode().split()[0].rstrip(".")
    finally:
        writer.close()


async def _from_port(address, port, source_port):
    """A connection from a port that can be used again at once."""
    connection = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET)
    connection.setblocking(False)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.bind(("", source_port))
    await asyncio.get_running_loop().sock_connect(connection, (address, port))
    return connection


def _cause(problem):
    if isinstance(problem, TimeoutError):
        return "timeout"
    if isinstance(problem, ConnectionRefusedError):
        return "refused"
    if isinstance(problem, ConnectionResetError):
        return "reset"
    return getattr(problem, "strerror", None) or str(problem) or type(problem).__name__


async def _flow(address, port, timeout, tls, path="/", source_port=0):
    """One flow is one TCP connection with one request: a new source port, so a new hash."""
    start = time.monotonic()
    node = error = None
    try:
        node = await asyncio.wait_for(_request(address, port, tls, path, source_port), timeout)
    except (TimeoutError, OSError, IndexError) as problem:
        error = _cause(problem)
    return Outcome(node, error, time.monotonic() - start, start)


def open_flows(namespace, address, count, port=80, at_once=50, timeout=2.0, tls=None):
    """Opens `count` flows, `at_once` at a time, from inside `namespace`; `tls`: an SSLContext."""

    async def all_flows():
        gate = asyncio.Semaphore(at_once)

        async def one():
            async with gate:
                return await _flow(address, port, timeout, tls)

        return Outcomes(await asyncio.gather(*(one() for _ in range(count))))

    with namespace.entered():
        return asyncio.run(all_flows())


def same_port(namespace, address, source_port, times, port=80, tls=None):
    """Who answers when the same 5-tuple is used again and again: the nodes, in this order."""
    async def one_after_the_other():
        outcomes = Outcomes()
        for _ in range(times):
            outcomes.append(await _flow(address, port, 5.0, tls, source_port=source_port))
        return outcomes

    with namespace.entered():
        return asyncio.run(one_after_the_other())


async def _read_answer(reader):
    """(header fields in lower case, body) of an answer with Content-Length."""
    head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
    fields = dict(line.split(": ", 1) for line in head.split("\r\n")[1:] if line)
    return fields, await reader.readexactly(int(fields["content-length"]))


def fetch(namespace, address, path, port=80, tls=None, timeout=60.0):
    """(header fields, body, the server's certificate as ssl.getpeercert() has it)."""

    async def one():
        reader, writer = await asyncio.open_connection(address, port, ssl=tls)
        try:
            writer.write(_head(path))
            fields, body = await asyncio.wait_for(_read_answer(reader), timeout)
            return fields, body, writer.get_extra_info("peercert")
        finally:
            writer.close()

    with namespace.entered():
        return asyncio.run(one())


class _Background:
    """Runs `_flows` in a namespace while the block lasts, in a process of its own: what else this
    one does must not make the flows late, nor they it. `_flows` returns what `_take` gets."""

    def __init__(self, namespace):
        self._namespace = namespace
        fork = multiprocessing.get_context("fork")
        self._stop = fork.Event()
        self._all_open = fork.Event()
        self._results, results = fork.Pipe(duplex=False)
        self._process = fork.Process(target=self._run, args=(results,), daemon=True)

    def __enter__(self):
        self._process.start()
        return self

    def __exit__(self, *_):
        self._stop.set()
        while not self._results.poll(0.1):
            if not self._process.is_alive():
                raise LabError(f"the client ended with {self._process.exitcode}")
        self._take(self._results.recv())
        self._process.join()

    def _run(self, results):
        # Ctrl-C reaches the whole group; the other process ends this one.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        with self._namespace.entered():
            results.send(asyncio.run(self._flows()))


class Load(_Background):
    """New flows at a steady rate in the background, until the block ends.

    `address`: one, or several that take turns."""

    def __init__(
        self, namespace, address, port=80, per_second=100, timeout=2.0, tls=None, path="/"
    ):
        super().__init__(namespace)
        addresses = [address] if isinstance(address, str) else address
        self._addresses = itertools.cycle(addresses)
        self._how = (port, timeout, tls, path)
        self._pause = 1.0 / per_second
        self.outcomes = Outcomes()

    def _take(self, outcomes):
        self.outcomes = outcomes

    async def _flows(self):
        flows = set()
        begin = time.monotonic()
        while not self._stop.is_set():
            flow = asyncio.create_task(_flow(next(self._addresses), *self._how))
            flows.add(flow)
            flow.add_done_callback(lambda done: self.outcomes.append(done.result()))
            flow.add_done_callback(flows.discard)
            begin += self._pause
            await asyncio.sleep(max(0.0, begin - time.monotonic()))
        await asyncio.gather(*flows)
        return self.outcomes


@dataclasses.dataclass
class LongFlow:
    node: str | None = None
    was_cut: bool = False
    error: str | None = None


class LongFlows(_Background):
    """`count` flows at once that each last `seconds`; who serves them and which were cut.

    A flow is cut when it is reset, ends early, or brings nothing for `patience` seconds."""

    def __init__(self, namespace, address, count, seconds, port=80, tls=None, patience=3.0):
        super().__init__(namespace)
        self._target = (address, port, tls)
        self._seconds = seconds
        self._patience = patience
        self.flows = [LongFlow() for _ in range(count)]

    def wait_open(self):
        """Until each flow has been answered by a node or has failed."""
        self._all_open.wait(30)
        return self

    def cut_by_node(self):
        """node -> (flows cut, flows in all)."""
        found = {}
        for flow in self.flows:
            cut, total = found.get(flow.node, (0, 0))
            found[flow.node] = (cut + flow.was_cut, total + 1)
        return found

    def _take(self, flows):
        self.flows = flows

    async def _flows(self):
        tasks = [asyncio.create_task(self._one(flow)) for flow in self.flows]
        while any(flow.node is None and flow.error is None for flow in self.flows):
            await asyncio.sleep(0.02)
        self._all_open.set()
        await asyncio.gather(*tasks)
        return self.flows

    async def _one(self, flow):
        address, port, tls = self._target
        lines, writer = 0, None
        try:
            reader, writer = await asyncio.open_connection(address, port, ssl=tls)
            writer.write(_head(f"/trickle/{self._seconds}"))
            await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), self._patience)
            while line := await asyncio.wait_for(reader.readline(), self._patience):
                flow.node = line.decode().strip()
                lines += 1
        except (TimeoutError, OSError, asyncio.IncompleteReadError) as problem:
            flow.error = _cause(problem)
        finally:
            if writer:
                writer.close()
        flow.was_cut = lines < int(self._seconds / TRICKLE)
        flow.error = flow.error or ("ended early" if flow.was_cut else None)
