# SPDX-License-Identifier: Apache-2.0
"""Good messages with random octets changed: whatever comes, only what the RFCs name may follow."""

import random

from .. import octets
from ..catalogue import rows
from ..connection import Wrong, require
from ..octets import NOTIFICATION
from .update_received import COMMUNITY, EXTENDED, LARGE, TRANSITIVE, announcement, attribute

SESSIONS = 25


def mutated(message, dice, first):
    octets_of_all = bytearray(message)
    for _ in range(dice.randint(1, 4)):
        octets_of_all[dice.randrange(first, len(octets_of_all))] = dice.choice(
            (0, 1, 2, 127, 128, 255, dice.randrange(256)))
    return bytes(octets_of_all)


def rich(stage):
    stage.two_octet = False
    more = {8: attribute(8, COMMUNITY, TRANSITIVE), 16: attribute(16, EXTENDED, TRANSITIVE),
            32: attribute(32, LARGE, TRANSITIVE), 4: octets.med(1),
            14: octets.reach(octets.nlri("2001:db8::9/128"), bytes(15) + b"\1")}
    return announcement(stage, more)


@rows([(f"RFC 7606 §3: mutated UPDATEs end in an UPDATE error or in none ({one})",
        one) for one in range(1, 9)])
def mutated_updates(stage, seed):
    dice = random.Random(seed)
    for _ in range(SESSIONS):
        connection = stage.established()
        connection.send(*[mutated(rich(stage), dice, 19) for _ in range(20)], octets.refresh())
        try:
            received = connection.next(5)
            while received and received.kind != NOTIFICATION and received.whole[19:21] != b"\0\1":
                received = connection.next(5)
        except TimeoutError:
            raise Wrong(f"no answer to ROUTE-REFRESH, seed {seed}") from None
        if received and received.kind == NOTIFICATION:
            require(received.body[0] == 3, str(received))
        connection.close()


@rows([(f"RFC 4271 §6.2: mutated OPENs end in a fitting error or in none ({one})",
        one) for one in range(1, 9)])
def mutated_opens(stage, seed):
    dice = random.Random(seed)
    for _ in range(SESSIONS):
        connection = stage.open_sent()
        connection.send(mutated(stage.open_message(), dice, 16))
        connection.finish()
        try:
            received = connection.next(5, keepalives=True)
        except TimeoutError:
            raise Wrong(f"no answer to OPEN, seed {seed}") from None
        if received and received.kind == NOTIFICATION:
            require(received.body[0] in (1, 2, 5), str(received))
        connection.close()
