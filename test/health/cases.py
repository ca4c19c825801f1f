# SPDX-License-Identifier: Apache-2.0
"""The table: each probe type against real servers and bad ones."""

from lab.fabric import ROOT

from . import real_servers as real
from .bad_servers import PORTS as BAD
from .case import Case
from .certificates import NAME

SCRIPTS = f"{ROOT}/test/support/checks"
WEB = f"http://127.0.0.1:{real.HTTP}"
TIMED_OUT = r"timeout after 0\.8 s"


def bad(name):
    return f"127.0.0.1:{BAD[name]}"


def http(name, url, result, evidence, **keys):
    return Case(f"http-{name}", {"type": "http", "url": url, **keys}, result, evidence)


def http_cases(certificates):
    site = {"host": NAME}
    verified = {**site, "sni": NAME, "ca_file": certificates.authority}
    secure = f"https://127.0.0.1:{real.HTTPS}/healthz"
    expired = f"https://127.0.0.1:{real.HTTPS_EXPIRED}/"
    return [
        http("nginx", f"{WEB}/healthz", "pass", "200 OK", **site, expect_body="and well"),
        http("nginx-ipv6", f"http://[::1]:{real.HTTP}/healthz", "pass", "200 OK", **site),
        http("nginx-on-vip", f"http://{{vip}}:{real.HTTP}/healthz", "pass", "200 OK", **site),
        http("nginx-head", f"{WEB}/healthz", "pass", "200 OK", **site, method="HEAD"),
        http("nginx-304", f"{WEB}/unchanged", "pass", "304 Not Modified", **site),
        http("nginx-header", f"{WEB}/guarded", "pass", "204 No Content", **site,
             **{"headers.X-Probe": "yes"}),
        http("nginx-no-header", f"{WEB}/guarded", "fail", "403 Forbidden, expected .*", **site),
        http("nginx-other-host", f"{WEB}/healthz", "fail", "421 .*, expected .*"),
        http("nginx-404", f"{WEB}/nothing", "fail", "404 Not Found, expected 200-299,304", **site),
        http("nginx-503", f"{WEB}/busy", "fail", "503 .*, expected 200-299,304", **site),
        http("nginx-503-wanted", f"{WEB}/busy", "pass", "503 .*", **site, expect_status="503"),
        http("nginx-body", f"{WEB}/healthz", "fail", '200 OK, body without "very ill"', **site,
             expect_body="very ill"),
        http("nginx-tls", secure, "pass", "200 OK", **verified),
        http("nginx-tls-wrong-name", secure, "fail", "tls handshake: certificate: .*mismatch.*",
             **{**verified, "sni": "other.example"}),
        http("nginx-tls-expired", expired, "fail", "tls handshake: certificate: .*expired.*",
             **verified),
        http("nginx-tls-unverified", expired, "pass", "200 OK", verify=False),
        http("nginx-plain-for-tls", f"http://127.0.0.1:{real.HTTPS}/", "fail", "400 .*"),
        http("haproxy", f"http://127.0.0.1:{real.FRONT}/", "pass", "200 OK"),
        http("refused", "http://127.0.0.1:9/", "fail", "connect.* refused"),
        http("silent", f"http://{bad('silent')}/", "timeout", f"http response {TIMED_OUT}.*"),
        http("one-octet-a-second", f"http://{bad('drip')}/", "timeout",
             f"http response {TIMED_OUT}.*"),
        http("endless-headers", f"http://{bad('endless_headers')}/", "fail",
             "http response: .*limit.*"),
        http("endless-body", f"http://{bad('endless_body')}/", "pass", "200 OK"),
        http("endless-body-searched", f"http://{bad('endless_body')}/", "fail",
             '200 OK, body without "needle"', expect_body="needle"),
        http("closes", f"http://{bad('closes')}/", "fail", "http response: .*(closed|reset).*"),
        http("garbage", f"http://{bad('garbage')}/", "fail", "http response: .*"),
        http("redirect-not-followed", f"http://{bad('redirect')}/", "fail",
             "302 Found, expected 200-299,304"),
        http("tls-of-plain", f"https://127.0.0.1:{real.HTTP}/", "fail", "tls handshake: .*"),
        http("tls-silent", f"https://{bad('silent')}/", "timeout", f"tls handshake {TIMED_OUT}"),
    ]  # fmt: skip


