# SPDX-License-Identifier: Apache-2.0
"""A client: many flows at once, who answered them and how many failed."""

import asyncio
import collections
import dataclasses
import threading
import time


@dataclasses.dataclass(frozen=True)
class Outcome:
    node: str | None
    error: str | None
    seconds: float


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


async def _request(address, port, tls):
    reader, writer = await asyncio.open_connection(address, port, ssl=tls)
    try:
        writer.write(b"GET / HTTP/1.1\r\nHost: vip\r\nConnection: close\r\n\r\n")
        head, _, body = (await reader.read()).partition(b"\r\n\r\n")
        if not head.startswith(b"HTTP/1.1 200 "):
            raise ConnectionError("no complete answer")
        return body.decode().strip()
    finally:
        writer.close()


async def _flow(address, port, timeout, tls):
    """One flow is one TCP connection with one request: a new source port, so a new hash."""
    start = time.monotonic()
    node = error = None
    try:
        node = await asyncio.wait_for(_request(address, port, tls), timeout)
    except TimeoutError:
        error = "timeout"
    except ConnectionRefusedError:
        error = "refused"
    except ConnectionError as problem:
        error = "reset" if isinstance(problem, ConnectionResetError) else str(problem)
    except OSError as problem:
        error = problem.strerror or str(problem)
    return Outcome(node, error, time.monotonic() - start)


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


class Load:
    """New flows at a steady rate in the background, until the block ends."""

    def __init__(self, namespace, address, port=80, per_second=100, timeout=2.0, tls=None):
        self._namespace = namespace
        self._target = (address, port, timeout, tls)
        self._pause = 1.0 / per_second
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self.outcomes = Outcomes()

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._stop.set()
        self._thread.join()

    def _run(self):
        with self._namespace.entered():
            asyncio.run(self._flows())

    async def _flows(self):
        flows = set()
        begin = time.monotonic()
        while not self._stop.is_set():
            flow = asyncio.create_task(_flow(*self._target))
            flows.add(flow)
            flow.add_done_callback(lambda done: self.outcomes.append(done.result()))
            flow.add_done_callback(flows.discard)
            begin += self._pause
            await asyncio.sleep(max(0.0, begin - time.monotonic()))
        await asyncio.gather(*flows)
