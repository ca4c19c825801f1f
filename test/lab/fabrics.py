# SPDX-License-Identifier: Apache-2.0
"""The fabrics by name: each a function (Fabric, router's software, speaker) -> Lab."""

from .anycast import Anycast
from .scenarios import ALL

COMMON = {"tls": True, "spare": True, "bfd": True, "shared": True}


def _options(speaker):
    # ExaBGP has neither BFD nor a second kind of check.
    return COMMON | ({"bfd": False, "shared": False} if speaker == "exabgp" else {})


def anycast4(fabric, software, speaker):
    """Anycast by ECMP, IPv4: a router and three nodes with the VIP and a TLS service."""
    return Anycast(fabric, software, families=("ipv4",), speaker=speaker, **_options(speaker))


def anycast6(fabric, software, speaker):
    """The same in IPv6."""
    return Anycast(fabric, software, families=("ipv6",), speaker=speaker, **_options(speaker))


# What test/run has time for: all that is quick on one fabric, on the others what differs there.
BASICS = ("spread", "service-killed", "drain")
QUICK = {"anycast6": (*BASICS, "blackhole-bfd")}
FABRICS = {"anycast4": anycast4, "anycast6": anycast6}


def quick_scenarios(fabric):
    every = [one.name for one in ALL.values() if one.is_quick]
    return [name for name in every if name in QUICK.get(fabric, every)]
