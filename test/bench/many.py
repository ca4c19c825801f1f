# SPDX-License-Identifier: Apache-2.0
"""10,000 VIPs: from Established to the last octet, and in how many UPDATE messages."""

import ipaddress
import itertools
import os
import time

from lab.fabric import Fabric
from lab.process import LabError, wait_until
from lab.speaker import KEEPALIVE, UPDATE

from .measure import add_node, collector, note, show
from .programs import Anyvip, BirdFast, ExaBgp, Frr, OpenBgpd

FIRST = ipaddress.ip_address("198.18.0.0")
# What fits into messages of 4,096 octets that all bear the shortest attributes (RFC 4271 §4.3):
# header 23, ORIGIN 4, AS_PATH 9, NEXT_HOP 7, and 5 for each /32.
FEWEST_ROOM = 4096 - 23 - 4 - 9 - 7


def prefixes(count):
    return [f"{FIRST + number}/32" for number in range(count)]


class ManyAnyvip(Anyvip):
    def configure(self):
        super().configure()
        vips = [
            ("[vip]", {"name": f"vip{number}", "addresses": [prefix[:-3]]})
            for number, prefix in enumerate(self.prefixes)
        ]
        others = [entry for entry in self.node.tables if entry[0] != "[vip]"]
        self.node.tables = [*others, *vips]
        self.node.write_configuration()


class ManyBird(BirdFast):
    name = "BIRD"

    def configure(self):
        super().configure()
        routes = "\n".join(f"  route {prefix} blackhole;" for prefix in self.prefixes)
        with open(self.path("conf"), "a") as file:
            file.write(f"protocol static many {{ ipv4;\n{routes}\n}}\n")


class ManyFrr(Frr):
    def configure(self):
        super().configure()
        with open(self.path("bgpd.conf"), "a") as file:
            file.writelines(f" neighbor {peer} timers connect 1\n" for peer in self.peers)
            file.writelines(f" network {prefix}\n" for prefix in self.prefixes)


class ManyOpenBgpd(OpenBgpd):
    def configure(self):
        super().configure()
        path = self.path("conf")
        with open(path) as file:
            text = file.read()
        with open(path, "w") as file:
            file.write(f"{text}connect-retry 2\n")
            file.writelines(f"network {prefix}\n" for prefix in self.prefixes)
        os.chmod(path, 0o600)


class ManyExaBgp(ExaBgp):
    def configure(self):
        routes = "\n".join(f" route {prefix} next-hop self;" for prefix in self.prefixes)
        self.announce = f"static {{\n{routes}\n}}"
        super().configure()


PROGRAMS = (ManyAnyvip, ManyFrr, ManyOpenBgpd, ManyExaBgp, ManyBird)


def measure(quick):
    count = 1_000 if quick else 10_000
    results = {}
    with Fabric("bench") as fabric:
        for program_type in PROGRAMS:
            links = add_node(fabric, program_type.role_name())
            program = program_type(fabric, program_type.role_name(), links)
            program.prefixes = prefixes(count)
            program.configure()
            router = collector(fabric, links[0][1])
            program.start()
            # The router comes when the program has long been running, all its routes known.
            time.sleep(2 if quick else 10)
            # One that does not come back in time will not do so the next time either.
            runs = (_once(program, router, count) for _ in range(1 if quick else 5))
            values = list(itertools.takewhile(bool, runs))
            program.stop()
            if values:
                values.sort()
                results[program.name] = {
                    "ms": round(values[len(values) // 2][0] * 1000, 1),
                    "most": round(values[-1][0] * 1000, 1),
                    "UPDATEs": values[0][1],
                    "n": len(values),
                }
    fewest = -(-count // (FEWEST_ROOM // 5))
    title = f"{count:,} VIPs, Established to the last octet; no speaker can do with fewer than"
    show(f"{title} {fewest} UPDATEs", results, ["ms", "most", "UPDATEs", "n"])
    return results


def _once(program, router, count):
    """(seconds from the KEEPALIVE that makes it Established, UPDATEs) of one session."""
    router.messages.clear()
    router.listen()
    missing = set(prefixes(count))
    last = None
    seen = 0

    def is_complete():
        nonlocal last, seen
        for last in list(router.messages)[seen:]:
            seen += 1
            missing.difference_update(last.announced())
            if not missing:
                return True
        raise LabError(f"{len(missing)} missing")

    try:
        router.wait_message("KEEPALIVE", lambda m: m.kind == KEEPALIVE, 0, 150)
        # Seldom, so that reading the messages does not slow down taking their times.
        wait_until(f"{count} prefixes", is_complete, 60, every=0.5)
    except (TimeoutError, LabError) as error:
        note(f"many: {program.name}: {error}")
        return None
    finally:
        router.end("fin")
    updates = [m for m in router.messages if m.kind == UPDATE and m.announced()]
    return last.at - router.keepalive_sent, len(updates)
