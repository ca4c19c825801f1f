# SPDX-License-Identifier: Apache-2.0
"""What a case has at hand: its node, its peer on it, connections, and the usual first steps."""

import contextlib
import time

from . import octets
from .connection import PATIENCE, Connection, Wrong, require
from .octets import IPV4, IPV6, KEEPALIVE_MESSAGE, UPDATE

FAMILIES = (IPV4, IPV6)


class Stage:
    def __init__(self, network, node, number, case, router, listener):
        self.network = network
        self.node = node
        self.name = f"p{number}"
        self.case = case
        self.router = router
        self.listener = listener
        self.router_id = "10.255.0.2"
        self.asn = case.peer.get("asn", 65001)
        self._open_connections = []

    # ---- connections

    def dial(self, prepare=None, source=None, timeout=PATIENCE, first=b""):
        """A connection to the listening socket of the daemon, with these octets sent at once."""
        source = source or self.router
        sock = self.network.socket(source)
        if prepare:
            prepare(sock)
        sock.settimeout(timeout)
        sock.bind((source, 0))
        sock.connect((self.node.address[":" in source], 179))
        sock.send(first)
        sock.settimeout(None)
        return self._keep(Connection(sock))

    def accept(self, deadline=PATIENCE):
        """A connection that the daemon opens."""
        self.listener.settimeout(deadline)
        try:
            sock, _ = self.listener.accept()
        except TimeoutError:
            raise Wrong(f"the daemon did not connect within {deadline:g} s") from None
        sock.settimeout(None)
        return self._keep(Connection(sock))

    def expect_no_attempt(self, seconds):
        self.listener.settimeout(seconds)
        with contextlib.suppress(TimeoutError):
            self.listener.accept()
            raise Wrong(f"the daemon connected within {seconds:g} s")

    def connect(self):
        return self.accept() if self.case.dials else self.dial()

    def _keep(self, connection):
        self._open_connections.append(connection)
        return connection

    def close(self):
        for connection in self._open_connections:
            connection.close()

    # ---- messages of the router

    def open_message(self, **changes):
        """An OPEN as a usual router sends it."""
        asn = changes.get("asn", self.asn)
        if "parameters" in changes:
            parameters = changes["parameters"]
        else:
            capabilities = changes.get("capabilities", octets.usual_capabilities(asn))
            parameters = octets.short_parameters(octets.parameter(capabilities))
        return octets.open_message(
            changes.get("my_as", asn if asn < 65536 else octets.AS_TRANS),
            changes.get("router_id", self.router_id),
            changes.get("hold_time", 90),
            parameters,
            changes.get("version", 4),
            changes.get("length"),
        )

    # ---- the usual first steps

    def open_sent(self, connection=None):
        """A connection on which the daemon has sent its OPEN."""
        connection = connection or self.connect()
        connection.expect_open()
        return connection

    def open_confirm(self, connection=None, **changes):
        connection = self.open_sent(connection)
        connection.send(self.open_message(**changes))
        connection.expect_keepalive()
        capabilities = changes.get("capabilities")
        connection.enhanced = "parameters" not in changes and (
            capabilities is None or octets.ENHANCED_REFRESH_CAPABILITY in capabilities
        )
        return connection

    def established(self, connection=None, families=FAMILIES, **changes):
        """A session with its first UPDATEs and End-of-RIBs read; these are in `first`."""
        if families != FAMILIES and "capabilities" not in changes and "parameters" not in changes:
            asn = changes.get("asn", self.asn)
            changes["capabilities"] = octets.usual_capabilities(asn, families)
        connection = self.open_confirm(connection, **changes)
        connection.send(KEEPALIVE_MESSAGE)
        connection.first = connection.updates_until_end_of_rib(families)
        return connection

    # ---- proofs

    def barrier(self, connection, family=IPV4):
        """Whatever was sent before has been handled: the answer to a ROUTE-REFRESH is there.

        The session is up, and nothing else was sent in the meantime."""
        connection.send(octets.refresh(family))
        if connection.enhanced:
            connection.expect_message(octets.refresh(family, 1))
        route = connection.expect(UPDATE)
        require(self.is_own_route(route, family), f"the re-sent route, not {route}")
        if connection.enhanced:
            connection.expect_message(octets.refresh(family, 2))

    def is_own_route(self, received, family):
        vip = self.node.vip4 if family == IPV4 else self.node.vip6
        length = 32 if family == IPV4 else 128
        return octets.u8(length) + octets.ip(vip) in received.body

    def paths(self):
        """Prefixes of our VIPs that this peer shows us, as the daemon understands them."""
        document = self.node.get(f"/v1/routes?received=1&peer={self.name}")
        return {route["prefix"]: route for route in document["routes"]}

    def status(self):
        return self.node.get(f"/v1/peers/{self.name}")

    def wait_for(self, what, condition, deadline=PATIENCE):
        end = time.monotonic() + deadline
        while True:
            value = condition()
            if value:
                return value
            if time.monotonic() > end:
                raise Wrong(f"{what}: not within {deadline:g} s")
            time.sleep(0.02)