def not_local():
    """A VIP that is not here: a probe through it would test whoever has it."""
    keys = {"type": "tcp", "target": f"{{vip}}:{real.HTTP}"}
    absent = {"address_policy": "external"}
    return Case("vip-not-local", keys, "fail", "not local: .*", vip=absent)


def tcp(name, target, result, evidence, **keys):
    return Case(f"tcp-{name}", {"type": "tcp", "target": target, **keys}, result, evidence)


def tcp_cases(haproxy_socket):
    return [
        tcp("nginx", f"127.0.0.1:{real.HTTP}", "pass", "connected"),
        tcp("nginx-ipv6", f"[::1]:{real.HTTP}", "pass", "connected"),
        tcp("on-vip", f"{{vip}}:{real.HTTP}", "pass", "connected"),
        tcp("unix", f"unix:{haproxy_socket}", "pass", "connected"),
        tcp("unix-missing", "unix:/run/anyvip-no-such.sock", "fail", "socket is missing"),
        tcp("refused", "127.0.0.1:9", "fail", "connect.* refused"),
        tcp("banner", bad("greeting"), "pass", "answer as expected", expect="220 "),
        tcp("echo", bad("greeting"), "pass", "answer as expected", send="PING\r\n", expect="PING"),
        tcp("other-answer", bad("greeting"), "timeout", rf"answer {TIMED_OUT}: 220 ready\.\.",
            expect="+OK"),
        tcp("silent", bad("silent"), "timeout", f"answer {TIMED_OUT}", expect="220 "),
        tcp("silent-unasked", bad("silent"), "pass", "connected"),
        tcp("one-octet-a-second", bad("drip"), "timeout", f"answer {TIMED_OUT}: H", expect="200"),
        tcp("closes", bad("closes"), "fail", "closed without the expected answer", expect="220 "),
    ]  # fmt: skip


def tls(name, port, result, evidence, certificates, vip_state="", **keys):
    target = port if isinstance(port, str) else f"127.0.0.1:{port}"
    keys = {"sni": NAME, "ca_file": certificates.authority, **keys}
    whole = {"type": "tls", "target": target, **keys}
    return Case(f"tls-{name}", whole, result, evidence, vip_state=vip_state)


def tls_cases(certificates):
    port = real.TLS
    rows = [
        ("right-name", port["good"], "pass", ".*TLSv1.3.*", {}),
        ("wrong-name", port["good"], "fail", "tls handshake: certificate: .*mismatch.*",
         {"sni": "other.example"}),
        ("wrong-name-unverified", port["good"], "pass", ".*TLSv1.3.*",
         {"sni": "other.example", "verify": False}),
        ("unknown-authority", port["good"], "fail",
         "tls handshake: certificate: .*(issuer|self.signed|verify).*", {"ca_file": ""}),
        ("expired", port["expired"], "fail", "tls handshake: certificate: certificate has expired",
         {}),
        ("tls1-only", port["tls1"], "fail", "tls handshake: .*", {}),
        ("silent", bad("silent"), "timeout", f"tls handshake {TIMED_OUT}", {}),
        ("closes", bad("closes"), "fail", "tls handshake: .*", {}),
        ("garbage", bad("greeting"), "fail", "tls handshake: .*", {}),
        ("refused", 9, "fail", "connect.* refused", {}),
    ]  # fmt: skip
    cases = [
        tls(name, target, result, evidence, certificates, **keys)
        for name, target, result, evidence, keys in rows
    ]
    demoted = {"min_days_valid": 10, "vip_state": "backup"}
    why = "certificate ends in [23] days, fewer than 10"
    return [*cases, tls("ends-soon", port["soon"], "fail", why, certificates, **demoted)]


def dns(name, server, result, evidence, **keys):
    whole = {"type": "dns", "server": server, "query": "www.test", **keys}
    return Case(f"dns-{name}", whole, result, evidence)


