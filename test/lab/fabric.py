# SPDX-License-Identifier: Apache-2.0
"""A fabric: namespaces and links of one run, with a unique prefix, and their removal.

Everything lives in namespaces and below one directory of /run, so runs side by side cannot meet,
and what a killed run left behind is found and removed by the next one."""

import contextlib
import json
import os
import secrets
import shutil
import signal
import sys

from .netns import Namespace
from .process import LabError, Process, run

BASE = "/run/anyvip-lab"
ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


class Link:
    """A point-to-point routed link; `a` and `b` are (IPv4, IPv6) of the two ends."""

    def __init__(self, number):
        self.number = number
        self.a = (f"10.0.{number}.1", f"2001:db8:0:{number:x}::1")
        self.b = (f"10.0.{number}.2", f"2001:db8:0:{number:x}::2")


class Fabric:
    """Use as a context manager; with `keep` it stays when the block ends without an error."""

    def __init__(self, kind, keep=False):
        if os.geteuid() != 0:
            raise LabError("network namespaces need root: run it with sudo")
        self.kind = kind
        self.keep = keep
        self.id = f"lab{secrets.token_hex(2)}"
        self.directory = f"{BASE}/{self.id}"
        self.namespaces = {}
        self.links = 0
        self.at_exit = []  # called before the namespaces go

    def __enter__(self):
        # An end by signal is an end like any other: the block is left and the fabric removed.
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
        sweep()
        self._make_directory()
        self._write_owner(pid=os.getpid())
        return self

    def _make_directory(self):
        while True:
            with contextlib.suppress(FileNotFoundError):
                # The end of another run may have removed the parent in between.
                return os.makedirs(self.directory, mode=0o755)

    def __exit__(self, kind, error, trace):
        try:
            for action in self.at_exit:
                action()
        finally:
            if self.keep and error is None:
                self._write_owner(pid=None)
            else:
                remove(self.id)

    def _write_owner(self, pid):
        start = _start_time(pid) if pid else None
        with open(f"{self.directory}/owner.json", "w") as file:
            json.dump({"kind": self.kind, "pid": pid, "start": start}, file)

    def namespace(self, role):
        """A new namespace; its name is shown by `ip netns` as PREFIX-ROLE."""
        namespace = Namespace(f"{self.id}-{role}")
        self.namespaces[role] = namespace.create()
        os.makedirs(f"{self.directory}/{role}", mode=0o755)
        return namespace

    def router_namespace(self, role):
        """One that forwards and spreads flows by their 5-tuple.

        Policy 1 would use the sending socket's random hash on veth links, which is rolled again on
        each retransmission; policy 3 with these fields is the 5-tuple for both families."""
        namespace = self.namespace(role)
        namespace.sysctl("net.ipv4.ip_forward", 1)
        namespace.sysctl("net.ipv6.conf.all.forwarding", 1)
        # Its links may go down and come up again.
        namespace.sysctl("net.ipv6.conf.all.keep_addr_on_down", 1)
        for family in ("ipv4", "ipv6"):
            namespace.sysctl(f"net.{family}.fib_multipath_hash_policy", 3)
            namespace.sysctl(f"net.{family}.fib_multipath_hash_fields", "0x37")
        # A second tier with the hash of the first would send all its flows the same way.
        with contextlib.suppress(FileNotFoundError):  # Linux < 6.11
            namespace.sysctl("net.ipv4.fib_multipath_hash_seed", secrets.randbits(31) + 1)
        return namespace

    def link(self, role_a, role_b):
        """Joins two namespaces; each end is named after the role at the other end."""
        self.links += 1
        link = Link(self.links)
        a, b = self.namespaces[role_a], self.namespaces[role_b]
        run("ip", "link", "add", "name", role_b, "netns", a.name, "type", "veth",
            "peer", "name", role_a, "netns", b.name)  # fmt: skip
        for namespace, device, (v4, v6) in ((a, role_b, link.a), (b, role_a, link.b)):
            namespace.ip("address", "add", f"{v4}/24", "dev", device)
            namespace.ip("address", "add", f"{v6}/64", "dev", device, "nodad")
            namespace.ip("link", "set", device, "up")
        return link

    def default_route(self, role, *link_ends):
        """One hop for each end of a link, all of one route."""
        for hops in zip(*link_ends):
            words = [word for hop in hops for word in ("nexthop", "via", hop)]
            family = "-6" if ":" in hops[0] else "-4"
            self.namespaces[role].ip(family, "route", "add", "default", *words)

    def path(self, role, name):
        return f"{self.directory}/{role}/{name}"

    def process(self, role, name, argv, env=None):
        log = self.path(role, f"{name}.log")
        return Process(f"{role}/{name}", argv, log, self.namespaces[role], env)


def _start_time(pid):
    """Field 22 of /proc/PID/stat: together with the number it names a process for good."""
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rpartition(")")[2].split()[19]
    except (FileNotFoundError, ProcessLookupError):
        return None


def _fabrics():
    with contextlib.suppress(FileNotFoundError):
        for name in sorted(os.listdir(BASE)):
            try:
                with open(f"{BASE}/{name}/owner.json") as file:
                    yield name, json.load(file)
            except (FileNotFoundError, NotADirectoryError, json.JSONDecodeError):
                continue


def remove(fabric_id):
    for line in run("ip", "netns", "list").splitlines():
        name = line.split()[0]
        if name.startswith(f"{fabric_id}-"):
            Namespace(name).remove()
    shutil.rmtree(f"{BASE}/{fabric_id}", ignore_errors=True)
    with contextlib.suppress(OSError):
        os.rmdir(BASE)


def sweep():
    """Removes what runs that were killed have left; kept fabrics and running ones are untouched."""
    for name, owner in list(_fabrics()):
        if owner["pid"] is not None and _start_time(owner["pid"]) != owner["start"]:
            remove(name)


def down(kind):
    """Removes the kept fabrics of one kind and returns their prefixes."""
    kept = [name for name, owner in _fabrics() if owner["kind"] == kind and owner["pid"] is None]
    for name in kept:
        remove(name)
    return kept
