# SPDX-License-Identifier: Apache-2.0
"""The service behind a VIP, as a program of its own: `service.py NAME [PORT [CERTIFICATE KEY]]`.

It answers every HTTP request with its node's name, on all addresses of both families; with a
certificate it speaks TLS."""

import asyncio
import socket
import ssl
import sys


async def serve(name, port, certificate=None, key=None):
    context = None
    if certificate:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
    body = f"{name}\n".encode()
    head = f"HTTP/1.1 200 OK\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n".encode()

    async def answer(reader, writer):
        try:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(head + body)
            await writer.drain()
        except (asyncio.IncompleteReadError, asyncio.LimitOverrunError, ConnectionError):
            pass
        finally:
            writer.close()

    listener = socket.create_server(
        ("::", port), family=socket.AF_INET6, dualstack_ipv6=True, backlog=1024
    )
    server = await asyncio.start_server(answer, sock=listener, ssl=context)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(serve(sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 80, *sys.argv[3:5]))
