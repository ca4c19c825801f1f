# SPDX-License-Identifier: Apache-2.0
"""One network namespace: entering it, its addresses, its routes in the kernel."""

import contextlib
import ctypes
import json
import os
import signal
import time

from .process import LabError, run

_CLONE_NEWNET = 0x40000000
_libc = ctypes.CDLL(None, use_errno=True)


def _setns(descriptor):
    if _libc.setns(descriptor, _CLONE_NEWNET) != 0:
        raise OSError(ctypes.get_errno(), "setns")


class Namespace:
    """A namespace of `ip netns`; `remove` takes everything with it that runs inside."""

    def __init__(self, name):
        self.name = name

    def create(self):
        run("ip", "netns", "add", self.name)
        # Duplicate address detection would leave every address unusable for a second.
        self.sysctl("net.ipv6.conf.all.accept_dad", 0)
        self.sysctl("net.ipv6.conf.default.accept_dad", 0)
        self.ip("link", "set", "lo", "up")
        return self

    @contextlib.contextmanager
    def entered(self):
        """The calling thread (only it) and the children it starts are in this namespace."""
        own = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
        try:
            other = os.open(f"/run/netns/{self.name}", os.O_RDONLY | os.O_CLOEXEC)
            try:
                _setns(other)
            finally:
                os.close(other)
            try:
                yield self
            finally:
                _setns(own)
        finally:
            os.close(own)

    def run(self, *argv, **options):
        with self.entered():
            return run(*argv, **options)

    def ip(self, *argv, **options):
        return run("ip", "-n", self.name, *argv, **options)

    def sysctl(self, key, value):
        with self.entered(), open("/proc/sys/" + key.replace(".", "/"), "w") as file:
            file.write(str(value))

    def fib(self, prefix):
        """The next hops of a prefix in the kernel: gateway by device; empty when it is not there.

        Links are named after the role at their other end, so the keys are the nodes."""
        family = "-6" if ":" in prefix else "-4"
        hops = {}
        text = self.ip(family, "-j", "route", "show", "table", "main", prefix)
        for route in json.loads(text or "[]"):
            for hop in route.get("nexthops", [route]):
                gateway = hop.get("gateway") or hop.get("via", {}).get("host")
                hops[hop.get("dev", "-")] = gateway
        return dict(sorted(hops.items()))

    def default_hops(self, family):
        """By which devices the default route of a family leaves."""
        text = self.ip("-4" if family == "ipv4" else "-6", "-j", "route", "show", "default")
        return {
            hop["dev"]
            for route in json.loads(text or "[]")
            for hop in route.get("nexthops", [route])
            if "dev" in hop
        }

    def weights(self, prefix):
        """The weight of each next hop of a prefix in the kernel, by device."""
        family = "-6" if ":" in prefix else "-4"
        text = self.ip(family, "-j", "route", "show", "table", "main", prefix)
        hops = [hop for route in json.loads(text or "[]") for hop in route.get("nexthops", [])]
        return {hop["dev"]: hop["weight"] for hop in hops}

    def has_address(self, address, device="lo"):
        for link in json.loads(self.ip("-j", "address", "show", "dev", device)):
            for info in link.get("addr_info", []):
                if info["local"] == address:
                    return True
        return False

    def devices(self):
        """All but the loopback."""
        found = [link["ifname"] for link in json.loads(self.ip("-j", "link", "show"))]
        return [name for name in found if name != "lo"]

    def addresses(self, device):
        """All addresses of a device, of both families."""
        (link,) = json.loads(self.ip("-j", "address", "show", "dev", device))
        return [info["local"] for info in link["addr_info"]]

    def pids(self):
        return [int(pid) for pid in run("ip", "netns", "pids", self.name, check=False).split()]

    def remove(self):
        """Ends every process in the namespace, then the namespace itself."""
        end = time.monotonic() + 5.0
        while pids := [pid for pid in self.pids() if pid != os.getpid()]:
            for pid in pids:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            if time.monotonic() > end:
                raise LabError(f"{self.name}: processes that cannot be killed: {pids}")
            time.sleep(0.01)
        run("ip", "netns", "del", self.name, check=False)
