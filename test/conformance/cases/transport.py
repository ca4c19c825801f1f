# SPDX-License-Identifier: Apache-2.0
"""TCP below BGP: MD5 (RFC 2385), GTSM (RFC 5082), addresses, link-local sessions."""

import contextlib
import socket
import struct

from .. import octets
from ..catalogue import NodeKind, case, rows
from ..connection import require
from ..network import ip, router_address

TCP_MD5SIG, IP_TTL, IP_MINTTL, IPV6_UNICAST_HOPS, IPV6_MINHOPCOUNT = 14, 2, 21, 16, 73


def md5(address, key):
    """For `prepare`: the key for what comes from and goes to this address."""
    family, body = socket.AF_INET, socket.inet_aton(address).rjust(6, b"\0")
    where = struct.pack("=H", family) + body
    option = where.ljust(128, b"\0") + struct.pack("=BBHI", 0, 0, len(key), 0)
    option += key.ljust(80, b"\0")
    return lambda sock: sock.setsockopt(socket.IPPROTO_TCP, TCP_MD5SIG, option)


def ttl(value):
    return lambda sock: sock.setsockopt(socket.IPPROTO_IP, IP_TTL, value)


def hop_limit(value):
    return lambda sock: sock.setsockopt(socket.IPPROTO_IPV6, IPV6_UNICAST_HOPS, value)


def never_connects(stage, prepare):
    try:
        stage.dial(prepare, timeout=3)
    except OSError:
        return
    raise AssertionError("connected")


@case("RFC 2385 §2: with the right key an inbound connection comes up", peer={"password": "s3cret"})
def md5_inbound(stage):
    stage.established(stage.dial(md5(stage.node.address[False], b"s3cret")))


@rows([
    ("RFC 2385 §2: with a wrong key no inbound connection comes up", b"wrong"),
    ("RFC 2385 §2: without a key no inbound connection comes up", None),
], peer={"password": "s3cret"})
def md5_wrong(stage, key):
    never_connects(stage, md5(stage.node.address[False], key) if key else None)


@case("RFC 2385 §2: a key where none is configured lets no connection come up")
def md5_unexpected(stage):
    never_connects(stage, md5(stage.node.address[False], b"s3cret"))


@case("RFC 2385 §2: with the right key our own connection comes up",
      peer={"password": "s3cret"}, dials=True)
def md5_outbound(stage):
    md5(stage.node.address[False], b"s3cret")(stage.listener)
    stage.established(stage.accept())


def last_failure(stage):
    error = stage.wait_for("an error is shown", lambda: stage.status()["last_error"])
    return ": ".join(filter(None, (error["name"], error["message"])))


# On a node of its own, for the hint goes by counters of the whole network namespace.
@case("RFC 2385 §4.1: with a wrong key our own connection stays away, and a hint is shown",
      kind=NodeKind("keyed", shared=False), peer={"password": "s3cret", "connect_timeout": "1s"},
      dials=True)
def md5_outbound_wrong(stage):
    stage.listener.close()  # no connection without a key may wait in the queue
    stage.listener = stage.network.listen(
        stage.router, prepare=md5(stage.node.address[False], b"wrong"))
    stage.expect_no_attempt(3)
    text = last_failure(stage)
    require("no answer within 1000 ms (a wrong or missing key is silent; compare it" in text, text)


@case("RFC 2385 §4.1: a refused connection is shown without a hint at keys", dials=True)
def refused(stage):
    stage.listener.close()
    stage.wait_for("refused", lambda: "refused" in last_failure(stage))
    require(last_failure(stage).endswith("Connection refused"), last_failure(stage))


GUARDED = NodeKind("guarded")


@case("RFC 5082 §3: packets with TTL 255 pass ttl_security", kind=GUARDED,
      peer={"ttl_security": 1})
def gtsm(stage):
    stage.established(stage.dial(ttl(255)))


@case("RFC 5082 §3: packets with TTL 254 do not pass ttl_security = 1", kind=GUARDED,
      peer={"ttl_security": 1})
def gtsm_far(stage):
    never_connects(stage, ttl(254))


