# SPDX-License-Identifier: Apache-2.0
"""One TCP connection as the router has it, and what may be expected of it."""

import select
import socket
import struct
import time

from . import octets
from .octets import KEEPALIVE, NOTIFICATION, OPEN, UPDATE, Message

PATIENCE = 15.0  # a loaded machine, not the protocol


class Wrong(Exception):
    """The daemon did something else than the requirement says."""


def require(condition, text):
    if not condition:
        raise Wrong(text)


class Connection:
    def __init__(self, sock):
        self.socket = sock
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._buffer = b""
        self.ended = None  # "fin" or "rst"
        self.peer_open = None
        self.opened_at = time.monotonic()
        self.enhanced = False

    def send(self, *messages):
        try:
            self.socket.sendall(b"".join(messages))
        except OSError as error:
            raise Wrong(f"the daemon closed before everything was sent: {error}") from None

    def close(self):
        self.socket.close()

    def abort(self):
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()

    def finish(self):
        """FIN, the receiving direction stays open."""
        self.socket.shutdown(socket.SHUT_WR)

    # ---- reading

    def _fill(self, until):
        """More octets into the buffer. False: none before `until`."""
        poll = select.poll()
        poll.register(self.socket, select.POLLIN)
        left = until - time.monotonic()
        if left <= 0 or not poll.poll(left * 1000):
            return False
        try:
            data = self.socket.recv(65536)
        except ConnectionResetError:
            self.ended = "rst"
            return True
        if data:
            self._buffer += data
        else:
            self.ended = "fin"
        return True

    def next(self, deadline=PATIENCE, keepalives=False):
        """The next message; None at the end of the stream, TimeoutError when there is neither."""
        until = time.monotonic() + deadline
        while True:
            while len(self._buffer) >= 19:
                length = struct.unpack_from("!H", self._buffer, 16)[0]
                if len(self._buffer) < length:
                    break
                raw, self._buffer = self._buffer[:length], self._buffer[length:]
                require(raw[:16] == octets.MARKER, f"bad marker: {raw[:19].hex()}")
                require(19 <= length <= 4096, f"length {length}")
                received = Message(time.monotonic(), raw[18], raw[19:])
                if received.kind != KEEPALIVE or keepalives:
                    return received
            if self.ended:
                require(not self._buffer, f"cut-off message {self._buffer.hex()}")
                return None
            if not self._fill(until):
                raise TimeoutError

    def read(self, what, deadline=PATIENCE, keepalives=False):
        try:
            received = self.next(deadline, keepalives)
        except TimeoutError:
            raise Wrong(f"{what}: nothing within {deadline:g} s") from None
        require(received is not None, f"{what}: connection ended ({self.ended})")
        return received

    # ---- expectations

    def expect(self, kind, body=None, deadline=PATIENCE, keepalives=False):
        what = octets.NAMES[kind]
        received = self.read(what, deadline, keepalives or kind == KEEPALIVE)
        require(received.kind == kind, f"{what} expected, got {received}")
        if body is not None:
            require(received.body == body, f"{received}, expected {body.hex()}")
        return received

    def expect_message(self, whole):
        """Exactly these octets."""
        received = self.read(whole.hex())
        require(received.whole == whole, f"got {received.whole.hex()}, expected {whole.hex()}")
        return received

    def expect_notification(self, code, subcode, data=b"", deadline=PATIENCE):
        """This NOTIFICATION, then the orderly end of the stream, nothing else. `data` None: any."""
        received = self.read(f"NOTIFICATION {code}/{subcode}", deadline)
        expected = octets.u8(code, subcode) + (data or b"")
        good = received.body[:2] == expected[:2] and (data is None or received.body == expected)
        require(
            received.kind == NOTIFICATION and good,
            f"got {received}, expected NOTIFICATION {expected.hex()}",
        )
        self.expect_end("fin")
        return received

    def expect_end(self, how=None, deadline=PATIENCE):
        """The stream ends without another message."""
        try:
            received = self.next(deadline)
        except TimeoutError:
            raise Wrong(f"still open after {deadline:g} s") from None
        require(received is None, f"{received} instead of the end")
        require(how is None or self.ended == how, f"ended with {self.ended}, not {how}")

    def expect_quiet(self, seconds, keepalives=False):
        """Neither a message nor an end within this time."""
        try:
            received = self.next(seconds, keepalives=not keepalives)
        except TimeoutError:
            return
        raise Wrong(f"{received or self.ended} within {seconds:g} s, expected nothing")

    def expect_open(self, body=None):
        received = self.expect(OPEN, body, keepalives=True)
        self.peer_open = received.body
        return received

    def expect_keepalive(self, deadline=PATIENCE):
        return self.expect(KEEPALIVE, b"", deadline)

    def updates_until_end_of_rib(self, families):
        """All UPDATEs up to the End-of-RIB of each family; nothing but UPDATEs may come."""
        missing = {octets.END_OF_RIB[family] for family in families}
        updates = []
        while missing:
            received = self.expect(UPDATE)
            if received.whole in missing:
                missing.remove(received.whole)
            else:
                updates.append(received.whole)
        return updates