def dns_cases():
    server = f"127.0.0.1:{real.DNS}"
    tcp_too = {"transport": "tcp"}
    return [
        dns("a", server, "pass", "NOERROR", expect_answer="192.0.2.7"),
        dns("a-over-tcp", server, "pass", "NOERROR", expect_answer="192.0.2.7", **tcp_too),
        dns("aaaa", server, "pass", "NOERROR.*", qtype="AAAA", expect_answer="2001:db8::7"),
        dns("txt", server, "pass", "NOERROR.*", qtype="TXT", expect_answer="hello world"),
        dns("other-answer", server, "fail", "NOERROR.*192.0.2.7.*expected 192.0.2.8",
            expect_answer="192.0.2.8"),
        dns("nxdomain", server, "fail", "NXDOMAIN.*expected NOERROR", query="none.test"),
        dns("nxdomain-wanted", server, "pass", "NXDOMAIN", query="none.test",
            expect_rcode="NXDOMAIN"),
        dns("refused-by-server", server, "fail", "REFUSED.*expected NOERROR",
            query="example.org"),
        dns("nobody", "127.0.0.1:9", "fail", ".*refused"),
        dns("nobody-tcp", "127.0.0.1:9", "fail", "connect.* refused", **tcp_too),
        dns("silent", bad("dns_silent"), "timeout", f"dns answer {TIMED_OUT}"),
        dns("silent-tcp", bad("silent"), "timeout", f"dns answer {TIMED_OUT}", **tcp_too),
        dns("wrong-id", bad("dns_wrong_id"), "timeout",
            rf"dns answer {TIMED_OUT}, datagrams of another id or question: \d+"),
        dns("garbage", bad("dns_garbage"), "timeout",
            rf"dns answer {TIMED_OUT}, datagrams of another id or question: 1"),
        dns("closes-tcp", bad("dns_closes"), "fail", "dns answer: .*(closed|reset).*", **tcp_too),
    ]  # fmt: skip


def script(name, result, evidence, arguments=(), weight=100, output="", **keys):
    file = name.replace("-", "_")
    whole = {"type": "exec", "command": [f"{SCRIPTS}/{file}", *arguments], **keys}
    return Case(f"exec-{name}", whole, result, evidence, weight=weight, output=output)


def exec_cases():
    return [
        script("passes", "pass", "exit status 0", output="all is well"),
        script("says-weight", "pass", "exit status 0.*", weight=75),
        script("fails-with-reason", "fail", "exit status 2: disk full", output="disk full"),
        script("forks-children", "timeout", f"exec {TIMED_OUT}.*"),
        script("leaves-children", "pass", "exit status 0", output="left one behind"),
        script("ignores-sigterm", "timeout", f"exec {TIMED_OUT}.*"),
        script("prints-without-end", "timeout", f"exec {TIMED_OUT}.*",
               output="the same line again"),
        script("ends-by-signal", "fail", r"killed by signal 11 \(SIGSEGV\).*"),
        script("shows-environment", "pass", "exit status 0", output="check exec-shows-environment",
               arguments=("$HOME; exit 1",), **{"env.GREETING": "hello"}),
    ]  # fmt: skip


def other_cases(stage, haproxy_socket):
    def haproxy(name, result, evidence, weight=100, **keys):
        whole = {"type": "haproxy", "socket": haproxy_socket, "backend": "web", **keys}
        return Case(f"haproxy-{name}", whole, result, evidence, weight=weight)

    def case(name, result, evidence, **keys):
        return Case(name, keys, result, evidence)

    return [
        haproxy("two-up", "pass", "web 2/2 up"),
        haproxy("three-wanted", "fail", "web 2/2 up, wanted 3", min_up=3),
        haproxy("dead-backend", "fail", "dead 0/1 up, wanted 1", backend="dead"),
        haproxy("no-backend", "fail", "no backend nowhere with servers", backend="nowhere"),
        haproxy("no-socket", "fail", "socket is missing", socket="/run/anyvip-no-such.sock"),
        case("process-nginx", "pass", r"process \d+.*", type="process",
             pidfile=stage.path("nginx.pid")),
        case("process-gone", "fail", r"process \d+ is gone", type="process",
             pidfile=stage.path("stale.pid")),
        case("process-no-pidfile", "fail", ".*no-such.pid is missing", type="process",
             pidfile="/run/anyvip-no-such.pid"),
        case("process-unit-without-systemd", "error", ".*", type="process", unit="no-such.service"),
        case("file-present", "pass", ".*present.*", type="file", path="/etc/hostname"),
        case("file-missing", "fail", ".*absent.*", type="file", path="/run/anyvip-no-such"),
        case("file-absent-wanted", "pass", ".*absent.*", type="file", path="/run/anyvip-no-such",
             up_when="absent"),
    ]  # fmt: skip


def all_cases(stage, servers):
    return [
        *http_cases(servers.certificates),
        *tcp_cases(servers.haproxy_socket),
        not_local(),
        *tls_cases(servers.certificates),
        *dns_cases(),
        *exec_cases(),
        *other_cases(stage, servers.haproxy_socket),
    ]
