# SPDX-License-Identifier: Apache-2.0
"""Where flows go while nothing changes, and what passes through."""

import os
import time

from ..client import LongFlows, fetch, open_flows, same_port
from ..service import pattern
from .measure import require
from .registry import is_anycast, scenario

FLOWS = 200
TRANSFER = 50_000_000


@scenario("spread")
def spread(lab):
    """New flows reach all servers, a flow stays on its server, the same 5-tuple finds it again."""
    figures = {"flows": 0, "failed": 0}
    shares = []
    for address in lab.addresses:
        flows = open_flows(lab.client, address, FLOWS, lab.port, tls=lab.tls, timeout=5.0)
        require(not flows.failed, f"{address}: {dict(flows.failures())}")
        counts = [flows.spread()[one.role] for one in lab.servers if one is not lab.spare]
        # Five times the standard deviation of the binomial distribution and more.
        require(min(counts) > 0.4 * FLOWS / len(counts), f"{address}: spread {counts}")
        shares += [round(100 * count / FLOWS) for count in counts]
        figures["flows"] += FLOWS
    with LongFlows(lab.client, lab.addresses[0], 30, 2, lab.port, lab.tls) as long:
        long.wait_open()
    require(not any(flow.was_cut for flow in long.flows), f"cut: {long.cut_by_node()}")
    if is_anycast(lab):
        for port in (40001, 40002, 40003):
            again = same_port(lab.client, lab.addresses[0], port, 4, lab.port, lab.tls)
            require(not again.failed, f"from port {port}: {dict(again.failures())}")
            require(len(again.spread()) == 1, f"from port {port}: {dict(again.spread())}")
    return figures | {"least_percent": min(shares), "most_percent": max(shares)}


@scenario("passthrough")
def passthrough(lab):
    """The client sees the server's own certificate, 50 MB arrive intact, no key lies in between."""
    begin = time.monotonic()
    fields, body, certificate = fetch(
        lab.client, lab.addresses[0], f"/bytes/{TRANSFER}", lab.port, lab.tls
    )
    seconds = time.monotonic() - begin
    node = fields["x-node"]
    block = pattern(node)
    wanted = block * (TRANSFER // len(block)) + block[: TRANSFER % len(block)]
    require(body == wanted, f"{len(body)} octets from {node} differ from what it sent")
    subject = dict(pair for part in certificate["subject"] for pair in part)
    require(subject["commonName"] == node, f"{node} answered, the certificate is of {subject}")
    for announcer in lab.announcers:
        if announcer not in lab.servers:
            _require_no_key(announcer.directory)
    return {"seconds": round(seconds, 2), "failed": 0, "octets": len(body)}


def _require_no_key(directory):
    for folder, _, files in os.walk(directory):
        for name in files:
            path = os.path.join(folder, name)
            if os.path.isfile(path):  # no socket
                with open(path, "rb") as file:
                    require(b"PRIVATE KEY" not in file.read(1 << 20), f"{path} is a key")
