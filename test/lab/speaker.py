# SPDX-License-Identifier: Apache-2.0
"""A BGP peer made of raw bytes, independent of bgp/wire, which notes when each message came."""

import collections
import dataclasses
import ipaddress
import os
import select
import socket
import struct
import threading
import time

MARKER = b"\xff" * 16
OPEN, UPDATE, NOTIFICATION, KEEPALIVE = 1, 2, 3, 4
_ENDINGS = {"rst": 1, "fin": 2, "cease": 3}


@dataclasses.dataclass(frozen=True)
class Message:
    at: float  # time.monotonic() when its last octet was read
    kind: int
    body: bytes

    def announced(self):
        return _prefixes(self)[0]

    def withdrawn(self):
        return _prefixes(self)[1]


def _length(buffer):
    """The length field of the message at the start of the buffer."""
    return struct.unpack_from("!H", buffer, 16)[0]


def message(kind, body=b""):
    return MARKER + struct.pack("!HB", 19 + len(body), kind) + body


def open_message(asn, router_id, hold_time=90, families=((1, 1), (2, 1))):
    capabilities = b"".join(struct.pack("!BBHBB", 1, 4, afi, 0, safi) for afi, safi in families)
    capabilities += struct.pack("!BBI", 65, 4, asn) + struct.pack("!BB", 2, 0)
    parameter = struct.pack("!BB", 2, len(capabilities)) + capabilities
    two_octets = asn if asn < 65536 else 23456
    head = struct.pack("!BHH", 4, two_octets, hold_time) + socket.inet_aton(router_id)
    return message(OPEN, head + bytes([len(parameter)]) + parameter)


def cease(subcode):
    return message(NOTIFICATION, bytes([6, subcode]))


def _nlri(data, width):
    found = []
    while data:
        octets = (data[0] + 7) // 8
        address = data[1 : 1 + octets].ljust(width, b"\0")
        found.append(f"{ipaddress.ip_address(address)}/{data[0]}")
        data = data[1 + octets :]
    return found


def _prefixes(update):
    """(announced, withdrawn) of an UPDATE, both families."""
    if update.kind != UPDATE:
        return [], []
    body = update.body
    size = struct.unpack_from("!H", body)[0]
    withdrawn = _nlri(body[2 : 2 + size], 4)
    attributes_size = struct.unpack_from("!H", body, 2 + size)[0]
    attributes = body[4 + size : 4 + size + attributes_size]
    announced = _nlri(body[4 + size + attributes_size :], 4)
    while attributes:
        flags, code = attributes[0], attributes[1]
        if flags & 0x10:
            length, start = struct.unpack_from("!H", attributes, 2)[0], 4
        else:
            length, start = attributes[2], 3
        value, attributes = attributes[start : start + length], attributes[start + length :]
        if code == 14 and value[:3] == b"\x00\x02\x01":
            announced += _nlri(value[5 + value[3] :], 16)
        elif code == 15 and value[:3] == b"\x00\x02\x01":
            withdrawn += _nlri(value[3:], 16)
    return announced, withdrawn


class Speaker:
    """One session as a router has it: accepts, brings the session up and collects messages."""

    def __init__(self, namespace, asn, router_id, address="0.0.0.0", port=179, hold_time=90):
        self.namespace = namespace
        self._open = open_message(asn, router_id, hold_time)
        self._endpoint = (address, port)
        self._condition = threading.Condition()
        self._wake = os.eventfd(0)
        self.messages = collections.deque()
        self.listening_since = None
        self.keepalive_sent = None  # time.monotonic(); the other side is Established after it
        self._listener = None
        self._connection = None
        self._sending = threading.Lock()

    def listen(self):
        family = socket.AF_INET6 if ":" in self._endpoint[0] else socket.AF_INET
        with self.namespace.entered():
            self._listener = socket.socket(family, socket.SOCK_STREAM)
        self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._listener.bind(self._endpoint)
        self._listener.listen(8)
        self.listening_since = time.monotonic()
        threading.Thread(target=self._accept, args=(self._listener,), daemon=True).start()
        return self

    def stop_listening(self):
        if self._listener:
            # Wakes the accepting thread, which close() alone would not.
            self._listener.shutdown(socket.SHUT_RDWR)
            self._listener.close()
            self._listener = None

    def _accept(self, listener):
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with self._condition:
                self._connection = connection
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection):
        buffer = b""
        stop = threading.Event()
        poll = select.poll()
        poll.register(connection, select.POLLIN)
        poll.register(self._wake, select.POLLIN)
        try:
            connection.sendall(self._open)
            while True:
                if any(descriptor == self._wake for descriptor, _ in poll.poll()):
                    self._finish(connection, os.eventfd_read(self._wake))
                    break
                data = connection.recv(65536)
                at = time.monotonic()
                if not data:
                    break
                buffer += data
                while len(buffer) >= 19 and len(buffer) >= (size := _length(buffer)):
                    self._received(connection, Message(at, buffer[18], buffer[19:size]), stop)
                    buffer = buffer[size:]
        except OSError:
            pass
        finally:
            stop.set()
            connection.close()
            with self._condition:
                if self._connection is connection:
                    self._connection = None
                self._condition.notify_all()

    @staticmethod
    def _finish(connection, how):
        if how == _ENDINGS["cease"]:
            connection.sendall(cease(2))
        if how == _ENDINGS["rst"]:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    def _received(self, connection, received, stop):
        if received.kind == OPEN:
            self.keepalive_sent = time.monotonic()
            connection.sendall(message(KEEPALIVE))
            arguments = (connection, received, stop)
            threading.Thread(target=self._keep_alive, args=arguments, daemon=True).start()
        with self._condition:
            self.messages.append(received)
            self._condition.notify_all()

    def _keep_alive(self, connection, opened, stop):
        hold_time = struct.unpack_from("!H", opened.body, 3)[0]
        while hold_time and not stop.wait(min(hold_time, 90) / 3):
            try:
                with self._sending:
                    connection.sendall(message(KEEPALIVE))
            except OSError:
                return

    def send(self, messages):
        """Sends blocks of whole messages; keepalives go between two blocks."""
        with self._condition:
            self._condition.wait_for(lambda: self._connection, 30)
            connection = self._connection
        for block in messages:
            with self._sending:
                connection.sendall(block)

    def wait_message(self, what, matches, since=0.0, deadline=30.0):
        """The first message not older than `since` for which `matches` is true."""
        end = time.monotonic() + deadline
        with self._condition:
            while True:
                for received in self.messages:
                    if received.at >= since and matches(received):
                        return received
                left = end - time.monotonic()
                if left <= 0:
                    raise TimeoutError(f"{what}: not within {deadline:g} s")
                self._condition.wait(left)

    def wait_announced(self, prefix, since=0.0, deadline=30.0):
        what = f"{prefix} announced"
        return self.wait_message(what, lambda m: prefix in m.announced(), since, deadline)

    def wait_withdrawn(self, prefix, since=0.0, deadline=30.0):
        what = f"{prefix} withdrawn"
        return self.wait_message(what, lambda m: prefix in m.withdrawn(), since, deadline)

    def end(self, how):
        """Stops listening and ends the session as "rst", "fin" or "cease" (orderly shutdown)."""
        self.stop_listening()
        # The serving thread has to do it: a close() here would wait for its poll() to return.
        os.eventfd_write(self._wake, _ENDINGS[how])
        with self._condition:
            self._condition.wait_for(lambda: self._connection is None, 5)
