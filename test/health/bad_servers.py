# SPDX-License-Identifier: Apache-2.0
"""Servers that behave badly, as a program of its own: `bad_servers.py`. Ports are in PORTS."""

import asyncio
import contextlib

PORTS = {
    "silent": 9001,  # accepts and says nothing
    "drip": 9002,  # one octet a second of an answer that would be right
    "endless_headers": 9003,
    "closes": 9004,  # at once
    "endless_body": 9005,
    "garbage": 9006,
    "redirect": 9007,
    "greeting": 9008,  # a banner, then an echo
    "dns_silent": 9053,
    "dns_wrong_id": 9054,
    "dns_closes": 9055,  # TCP: closes at once
    "dns_garbage": 9056,
}
RIGHT = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


async def silent(reader, writer):
    await reader.read()


async def drip(reader, writer):
    for octet in RIGHT:
        writer.write(bytes([octet]))
        await writer.drain()
        await asyncio.sleep(1)


async def endless_headers(reader, writer):
    writer.write(b"HTTP/1.1 200 OK\r\n")
    while True:
        writer.write(b"X-More: of the same\r\n" * 100)
        await writer.drain()


async def closes(reader, writer):
    pass


async def endless_body(reader, writer):
    await reader.readuntil(b"\r\n\r\n")
    writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
    while True:
        writer.write(b"x" * 4096)
        await writer.drain()


async def garbage(reader, writer):
    await reader.readuntil(b"\r\n\r\n")
    writer.write(b"\x00\x01\x02 this is no HTTP\r\n\r\n")
    await writer.drain()


async def redirect(reader, writer):
    await reader.readuntil(b"\r\n\r\n")
    target = f"http://127.0.0.1:{PORTS['garbage']}/".encode()
    writer.write(b"HTTP/1.1 302 Found\r\nContent-Length: 0\r\nLocation: " + target + b"\r\n\r\n")
    await writer.drain()


async def greeting(reader, writer):
    writer.write(b"220 ready\r\n")
    while data := await reader.read(100):
        writer.write(data)
        await writer.drain()


class Datagrams(asyncio.DatagramProtocol):
    """Answers each datagram with what `answer` makes of it, or not at all."""

    def __init__(self, answer):
        self._answer = answer
        self._transport = None

    def connection_made(self, transport):
        self._transport = transport

    def datagram_received(self, data, addr):
        if answer := self._answer(data):
            self._transport.sendto(answer, addr)


def wrong_id(query):
    """The question with QR set and no error, but another ID."""
    return bytes([query[0] ^ 0xFF, query[1], 0x81, 0x80]) + query[4:]


def closing(serve):
    async def handle(reader, writer):
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            await serve(reader, writer)
        writer.close()

    return handle


async def main():
    streams = (silent, drip, endless_headers, closes, endless_body, garbage, redirect, greeting)
    for serve in streams:
        await asyncio.start_server(closing(serve), "127.0.0.1", PORTS[serve.__name__])
    await asyncio.start_server(closing(closes), "127.0.0.1", PORTS["dns_closes"])
    loop = asyncio.get_running_loop()
    for name, answer in (
        ("dns_silent", lambda query: None),
        ("dns_wrong_id", wrong_id),
        ("dns_garbage", lambda query: query[:2] + b"\x81\x80 no DNS"),
    ):
        await loop.create_datagram_endpoint(
            lambda answer=answer: Datagrams(answer), ("127.0.0.1", PORTS[name])
        )
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main())
