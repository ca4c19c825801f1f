# SPDX-License-Identifier: Apache-2.0
"""Every path of the API and every command, in their shapes and exit codes (CONTRACT section 4)."""

import json
import os
import re
import shutil

from lab.process import run

from ..catalogue import case
from ..stage import VIP4, VIP6, Wrong, expect, expect_in

CHECKS = [{"name": "f", "type": "exec", "command": ["/bin/true"], "interval": "200ms"}]
VIPS = [{"name": "www", "addresses": [VIP4, VIP6], "checks": ["f"]}]
TIME = re.compile(r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$")

# A type, a set of types, a list of one shape, an object with at least these keys, or a test.
SOME = (int, float)
NODE = {"name": str, "asn": int, "router_id": str, "version": str, "pid": int, "uptime_s": SOME,
        "state": {"running", "draining", "drained", "stopping"}}  # fmt: skip
ADDRESS = {"prefix": str, "interface": str, "present": bool, "owned": bool}
VIP = {"name": str, "state": {"starting", "announced", "backup", "withdrawn", "draining", "drained"},
       "since": TIME, "reason": str, "health": {"unknown", "up", "down"}, "drained": bool,
       "weight": int, "flows": (int, type(None)), "checks": [str], "addresses": [ADDRESS],
       "announced_to": [str]}  # fmt: skip
PEER = {"name": str, "address": str, "asn": int,
        "state": {"Idle", "Connect", "Active", "OpenSent", "OpenConfirm", "Established"},
        "since": TIME, "hold_time_s": int, "families": [str],
        "bfd": {"off", "down", "init", "up", "admin_down"}, "advertised": int, "received": int,
        "resets": int, "last_error": (dict, type(None))}  # fmt: skip
CHECK = {"name": str, "type": str, "state": {"unknown", "up", "down"}, "since": TIME,
         "weight": int, "last": {"ok": bool, "at": TIME, "ms": SOME, "detail": str}}  # fmt: skip
STATUS = {"node": NODE, "vips": [VIP], "peers": [PEER], "checks": [CHECK]}


def match(shape, value, where="document"):
    if isinstance(shape, dict):
        for key, inner in shape.items():
            if key not in value:
                raise Wrong(f"{where}: no {key!r} in {value}")
            match(inner, value[key], f"{where}.{key}")
    elif isinstance(shape, list):
        expect(isinstance(value, list), True, f"{where} is a list")
        for element in value:
            match(shape[0], element, f"{where}[]")
    elif isinstance(shape, set):
        expect(value in shape, True, f"{where}: {value!r} is one of {shape}")
    elif isinstance(shape, re.Pattern):
        expect(bool(shape.match(value)), True, f"{where}: {value!r} is a time")
    else:
        is_right = isinstance(value, shape) and (shape is bool or not isinstance(value, bool))
        expect(is_right, True, f"{where}: {value!r} is {shape}")


@case("status --json has every key of the contract", checks=CHECKS, vips=VIPS)
def status(stage):
    stage.wait_state("announced")
    document = stage.json("status")
    match(STATUS, document)
    (vip,), (peer,) = document["vips"], document["peers"]
    expect(vip["announced_to"], ["tor1"], "announced_to")
    expect(vip["reason"], "all checks up", "reason")
    expect([one["prefix"] for one in vip["addresses"]], [f"{VIP4}/32", f"{VIP6}/128"], "prefixes")
    expect((peer["advertised"], peer["families"]), (2, ["ipv4", "ipv6"]), "peer")
    expect((peer["hold_time_s"], peer["last_error"]), (9, None), "peer")
    expect(document["node"]["state"], "running", "node.state")


@case("every path of the API answers, unknown names with 404 and an error", checks=CHECKS, vips=VIPS)
def paths(stage):
    stage.wait_state("announced")
    shapes = {"/v1/status": STATUS, "/v1/vips": [VIP], "/v1/peers": [PEER], "/v1/checks": [CHECK],
              "/v1/vips/www": VIP, "/v1/peers/tor1": PEER, "/v1/checks/f": CHECK}  # fmt: skip
    for path, shape in shapes.items():
        match(shape, stage.get(path), path)
    explained = stage.get("/v1/explain/www")
    condition = {"name": str, "value": str, "met": bool, "since": TIME}
    match({"vip": str, "state": str, "reason": str, "conditions": [condition]}, explained)
    match({"flows": [{"vip": str}]}, stage.get("/v1/flows"))
    for line in stage.api("GET", "/v1/events")[1].splitlines():
        match({"at": TIME, "event": str, "name": str, "reason": str}, json.loads(line))
    routes = stage.get("/v1/routes")
    expect_in(f"{VIP4}/32", json.dumps(routes), "routes")
    stage.get("/v1/routes?peer=tor1")
    stage.get("/v1/routes?received=1")
    for path in ("vips/x", "peers/x", "checks/x", "explain/x", "x", "routes?peer=x"):
        code, text = stage.api("GET", f"/v1/{path}")
        expect((code, list(json.loads(text))), (404, ["error"]), path)
    for path in ("peers/x/reset", "checks/x/run", "x"):
        expect(stage.api("POST", f"/v1/{path}")[0], 404, path)
    expect(stage.api("POST", "/v1/peers/tor1/reset", {"soft": True})[0], 200, "reset")
    expect(stage.api("POST", "/v1/checks/f/run")[0], 200, "run")
    expect(stage.api("POST", "/v1/drain", {"vips": ["x"]})[0], 404, "drain")
    expect(stage.api("POST", "/v1/reload", {"dry_run": True})[0], 200, "reload")


@case("every command prints something and exits with 0, in text and as JSON", checks=CHECKS, vips=VIPS)
def commands(stage):
    stage.wait_state("announced")
    for words in ("status", "vips", "vips www", "peers", "peers tor1", "checks", "checks f",
                  "routes", "routes --peer tor1", "routes --received", "explain www",
                  "drain --dry-run", "undrain", "doctor", "flows", "flows www", "check f",
                  "events", "events --since 5m", "reload --dry-run", "reset tor1 --soft", "watch",
                  "version"):  # fmt: skip
        done = stage.cli(*words.split(), code=0)
        if not done.stdout and words != "routes --received":
            raise Wrong(f"anyvip {words} prints nothing")
        expect("\x1b" in done.stdout, False, f"colour without a terminal: {words}")
        lines = stage.cli("--json", *words.split(), code=0).stdout.splitlines()
        for line in lines if words.startswith("events") else ["\n".join(lines)]:
            json.loads(line)
    for words in ("nonsense", "", "drain --deadline 5", "drain --until soon", "explain",
                  "flows a b", "events --since x", "reload --dry-run --upgrade"):  # fmt: skip
        stage.cli(*words.split(), code=2)
    for words in ("vips x", "peers x", "checks x", "routes --peer x", "explain x", "drain x",
                  "undrain x", "flows x", "check x", "reset x"):  # fmt: skip
        expect_in("x", stage.cli(*words.split(), code=1).stderr, words)
    stage.kill()
    for words in ("status", "drain", "drain --wait", "undrain", "events -f", "version", "reload"):
        expect_in("cannot be reached", stage.cli(*words.split(), code=3).stderr, words)


@case("the TCP listener serves only GET of the public paths", checks=CHECKS, vips=VIPS)
def public(stage):
    stage.wait_state("announced")
    for path in ("/metrics", "/v1/status", "/healthz", "/readyz", "/"):
        expect(stage.api("GET", path, tcp=True)[0], 200, path)
    for path in ("/v1/vips", "/v1/events", "/v1/explain/www", "/v1/doctor", "/../etc/passwd"):
        expect(stage.api("GET", path, tcp=True)[0], 404, path)
    for method in ("POST", "PUT", "DELETE", "PATCH", "OPTIONS", "BREW"):
        expect(stage.api(method, "/v1/drain", {}, tcp=True)[0], 405, method)
    stage.cli("drain", code=0)
    expect(stage.api("GET", "/readyz", tcp=True)[0], 200, "/readyz with all drained")


@case("/readyz is 503 while an undrained VIP is not announced", routers=0)
def not_ready(stage):
    expect(stage.api("GET", "/readyz", tcp=True)[0], 503, "/readyz")
    expect(stage.api("GET", "/healthz", tcp=True)[0], 200, "/healthz")


@case("/readyz is 503 while a VIP is backup: others are to be used", vips=[
    {"name": "www", "addresses": [VIP4], "checks": ["db"]}], checks=[
    {"name": "db", "type": "tcp", "target": "127.0.0.1:1", "interval": "100ms", "fall": 1,
     "scope": "shared"}])  # fmt: skip
def not_ready_as_backup(stage):
    stage.wait_state("backup")
    expect(stage.api("GET", "/readyz", tcp=True)[0], 503, "/readyz")


@case("the TCP listener refuses foreign names in Host (DNS rebinding)",
      daemon={"http_hosts": ["lb.example.net"]})
def rebinding(stage):
    for host in ("localhost", "localhost:9179", "127.0.0.1", "127.0.0.1:9179", "[::1]:9179",
                 "lb-a", "LB-A:9179", "lb.example.net", "LocalHost"):  # fmt: skip
        expect(stage.api("GET", "/v1/status", tcp=True, host=host)[0], 200, host)
    for host in ("evil.example", "evil.example:9179", "", "localhost.evil.example", "127.0.0.1.evil.example"):
        code = stage.api("GET", "/v1/status", tcp=True, host=host)[0]
        expect(code in (400, 421), True, f"Host {host!r}: {code}")


METRICS = {
    "anyvip_build_info", "anyvip_vip_announced", "anyvip_vip_state", "anyvip_vip_transitions_total",
    "anyvip_vip_flows", "anyvip_check_up", "anyvip_check_duration_seconds",
    "anyvip_check_results_total", "anyvip_bgp_session_up", "anyvip_bgp_session_resets_total",
    "anyvip_bgp_messages_total", "anyvip_bgp_routes_advertised", "anyvip_bfd_session_up",
    "anyvip_withdraw_latency_seconds", "anyvip_config_last_reload_successful", "anyvip_drained",
}  # fmt: skip


@case("the metrics of the contract are there, true, and clean for promtool", checks=CHECKS, vips=VIPS,
      peer={"bfd": True})
def metrics(stage):
    stage.wait_state("announced")
    stage.wait("flows counted", lambda: stage.vip()["flows"] is not None, 12)
    code, text = stage.api("GET", "/metrics", tcp=True)
    expect(code, 200, "status")
    found = {name for name in METRICS if re.search(rf"^{name}(_count|_bucket)?[ {{]", text, re.M)}
    expect(sorted(METRICS - found), [], "missing metrics")
    expect(stage.metric(f'anyvip_vip_announced{{vip="www",prefix="{VIP4}/32"}}'), 1, "announced")
    for line in text.splitlines():
        expect(bool(re.match(r'^(#.*|[a-z_]+(\{([a-z]+="[^"]*",?)+\})? [-+.e0-9]+)$', line)), True,
               f"line {line!r}")
    promtool = shutil.which("promtool")
    if promtool:
        expect(run(promtool, "check", "metrics", stdin=text, check=False), "", "promtool")


@case("anyvip_withdraw_latency_seconds counts each turn that takes a route back, and nothing else",
      routers=2, drain={"gshut": "0s"}, vips=[
          {"name": "www", "addresses": [VIP4, VIP6], "checks": ["f"]},
          {"name": "api", "addresses": ["203.0.113.11"]}],
      checks=[{"name": "f", "type": "file", "interval": "50ms", "rise": 1, "fall": 1}])  # fmt: skip
def withdraw_latency(stage):
    def count():
        return stage.metric("anyvip_withdraw_latency_seconds_count")

    open(stage.ready, "w").close()
    for name in ("www", "api"):
        stage.wait_everywhere(name)
    expect(count(), 0, "before any withdraw")
    os.unlink(stage.ready)
    stage.wait_state("withdrawn")
    expect(count(), 1, "after a check's result")
    stage.cli("drain", "--peer", "tor2", code=0)
    stage.wait("withdrawn", lambda: stage.vip("api")["announced_to"] == ["tor1"])
    expect(count(), 2, "after a drain of one router")
    stage.cli("drain", "--wait", code=0)
    expect(count(), 3, "after a drain")
    stage.cli("undrain", code=0)
    stage.wait("announced", lambda: stage.vip("api")["announced_to"] == ["tor1"])
    resets = stage.peer()["resets"]
    stage.cli("reset", "tor1", code=0)
    stage.wait("reset", lambda: stage.peer()["resets"] > resets)
    expect(count(), 3, "after the loss of a session")
    took = stage.metric("anyvip_withdraw_latency_seconds_sum")
    expect(0 < took < 1, True, f"seconds in all: {took}")


@case("anyvip_vip_announced tells the prefixes of a VIP apart", vips=[
    {"name": "www", "addresses": [VIP4, VIP6]}], peer={"families": ["ipv4"]})
def metrics_by_prefix(stage):
    stage.wait_state("announced")
    expect(stage.metric(f'anyvip_vip_announced{{vip="www",prefix="{VIP4}/32"}}'), 1, "IPv4")
    expect(stage.metric(f'anyvip_vip_announced{{vip="www",prefix="{VIP6}/128"}}'), 0, "IPv6")


@case("the status page shows VIPs, peers, checks and events, escaped, without outside resources",
      checks=CHECKS, vips=[{"name": "<b>&www", "addresses": [VIP4], "checks": ["f"]}])
def page(stage):
    stage.wait_state("announced", "<b>&www")
    text = stage.api("GET", "/", tcp=True)[1]
    expect("<b>&www" in text, False, "unescaped name")
    for part in ("&lt;b&gt;&amp;www", "tor1", "announced", "Established", "vip.announced", VIP4):
        expect_in(part, text, "page")
    expect(re.findall(r"(?:src|href)\s*=|<script|@import|url\(", text), [], "outside resources")
