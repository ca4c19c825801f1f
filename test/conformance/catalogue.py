# SPDX-License-Identifier: Apache-2.0
"""What there is to run: cases with their requirement as name, and the nodes that they run on."""

import dataclasses


@dataclasses.dataclass(frozen=True, eq=False)
class NodeKind:
    """A configuration of anyvipd without its peers. A node that is not `shared` serves one case."""

    name: str
    asn: int = 65010
    router_id: str = "10.255.0.1"
    families: tuple = (4, 6)  # of its one VIP
    vip: tuple = ()  # further keys of the VIP, as pairs
    tables: tuple = ()  # further tables, as (name, pairs)
    daemon: tuple = ()  # further keys of [daemon], as pairs
    shared: bool = True


PLAIN = NodeKind("plain")
INTERNAL = NodeKind("internal", asn=65001)
BIG = NodeKind("big", asn=4200000001)


@dataclasses.dataclass
class Case:
    name: str
    run: object
    kind: NodeKind
    peer: dict
    dials: bool  # the daemon connects, the case accepts
    ipv6: bool  # the session runs over IPv6
    slow: bool  # waits for long, so it begins first
    module: str


CASES = []


def case(name, kind=PLAIN, peer=None, dials=False, ipv6=False, slow=False):
    """`peer`: further keys of the [[peer]] of this case."""

    def register(function):
        module = function.__module__.rsplit(".", 1)[-1]
        CASES.append(Case(name, function, kind, dict(peer or {}), dials, ipv6, slow, module))
        return function

    return register


def rows(table, **options):
    """One case for each row: (name, argument…); the function gets the stage and the arguments."""

    def register(function):
        for name, *arguments in table:
            one = lambda stage, arguments=arguments: function(stage, *arguments)
            one.__module__ = function.__module__
            case(name, **options)(one)
        return function

    return register
