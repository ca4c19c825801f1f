# SPDX-License-Identifier: Apache-2.0
"""RFC 9234 §5: ONLY_TO_CUSTOMER as received, by the role that is configured."""

from ..catalogue import case
from ..connection import require
from ..octets import TRANSITIVE, u32
from .update_received import announcement, of, session


def otc(asn):
    return of(35, u32(asn), TRANSITIVE)


ROWS = [
    ("from a customer is a leak", "provider", otc(65001), "route-leak"),
    ("from a route server's client is a leak", "rs", otc(65001), "route-leak"),
    ("from a peer with another AS is a leak", "peer", otc(65009), "route-leak"),
    ("from a peer with its own AS is no leak", "peer", otc(65001), None),
    ("from a provider is no leak", "customer", otc(65009), None),
    ("of 3 octets is treated as withdraw", "customer", of(35, bytes(3), TRANSITIVE),
     "attribute-length"),
    ("of 5 octets is treated as withdraw", "provider", of(35, bytes(5), TRANSITIVE),
     "attribute-length"),
    ("without a role is an unknown attribute", None, of(35, bytes(3), TRANSITIVE), None),
]


def received(stage, changes, rule):
    vip = f"{stage.node.vip4}/32"
    connection = session(stage)
    connection.send(announcement(stage))
    stage.barrier(connection)
    require(vip in stage.paths(), "the good route is not there")
    connection.send(announcement(stage, changes))
    stage.barrier(connection)
    counters = stage.status()["rule_counters"]
    require((vip in stage.paths()) == (rule is None), f"paths: {stage.paths()}")
    require(counters == ({rule: 1} if rule else {}), str(counters))


for text, role, changes, rule in ROWS:
    case(f"RFC 9234 §5: a received ONLY_TO_CUSTOMER {text}", peer={"role": role})(
        lambda stage, changes=changes, rule=rule: received(stage, changes, rule))