@case("RFC 5082 §3: two hops pass ttl_security = 2", kind=NodeKind("guarded2"),
      peer={"ttl_security": 2})
def gtsm_two(stage):
    stage.established(stage.dial(ttl(254)))


GUARDED_DIALS = {"kind": GUARDED, "peer": {"ttl_security": 1, "connect_timeout": "1s"},
                 "dials": True}


@case("RFC 5082 §3: our own connection with ttl_security takes TTL 255", **GUARDED_DIALS)
def gtsm_outbound(stage):
    ttl(255)(stage.listener)
    stage.established(stage.accept())


@case("RFC 5082 §3: our own connection with ttl_security takes no TTL 254, and says so",
      **GUARDED_DIALS)
def gtsm_outbound_far(stage):
    ttl(254)(stage.listener)
    stage.expect_no_attempt(3)
    text = last_failure(stage)
    require("TCPMinTTLDrop" in text and "ttl-security" in text, text)


@case("RFC 5082 §3: with ttl_security over IPv6 hop limit 255 passes", kind=GUARDED,
      peer={"ttl_security": 1}, ipv6=True)
def gtsm_ipv6(stage):
    stage.established(stage.dial(hop_limit(255)))


@case("RFC 5082 §3: with ttl_security over IPv6 hop limit 254 does not pass", kind=GUARDED,
      peer={"ttl_security": 1}, ipv6=True)
def gtsm_ipv6_far(stage):
    never_connects(stage, hop_limit(254))


@case("RFC 5082 §3: our own connection over IPv6 takes no hop limit 254", ipv6=True,
      **GUARDED_DIALS)
def gtsm_ipv6_outbound_far(stage):
    hop_limit(254)(stage.listener)
    stage.expect_no_attempt(3)


# Their listening socket cannot drop anything: it serves both.
MIXED = NodeKind("mixed")


def far_then_near(stage, far, near):
    """All a router would send, before the daemon has seen the connection: nothing comes of it."""
    burst = stage.open_message() + octets.KEEPALIVE_MESSAGE
    for _ in range(3):
        with contextlib.suppress(OSError):  # as in `never_connects`, when this case runs alone
            connection = stage.dial(far, timeout=3, first=burst)
            connection.expect_end(deadline=3)
            status = stage.status()
            require(status["state"] == "Active" and not status["resets"], str(status))
    stage.established(stage.dial(near))


@case("RFC 5082 §3: beside a peer without ttl_security one with it takes TTL 255 alone",
      kind=MIXED, peer={"ttl_security": 1})
def gtsm_beside(stage):
    far_then_near(stage, ttl(254), ttl(255))


@case("RFC 5082 §3: beside a peer without ttl_security one with it takes hop limit 255 alone",
      kind=MIXED, peer={"ttl_security": 1}, ipv6=True)
def gtsm_ipv6_beside(stage):
    far_then_near(stage, hop_limit(254), hop_limit(255))


@case("RFC 5082 §3: beside a peer with ttl_security = 1 one with 3 takes TTL 253",
      kind=MIXED, peer={"ttl_security": 3})
def gtsm_three(stage):
    far_then_near(stage, ttl(252), ttl(253))


@case("RFC 5082 §3: beside a peer with ttl_security one without it takes any TTL", kind=MIXED)
def any_ttl(stage):
    stage.established(stage.dial(ttl(7)))


@case("RFC 5082 §3: beside a peer with ttl_security one without it takes any hop limit",
      kind=MIXED, ipv6=True)
def any_hop_limit(stage):
    stage.established(stage.dial(hop_limit(7)))


@rows([
    ("RFC 5082 §3: what we send on our own connection has TTL 255", True),
    ("RFC 5082 §3: what we send on an inbound connection has TTL 255", False),
], dials=True)
def own_ttl(stage, we_called):
    strict = lambda sock: sock.setsockopt(socket.IPPROTO_IP, IP_MINTTL, 255)
    if we_called:
        strict(stage.listener)
        connection = stage.accept()
    else:
        connection = stage.dial(strict)
    stage.established(connection)


