# SPDX-License-Identifier: Apache-2.0
"""The service behind a VIP, as a program of its own: `service.py NAME [PORT [CERTIFICATE KEY]]`.

Its answers begin with its node's name, on all addresses of both families; with a certificate it
speaks TLS. `/` is that name alone, `/1k` is 1024 octets, `/bytes/N` are N octets of a pattern,
`/trickle/N` is a line every 100 ms for N seconds. A request with `Connection: keep-alive` leaves
the connection open for the next one."""

import asyncio
import hashlib
import socket
import ssl
import sys

TRICKLE = 0.1  # seconds between two lines


def pattern(name):
    """A MiB that is different for each name; `/bytes/N` repeats it."""
    return hashlib.shake_256(name.encode()).digest(1 << 20)


class Service:
    def __init__(self, name):
        self.name = name
        self.pattern = None

    async def connection(self, reader, writer):
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).lower()
                keep = b"connection: keep-alive" in head
                await self._answer(writer, head.split()[1].decode(), keep)
                if not keep:
                    break
        except (asyncio.IncompleteReadError, asyncio.LimitOverrunError, OSError, ssl.SSLError):
            pass
        finally:
            writer.close()

    async def _answer(self, writer, path, keep):
        kind, _, number = path.strip("/").partition("/")
        line = f"{self.name}\n".encode()
        length = {"bytes": int(number or 0), "1k": 1024, "trickle": None}.get(kind, len(line))
        head = f"HTTP/1.1 200 OK\r\nX-Node: {self.name}\r\n"
        head += "" if length is None else f"Content-Length: {length}\r\n"
        head += f"Connection: {'keep-alive' if keep else 'close'}\r\n\r\n"
        writer.write(head.encode())
        if kind == "bytes":
            self.pattern = self.pattern or pattern(self.name)
            for begin in range(0, length, len(self.pattern)):
                writer.write(self.pattern[: length - begin])
                await writer.drain()
        elif kind == "trickle":
            for _ in range(int(float(number) / TRICKLE)):
                writer.write(line)
                await writer.drain()
                await asyncio.sleep(TRICKLE)
        else:
            writer.write(line.ljust(length, b"."))
        await writer.drain()


async def serve(name, port, certificate=None, key=None):
    context = None
    if certificate:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
    listener = socket.create_server(
        ("::", port), family=socket.AF_INET6, dualstack_ipv6=True, backlog=1024
    )
    server = await asyncio.start_server(Service(name).connection, sock=listener, ssl=context)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(serve(sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 80, *sys.argv[3:5]))
