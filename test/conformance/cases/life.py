# SPDX-License-Identifier: Apache-2.0
"""Routes that come and go, drains, reloads, stops: the order of octets on the wire."""

import os
import time

from .. import octets
from ..catalogue import NodeKind, case, rows
from ..connection import require
from ..octets import UPDATE, nlri, unreach, update
from .update_sent import classic, communities, ipv6

GSHUT = communities(0xFFFF0000)
DRAIN = ("drain", (("gshut", "1s"), ("keep_last", "never")))
CHECK = ("[check]", (("name", "ready"), ("type", "file"), ("path", "{dir}/ready"),
                     ("up_when", "present"), ("interval", "200ms"), ("rise", 1), ("fall", 1)))
CHECKED = NodeKind("checked", vip=(("checks", ["ready"]),), tables=(DRAIN, CHECK), shared=False)
BACKUP = NodeKind("backup", vip=(("checks", ["ready"]), ("on_down", "backup"),
                                 ("backup_prepend", 2), ("backup_med", 900)),
                  tables=(DRAIN, CHECK), shared=False)
ALONE = NodeKind("alone", tables=(DRAIN,), shared=False)
ALONE_INTERNAL = NodeKind("alone-internal", asn=65001, tables=(DRAIN,), shared=False)


def gone4(stage):
    return update(nlri(f"{stage.node.vip4}/32"))


def gone6(stage):
    return update(attributes=unreach(nlri(f"{stage.node.vip6}/128")))


def expect_all(connection, *messages):
    for one in messages:
        connection.expect_message(one)


def make_ready(stage, ready=True):
    path = stage.node.path("ready")
    if ready:
        open(path, "w").close()
    else:
        os.unlink(path)


def announced(stage):
    """A session that has the routes, however they came: before or behind End-of-RIB."""
    connection = stage.established()
    for _ in range(2 - len(connection.first)):
        connection.expect(UPDATE)
    return connection


@case("A check that passes announces, one that fails withdraws at once, without GRACEFUL_SHUTDOWN",
      kind=CHECKED)
def check(stage):
    connection = stage.established()
    require(not connection.first, "announced before the check has passed")
    make_ready(stage)
    expect_all(connection, classic(stage), ipv6(stage))
    make_ready(stage, False)
    expect_all(connection, gone4(stage), gone6(stage))
    make_ready(stage)
    expect_all(connection, classic(stage), ipv6(stage))
    connection.expect_quiet(0.5)


@case("on_down = backup: a failing check announces again, longer, and withdraws nothing",
      kind=BACKUP)
def backup(stage):
    make_ready(stage)
    connection = announced(stage)
    make_ready(stage, False)
    path, med = octets.as_path(65010, 65010, 65010), octets.med(900)
    got = [connection.expect(UPDATE).whole for _ in range(2)]
    require(classic(stage, med, path=path) in got, str([one.hex() for one in got]))
    require(ipv6(stage, None, med, path=path) in got, "no IPv6 backup")
    connection.expect_quiet(0.5)


@case("RFC 8326 §4.1: a drain announces with GRACEFUL_SHUTDOWN, then withdraws, the session stays",
      kind=ALONE)
def drain(stage):
    connection = announced(stage)
    begin = time.monotonic()
    stage.node.post("/v1/drain")
    expect_all(connection, classic(stage, GSHUT), ipv6(stage, None, GSHUT))
    first = connection.expect(UPDATE)
    require(first.whole == gone4(stage), str(first))
    require(0.9 <= first.at - begin <= 2.5, f"withdrawn after {first.at - begin:.2f} s")
    connection.expect_message(gone6(stage))
    connection.expect_quiet(0.5)
    stage.node.post("/v1/undrain")
    expect_all(connection, classic(stage), ipv6(stage))
    connection.expect_quiet(0.5)


@case("RFC 8326 §4.1: towards an internal peer a drain lowers LOCAL_PREF to 0 first",
      kind=ALONE_INTERNAL)
