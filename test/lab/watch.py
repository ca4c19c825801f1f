# SPDX-License-Identifier: Apache-2.0
"""Seeing the moment of a change: routes of the VIPs in the routers' kernels, UPDATEs on the wire.

Both are independent of the software under test: they watch the kernel and the packets."""

import collections
import ctypes
import dataclasses
import ipaddress
import os
import select
import socket
import struct
import threading
import time

from .process import LabError

NETLINK_ROUTE, GROUP_IPV4_ROUTE, GROUP_IPV6_ROUTE = 0, 0x40, 0x400
RTM_NEWROUTE, RTM_DELROUTE, RTA_DST = 24, 25, 1
SO_ATTACH_FILTER, ETH_P_ALL, PACKET_OUTGOING = 26, 0x0003, 4
UPDATE = 2


@dataclasses.dataclass(frozen=True)
class RouteEvent:
    at: float  # time.monotonic()
    router: str
    address: str
    is_removal: bool


class _Watcher:
    """One thread that reads several sockets until it is closed.

    When it ends before (ENOBUFS: the kernel has dropped something), what it saw is no evidence any
    more: every question to it is a LabError from then on, and so is its close."""

    def __init__(self, sockets):
        self._sockets = sockets
        self._problem = None
        self._wake = os.eventfd(0)
        self.changed = threading.Condition()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self):
        poll = select.poll()
        by_number = {one.fileno(): (name, one) for name, one in self._sockets.items()}
        for number in (*by_number, self._wake):
            poll.register(number, select.POLLIN)
        try:
            while True:
                for number, _ in poll.poll():
                    if number == self._wake:
                        return
                    self._read(*by_number[number])
        except Exception as error:  # whatever it was: nobody watches any more
            with self.changed:
                self._problem = error
                self.changed.notify_all()

    def _require_watching(self):
        if self._problem is not None:
            raise LabError(f"{type(self).__name__} has ended, it saw too little: {self._problem!r}")

    def close(self):
        os.eventfd_write(self._wake, 1)
        self._thread.join()
        for one in self._sockets.values():
            one.close()
        os.close(self._wake)
        self._require_watching()


class RouteWatch(_Watcher):
    """Every change of the VIPs' routes in the kernels of some routers, with its time."""

    def __init__(self, namespaces, addresses):
        """`namespaces`: router's role -> Namespace."""
        self._packed = {ipaddress.ip_address(one).packed: one for one in addresses}
        self.events = []
        super().__init__({role: _route_socket(one) for role, one in namespaces.items()})

    def _read(self, role, connection):
        data = connection.recv(1 << 16)
        at = time.monotonic()
        found = [RouteEvent(at, role, *event) for event in self._parse(data)]
        if found:
            with self.changed:
                self.events += found
                self.changed.notify_all()

    def _parse(self, data):
        while len(data) >= 16:
            size, kind = struct.unpack_from("=IH", data)
            if kind in (RTM_NEWROUTE, RTM_DELROUTE):
                attributes = data[28:size]
                while len(attributes) >= 4:
                    length, code = struct.unpack_from("=HH", attributes)
                    if code == RTA_DST and attributes[4:length] in self._packed:
                        yield self._packed[attributes[4:length]], kind == RTM_DELROUTE
                    attributes = attributes[(length + 3) & ~3 :]
            data = data[(size + 3) & ~3 :]

    def since(self, moment):
        self._require_watching()
        return [event for event in list(self.events) if event.at >= moment]

    @property
    def count(self):
        return len(self.events)

    def wait(self, seconds, known=None):
        """Returns after a change, or when so many seconds have passed.

        `known`: `count` as it was before the caller looked; a change since then is not waited for
        again. None: the next one."""
        with self.changed:
            self._require_watching()
            known = self.count if known is None else known
            self.changed.wait_for(lambda: self.count != known or self._problem, seconds)


def _route_socket(namespace):
    with namespace.entered():
        one = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, NETLINK_ROUTE)
    one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
    one.bind((0, GROUP_IPV4_ROUTE | GROUP_IPV6_ROUTE))
    return one