@case("RFC 5082 §3: what we send over IPv6 has hop limit 255", ipv6=True)
def own_hop_limit(stage):
    strict = lambda sock: sock.setsockopt(socket.IPPROTO_IPV6, IPV6_MINHOPCOUNT, 255)
    stage.established(stage.dial(strict))


FAR = {False: "10.77.0.1", True: "fd00:77::1"}


ONLINK, UNHEARD = "10.77.0.2", "10.77.0.3"


def behind_gateway(stage, far):
    """The router has this address too; the node reaches it through a gateway."""
    ipv6 = ":" in far
    gateway = router_address(0, ipv6)
    ip([f"address replace {far}/{'128 dev r0 nodad' if ipv6 else '32 dev r0'}"])
    ip([f"route replace {far} via {gateway}"], stage.node.namespace)
    return gateway


def stays_away(stage, ipv6):
    far = FAR[ipv6]
    gateway = behind_gateway(stage, far)
    with stage.network.listen(far) as stage.listener:
        stage.expect_no_attempt(1.5)
        text = f"{far} is reached through {gateway}, not on a connected subnet: set multihop"
        require(last_failure(stage) == f"connection failed: {text}", last_failure(stage))
        connection = stage.dial(source=far)
        connection.expect_end()
        # Asked again at each attempt.
        ip([f"route del {far}", f"route add {far} dev n0"], stage.node.namespace)
        stage.established(stage.accept())


@case("multihop = 0: a router behind a gateway is neither called nor heard, and the problem is shown",
      kind=NodeKind("near", shared=False), peer={"address": FAR[False]}, dials=True)
def gateway(stage):
    stays_away(stage, False)


@case("multihop = 0: the same over IPv6", kind=NodeKind("near", shared=False),
      peer={"address": FAR[True]}, dials=True, ipv6=True)
def gateway_ipv6(stage):
    stays_away(stage, True)


@case("multihop = 0: a router that is its own gateway (onlink) is on a connected subnet",
      kind=NodeKind("near", shared=False), peer={"address": ONLINK}, dials=True)
def onlink(stage):
    behind_gateway(stage, ONLINK)
    with stage.network.listen(ONLINK) as stage.listener:
        ip([f"route replace {ONLINK} via {ONLINK} dev n0 onlink"], stage.node.namespace)
        stage.established(stage.accept()).close()
        stage.established(stage.dial(source=ONLINK))


@case("multihop = 0: a passive peer, too, tells why it does not hear a router behind a gateway",
      kind=NodeKind("near", shared=False), peer={"address": UNHEARD, "passive": True})
def gateway_passive(stage):
    gateway = behind_gateway(stage, UNHEARD)
    stage.dial(source=UNHEARD).expect_end()
    text = f"inbound connection refused: {UNHEARD} is reached through {gateway}"
    stage.wait_for("a notice", lambda: text in stage.node.log())


@case("multihop = 2: a router behind a gateway is called and heard",
      kind=NodeKind("far", shared=False), peer={"address": "10.78.0.1", "multihop": 2}, dials=True)
def multihop(stage):
    ip(["address replace 10.78.0.1/32 dev lo"])
    ip([f"route replace 10.78.0.1 via {router_address(0)}"], stage.node.namespace)
    with stage.network.listen("10.78.0.1") as stage.listener:
        stage.established(stage.accept()).close()
    stage.established(stage.dial(source="10.78.0.1"))


@case("A session over IPv6 comes up from both sides", ipv6=True, dials=True)
def over_ipv6(stage):
    stage.established(stage.accept()).close()
    stage.established(stage.dial())


@case("local_address is the source of our connections", dials=True)
def source(stage):
    connection = stage.accept()
    address = connection.socket.getpeername()[0]
    require(address == stage.node.address[False], address)


@case("A NOTIFICATION arrives although the peer's octets were not all read")
def unread(stage):
    connection = stage.established()
    junk = octets.message(9) + bytes(300000)
    connection.socket.settimeout(5)
    try:
        connection.socket.sendall(junk)
    except OSError:
        pass  # what matters is what comes back
    connection.socket.settimeout(None)
    received = connection.read("NOTIFICATION")
    require(received.body == b"\1\3\x09", str(received))