def drain_internal(stage):
    connection = announced(stage)
    stage.node.post("/v1/drain")
    zero = octets.local_pref(0)
    path = octets.as_path()
    expect_all(connection, classic(stage, zero, GSHUT, path=path),
               ipv6(stage, None, zero, GSHUT, path=path), gone4(stage), gone6(stage))


@case("undrain during GRACEFUL_SHUTDOWN announces plainly and withdraws nothing", kind=ALONE)
def undrain(stage):
    connection = announced(stage)
    stage.node.post("/v1/drain")
    expect_all(connection, classic(stage, GSHUT), ipv6(stage, None, GSHUT))
    stage.node.post("/v1/undrain")
    expect_all(connection, classic(stage), ipv6(stage))
    connection.expect_quiet(1.5)


@case("A drain of the peer alone: GRACEFUL_SHUTDOWN, withdraw, the session stays", kind=ALONE)
def drain_peer(stage):
    connection = announced(stage)
    stage.node.post("/v1/drain", {"peer": stage.name})
    expect_all(connection, classic(stage, GSHUT), ipv6(stage, None, GSHUT),
               gone4(stage), gone6(stage))
    connection.expect_quiet(0.5)


# ---- stops


@case("RFC 9003 §2: a stop withdraws, then sends Cease 2 with a message, then FIN", kind=ALONE)
def stop(stage):
    connection = announced(stage)
    stage.node.signal()
    expect_all(connection, gone4(stage), gone6(stage))
    last = connection.expect_notification(6, 2, None)
    text = last.body[3:]
    require(last.body[2] == len(text) and 0 < len(text) <= 128, last.body.hex())
    text.decode()
    connection.close()
    require(stage.node.process.wait(15) == 0, f"exit {stage.node.process.returncode}")


@rows([
    ("RFC 4486 §4: a stop in OpenSent sends Cease 2", "open_sent"),
    ("RFC 4486 §4: a stop in OpenConfirm sends Cease 2", "open_confirm"),
], kind=ALONE)
def early_stop(stage, step):
    connection = getattr(stage, step)()
    stage.node.signal()
    connection.expect_notification(6, 2, None)


@case("RFC 4271 §8.2.2: a stop while nobody answers is quick and clean", kind=ALONE, dials=True)
def stop_in_connect(stage):
    stage.listener.close()
    stage.node.signal()
    require(stage.node.process.wait(15) == 0, f"exit {stage.node.process.returncode}")


@case("A second signal stops at once", kind=ALONE)
def second_signal(stage):
    announced(stage)
    stage.node.signal()
    stage.node.signal()
    stage.node.process.wait(5)


@case("kill -9 ends TCP, so that the router loses the routes at once", kind=ALONE)
def kill(stage):
    connection = announced(stage)
    stage.node.kill()
    connection.expect_end()


@case("RFC 4486 §4: a reset by the operator is Cease 4 with a message, and the peer comes back",
      kind=ALONE, dials=True)
def reset(stage):
    connection = announced(stage)
    stage.node.post(f"/v1/peers/{stage.name}/reset")
    last = connection.expect_notification(6, 4, None)
    require(last.body[2] == len(last.body) - 3, last.body.hex())
    stage.established(stage.accept(8))


# ---- reload


def reload(stage):
    stage.node.configure()
    stage.node.post("/v1/reload")


@case("A reload that changes nothing sends nothing", kind=ALONE)
def reload_nothing(stage):
    connection = announced(stage)
    reload(stage)
    connection.expect_quiet(1.0)
    stage.barrier(connection)


@case("A reload with other attributes announces again and withdraws nothing", kind=ALONE)
def reload_attributes(stage):
    connection = announced(stage)
    stage.node.peers[0]["med"] = 55
    reload(stage)
    expect_all(connection, classic(stage, octets.med(55)), ipv6(stage, None, octets.med(55)))
    connection.expect_quiet(0.5)


