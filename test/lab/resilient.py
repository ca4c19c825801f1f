# SPDX-License-Identifier: Apache-2.0
"""Resilient hashing as switches have it, made of the kernel's resilient next-hop groups.

The routing software knows nothing of it: what it puts into the main table is copied into a group
that a rule prefers. A hop that leaves gives up its own buckets; one that comes gets only buckets
in which nothing has moved for a while."""

import os
import threading

from .process import wait_until

BUCKETS, IDLE = 256, 120
TABLE, GROUP = 100, 1000


class ResilientFib:
    """For one IPv4 address in one router; the routes are copied at every change."""

    def __init__(self, namespace, address, routes):
        self._namespace = namespace
        self._address = address
        self._routes = routes
        self._known = {}  # (device, gateway) -> id
        self._ids = []
        self._stop = threading.Event()
        namespace.ip("rule", "add", "to", f"{address}/32", "lookup", TABLE, "priority", 100)
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def close(self):
        self._stop.set()
        self._thread.join()

    def wait_copied(self):
        """Until the group has the hops of the route and the kernel has dealt out idle buckets."""

        def same():
            hops = self._namespace.fib(self._address).items()
            return sorted(self._known.get(hop, 0) for hop in hops) == self._ids

        wait_until("the group has the route's hops", same)
        self._stop.wait(0.5)

    def _run(self):
        while not self._stop.is_set():
            known = self._routes.count
            if os.path.exists(f"/run/netns/{self._namespace.name}"):
                self._copy()
            self._routes.wait(0.2, known)

    def _copy(self):
        hops = self._namespace.fib(self._address)
        ids = sorted(self._id(device, gateway) for device, gateway in hops.items())
        if ids == self._ids:
            return
        self._ids = ids
        if not ids:
            self._namespace.ip("route", "flush", "table", TABLE, check=False)
            return
        members = "/".join(map(str, ids))
        self._namespace.ip("nexthop", "replace", "id", GROUP, "group", members, "type",
                           "resilient", "buckets", BUCKETS, "idle_timer", IDLE)  # fmt: skip
        route = (f"{self._address}/32", "nhid", GROUP, "table", TABLE)
        self._namespace.ip("route", "replace", *route)

    def _id(self, device, gateway):
        key = (device, gateway)
        if key not in self._known:
            self._known[key] = len(self._known) + 1
            hop = ("id", self._known[key], "via", gateway, "dev", device)
            self._namespace.ip("nexthop", "add", *hop)
        return self._known[key]
