# SPDX-License-Identifier: Apache-2.0
"""What one end of a link sees of BGP and single-hop or multihop BFD, in the order of the wire."""

import socket
import struct
import threading
import time

_ETH_P_ALL = 3
_TCP, _UDP = 6, 17
_BFD_PORTS = (3784, 4784)
_NAMES = {1: "OPEN", 2: "UPDATE", 3: "NOTIFICATION", 4: "KEEPALIVE", 5: "ROUTE-REFRESH"}


class Capture:
    """`packets` on `device` in the namespace, from the start on: (time, MAC of the sender, text).

    The text is a BGP message's name, or "BFD AdminDown", "BFD Down", "BFD Init", "BFD Up". Only
    segments that begin with a whole BGP header count, which is what a small speaker sends."""

    def __init__(self, namespace, device):
        with namespace.entered():
            self._socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(_ETH_P_ALL))
            self._socket.bind((device, 0))
        self._socket.settimeout(0.1)
        self.packets = []
        self._is_over = False
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._is_over = True
        self._thread.join()
        self._socket.close()

    def _read(self):
        while not self._is_over:
            try:
                frame = self._socket.recv(65536)
            except TimeoutError:
                continue
            for text in describe(frame):
                self.packets.append((time.monotonic(), frame[6:12].hex(":"), text))

    def sent_by(self, mac):
        return [text for _, sender, text in list(self.packets) if sender == mac]


def describe(frame):
    """The texts of what is in an Ethernet frame; none when it is neither BGP nor BFD."""
    kind = int.from_bytes(frame[12:14], "big")
    if kind == 0x0800:
        octets = frame[14:][: int.from_bytes(frame[16:18], "big")]
        protocol, payload = octets[9], octets[(octets[0] & 15) * 4 :]
    elif kind == 0x86DD:
        octets = frame[14:][: 40 + int.from_bytes(frame[18:20], "big")]
        protocol, payload = octets[6], octets[40:]
    else:
        return []
    source, destination = struct.unpack("!HH", payload[:4])
    if protocol == _UDP and destination in _BFD_PORTS:
        state = payload[8 + 1] >> 6
        return ["BFD " + ("AdminDown", "Down", "Init", "Up")[state]]
    if protocol != _TCP or 179 not in (source, destination):
        return []
    return list(_messages(payload[(payload[12] >> 4) * 4 :]))


def _messages(stream):
    while len(stream) >= 19 and stream[:16] == b"\xff" * 16:
        yield _NAMES.get(stream[18], "?")
        stream = stream[max(19, int.from_bytes(stream[16:18], "big")) :]