@case("RFC 4271 §9.1.3: a reload with another VIP withdraws before it announces", kind=ALONE)
def reload_vip(stage):
    connection = announced(stage)
    old4, old6 = gone4(stage), gone6(stage)
    stage.node.vip4, stage.node.vip6 = "198.51.100.1", "2001:db8:51::1"
    reload(stage)
    got = []
    while len(got) < 4:
        received = connection.read("UPDATE")
        if received.kind == UPDATE:  # not our request for what the router knows of the new VIP
            got.append(received.whole)
    require(got == [old4, old6, classic(stage), ipv6(stage)], str([one.hex() for one in got]))


@case("RFC 4486 §4: a peer that a reload removes gets Cease 3", kind=ALONE)
def reload_removes(stage):
    connection = announced(stage)
    other = dict(stage.node.peers[0], name="other", address="10.1.99.99")
    stage.node.peers = [other]
    reload(stage)
    while (received := connection.read("Cease")).kind == UPDATE:
        pass
    require(received.body[:2] == b"\6\3", str(received))
    connection.expect_end("fin")


@case("RFC 4486 §4: a changed hold time: GRACEFUL_SHUTDOWN, withdraw, Cease 6, and a new session",
      kind=ALONE, dials=True)
def reload_resets(stage):
    connection = announced(stage)
    stage.node.peers[0]["hold_time"] = "60s"
    reload(stage)
    expect_all(connection, classic(stage, GSHUT), ipv6(stage, None, GSHUT),
               gone4(stage), gone6(stage))
    connection.expect_notification(6, 6, None)
    again = stage.accept(8)
    body = again.expect_open().body
    require(body[3:5] == octets.u16(60), body.hex())


@case("RFC 4486 §4: a max_received that a reload brings holds for what was sent before", kind=ALONE)
def reload_limit(stage):
    connection = announced(stage)
    attributes = octets.origin() + octets.as_path(65001) + octets.next_hop(stage.router)
    three = update(attributes=attributes,
                   routes=nlri("203.0.113.0/26", "203.0.113.64/26", "203.0.113.128/26"))
    connection.send(three, three)
    stage.barrier(connection)
    stage.node.peers[0]["max_received"] = 3
    reload(stage)
    expect_all(connection, octets.refresh(octets.IPV4), octets.refresh(octets.IPV6))
    connection.send(octets.refresh(octets.IPV4, 1), three, octets.refresh(octets.IPV4, 2))
    stage.barrier(connection)
    require(stage.status()["received"] == 3, str(stage.status()["received"]))
    stage.node.peers[0]["max_received"] = 2
    reload(stage)
    connection.expect_notification(6, 1, None)


@case("A reload to a bad configuration changes nothing", kind=ALONE)
def reload_bad(stage):
    connection = announced(stage)
    stage.node.peers[0]["hold_time"] = "1s"
    try:
        reload(stage)
    except Exception as refused:
        require("hold_time" in str(refused), str(refused))
    stage.barrier(connection)


# ---- stuck routers

WITHDRAWN_MANY = NodeKind("stuck", vip=(("addresses", [
    f"192.1.{high}.{low}" for high in range(12) for low in range(250)]),),
    tables=(("drain", (("gshut", "0s"), ("keep_last", "never"))),), shared=False)


@case("A withdraw that the router's TCP does not take ends the connection after 5 s",
      kind=WITHDRAWN_MANY, peer={"hold_time": "9s"}, slow=True)
def withdraw_flush(stage):
    connection = stage.open_sent(stage.dial(lambda sock: sock.setsockopt(1, 8, 2048)))
    connection.send(stage.open_message(hold_time=9), octets.KEEPALIVE_MESSAGE)
    stage.wait_for("routes sent", lambda: stage.status()["advertised"] > 0)
    begin = time.monotonic()
    stage.node.post("/v1/drain", {"force": True})
    while stage.status()["state"] == "Established":
        require(time.monotonic() - begin < 20, "still Established after 20 s")
        connection.send(octets.KEEPALIVE_MESSAGE)
        time.sleep(0.2)
    took = time.monotonic() - begin
    require(4.5 <= took <= 8, f"after {took:.2f} s")
