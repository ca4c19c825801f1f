# SPDX-License-Identifier: Apache-2.0
"""Link bandwidth 1:3 becomes weights 1:3 in the kernel routes of FRR."""

from lab.anycast import VIP4, VIP6, Anycast
from lab.fabric import Fabric
from lab.process import LabError, wait_until

BANDWIDTHS = {"node1": "1Gbit", "node2": "3Gbit"}


def run(report):
    with Fabric("interop-weights") as fabric:
        lab = Anycast(fabric, "frr", nodes=2)
        for node in lab.nodes:
            node.table("[vip]")["bandwidth"] = BANDWIDTHS[node.role]
        report.check("frr, weights: router, services and nodes start", lab.start)
        for address in (VIP4, VIP6):
            report.check(
                f"frr, weights: bandwidth 1:3 gives 1:3 in the kernel, {address}",
                lambda a=address: wait_until(a, lambda: is_one_to_three(lab, a), 20),
            )


def is_one_to_three(lab, address):
    found = lab.router_namespace.weights(address)
    if set(found) != set(BANDWIDTHS) or found["node2"] != 3 * found["node1"]:
        raise LabError(f"{found}")
    return True
