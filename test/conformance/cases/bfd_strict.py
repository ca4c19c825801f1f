# SPDX-License-Identifier: Apache-2.0
"""`bfd.strict`: BGP waits for BFD (RFC 5882 §4.1), and the router's connection with it."""

import socket
import struct

from .. import octets
from ..catalogue import NodeKind, case
from ..connection import require
from ..octets import UPDATE

STRICT = NodeKind("strict", tables=(("defaults.peer.bfd", (("strict", True),)),))
DOWN, INIT, UP = 1, 2, 3
PORT, IP_TTL = 3784, 2


class Bfd:
    """The router's side of one session (RFC 5880 §4.1), by hand."""

    def __init__(self, stage):
        self.target = (stage.node.address[False], PORT)
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.setsockopt(socket.IPPROTO_IP, IP_TTL, 255)
        self.socket.bind((stage.router, PORT))
        self.socket.settimeout(5)

    def hear(self, *states):
        """Reads until a packet in one of these states comes; remembers its discriminator."""
        while True:
            packet = self.socket.recv(64)
            self.theirs = struct.unpack_from("!I", packet, 4)[0]
            if packet[1] >> 6 in states:
                return

    def say(self, state):
        packet = struct.pack("!4B5I", 1 << 5, state << 6, 3, 24, 7, self.theirs,
                             1000000, 1000000, 0)
        self.socket.sendto(packet, self.target)

    def come_up(self):
        self.hear(DOWN)
        self.say(DOWN)
        self.hear(INIT, UP)
        self.say(UP)
        self.hear(UP)


@case("RFC 5882 §4.1: with bfd.strict the router's connection waits for BFD, and then goes on",
      kind=STRICT)
def waits(stage):
    first = stage.dial(first=stage.open_message())
    first.expect_quiet(1)
    connection = stage.dial(first=stage.open_message() + octets.KEEPALIVE_MESSAGE)
    first.expect_end()  # the router has given it up: the latest one counts
    connection.expect_quiet(1)
    require(stage.status()["state"] == "Idle", str(stage.status()))
    bfd = Bfd(stage)
    bfd.come_up()
    connection.expect_open()
    connection.expect_keepalive()
    connection.expect(UPDATE)
    bfd.socket.close()