# TCP with port 179 on either side, from the IP header on; IPv6 without extension headers.
# (code, jump if true, jump if false, value) as in linux/filter.h.
BGP_ONLY = [
    (0x30, 0, 0, 0),
    (0x54, 0, 0, 0xF0),
    (0x15, 0, 7, 0x40),  # 2: IPv4, else 10
    (0x30, 0, 0, 9),
    (0x15, 0, 13, 6),  # 4: TCP, else 18
    (0xB1, 0, 0, 0),
    (0x48, 0, 0, 0),
    (0x15, 9, 0, 179),  # 7: source port, then 17
    (0x48, 0, 0, 2),
    (0x15, 7, 8, 179),  # 9: destination port, then 17, else 18
    (0x15, 0, 7, 0x60),  # 10: IPv6, else 18
    (0x30, 0, 0, 6),
    (0x15, 0, 5, 6),  # 12: TCP, else 18
    (0x28, 0, 0, 40),
    (0x15, 2, 0, 179),  # 14: source port, then 17
    (0x28, 0, 0, 42),
    (0x15, 0, 1, 179),  # 16: destination port, else 18
    (0x06, 0, 0, 0xFFFFFFFF),
    (0x06, 0, 0, 0),
]


class UpdateCount(_Watcher):
    """How many UPDATEs each neighbor has sent to some routers, End-of-RIB markers not counted."""

    def __init__(self, namespaces):
        self.by_neighbor = collections.Counter()
        self._streams = {}
        super().__init__({role: _tap(one) for role, one in namespaces.items()})

    def total(self, roles):
        self._require_watching()
        return sum(self.by_neighbor[role] for role in roles)

    def _read(self, router, tap):
        packet, (device, _, direction, *_) = tap.recvfrom(1 << 17)
        if direction == PACKET_OUTGOING or not (segment := _segment(packet)):
            return
        flow, sequence, is_syn, payload = segment
        key = (router, device, flow)
        if is_syn:
            self._streams[key] = [(sequence + 1) & 0xFFFFFFFF, b""]
        stream = self._streams.get(key)
        if stream is None or not payload:
            return
        skip = (stream[0] - sequence) & 0xFFFFFFFF  # what was there before, sent once more
        if skip >= len(payload):
            return
        stream[0] = (sequence + len(payload)) & 0xFFFFFFFF
        stream[1] += payload[skip:]
        self._messages(device, stream)

    def _messages(self, device, stream):
        data = stream[1]
        while len(data) >= 19 and len(data) >= (size := struct.unpack_from("!H", data, 16)[0]):
            if size < 19:
                break
            if data[18] == UPDATE and not _is_end_of_rib(data[19:size]):
                self.by_neighbor[device] += 1
            data = data[size:]
        stream[1] = data


class LastPacket(_Watcher):
    """When the last packet for an IPv4 address came to a namespace; use it as a context manager."""

    def __init__(self, namespace, address):
        self._last = time.monotonic()
        wanted = int(ipaddress.IPv4Address(address))
        # Protocol IPv4, destination: see BGP_ONLY.
        program = [
            (0x30, 0, 0, 0),
            (0x54, 0, 0, 0xF0),
            (0x15, 0, 3, 0x40),
            (0x20, 0, 0, 16),
            (0x15, 0, 1, wanted),
            (0x06, 0, 0, 64),
            (0x06, 0, 0, 0),
        ]
        super().__init__({"node": _tap(namespace, program)})

    @property
    def last(self):
        self._require_watching()
        return self._last

    def __enter__(self):
        return self

    def __exit__(self, kind, error, trace):
        try:
            self.close()
        except LabError:
            if error is None:  # else that one is told
                raise

    def _read(self, _, tap):
        _, (device, _, direction, *_) = tap.recvfrom(64)
        if device != "lo" and direction != PACKET_OUTGOING:
            self._last = time.monotonic()


def _is_end_of_rib(body):
    return body == bytes(4) or (len(body) in (10, 11) and body[:2] == b"\0\0" and body[5] == 15)


def _segment(packet):
    """((source, source port, destination port), sequence, SYN, payload) of a TCP packet."""
    if packet[0] >> 4 == 4:
        begin, source = 4 * (packet[0] & 15), packet[12:16]
        end = struct.unpack_from("!H", packet, 2)[0]
    else:
        begin, source = 40, packet[8:24]
        end = 40 + struct.unpack_from("!H", packet, 4)[0]
    if len(packet) < begin + 20:
        return None
    source_port, port, sequence = struct.unpack_from("!HHI", packet, begin)
    payload = packet[begin + 4 * (packet[begin + 12] >> 4) : end]
    return (source, source_port, port), sequence, bool(packet[begin + 13] & 2), payload


def _tap(namespace, instructions=None):
    """Whole packets of all devices from the network header on, as far as the filter lets them."""
    with namespace.entered():
        tap = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(ETH_P_ALL))
    instructions = instructions or BGP_ONLY
    program = b"".join(struct.pack("=HBBI", *instruction) for instruction in instructions)
    buffer = ctypes.create_string_buffer(program)
    head = struct.pack("HP", len(instructions), ctypes.addressof(buffer))
    tap.setsockopt(socket.SOL_SOCKET, SO_ATTACH_FILTER, head)
    tap.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
    return tap
