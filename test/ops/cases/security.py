# SPDX-License-Identifier: Apache-2.0
"""Who may do what, and what nobody gets to see (README «SECURITY» names these cases)."""

import contextlib
import os
import socket
import subprocess

from lab.node import BIN

from ..catalogue import case
from ..stage import ASN, VIP4, expect, expect_in, exchange, read_all

SECRET = "hunter2-is-no-good"


def head_and_body(stage, octets, tcp=True):
    with stage.connect_tcp() if tcp else stage.connect() as connection:
        connection.sendall(octets)
        head, _, body = read_all(connection).partition(b"\r\n\r\n")
    return head.decode(), body


@case("a change is logged with its author even when only errors are logged",
      daemon={"log_level": "error"})
def audit(stage):
    stage.cli("drain", "--reason", "audit", code=0)
    line = next(line for line in stage.log().splitlines() if "POST /v1/drain" in line)
    expect_in("api: root (uid 0, pid ", line, "audit line")
    expect_in('"reason":"audit"', line, "audit line")


@case("too many changes a second are refused, questions are not, and soon changes are taken again",
      slow=True)
def change_rate(stage):
    request = b'POST /v1/undrain HTTP/1.1\r\nContent-Length: 17\r\n\r\n{"vips":["none"]}'

    def ask_many():
        with contextlib.ExitStack() as stack:
            clients = [stack.enter_context(stage.connect()) for _ in range(50)]
            for client in clients:
                client.sendall(request)
            return {int(read_all(client).split()[1]) for client in clients}

    answers = set()
    stage.wait("a refusal", lambda: answers.update(ask_many()) or 429 in answers, 20)
    expect(answers, {404, 429}, "answers to many changes at once")
    expect(stage.cli("status").returncode, 0, "a question")
    expect(stage.log().count("too many changes a second") < 20, True, "log lines about it are few")
    stage.wait("taken again", lambda: stage.api("POST", "/v1/undrain", {})[0] == 200, 3)


@case("the TCP listener takes plain GET only: no body, no other method, no foreign form of target")
def plain_get(stage):
    local = b"Host: localhost\r\n"
    for octets, wanted in (
        (b"GET /healthz HTTP/1.1\r\n" + local + b"Content-Length: 2\r\n\r\n{}", {413}),
        (b"GET /healthz HTTP/1.1\r\n" + local + b"Transfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n", {413}),
        (b"HEAD /healthz HTTP/1.1\r\n" + local + b"\r\n", {405}),
        (b"OPTIONS * HTTP/1.1\r\n" + local + b"\r\n", {405}),
        (b"CONNECT localhost:80 HTTP/1.1\r\n" + local + b"\r\n", {405}),
        (b"POST /v1/drain HTTP/1.1\r\n" + local + b"\r\n", {405}),
        (b"GET http://localhost/healthz HTTP/1.1\r\n" + local + b"\r\n", {404}),
        (b"GET /v1/../v1/vips HTTP/1.1\r\n" + local + b"\r\n", {404}),
        (b"GET /healthz HTTP/1.1\r\n\r\n", {421}),
        (b"GET /healthz HTTP/1.1\r\nHost: evil.example\r\n\r\n", {421}),
        (b"GET /healthz HTTP/1.1\r\nHost: localhost.evil.example:9179\r\n\r\n", {421}),
    ):  # fmt: skip
        with stage.connect_tcp() as connection:
            code = exchange(connection, octets)[0]
        expect(code in wanted, True, f"{octets[:50]!r}: {code}")
    expect(stage.vip()["drained"], False, "drained")


@case("the status page forbids scripts, frames and outside resources")
def content_policy(stage):
    head, _ = head_and_body(stage, b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
    for part in ("default-src 'none'", "frame-ancestors 'none'", "nosniff"):
        expect_in(part, head, "head")


QUESTIONS = ("/v1/status", "/v1/vips", "/v1/peers", "/v1/peers/tor1", "/v1/checks", "/v1/checks/web",
             "/v1/checks/db", "/v1/routes", "/v1/doctor", "/v1/explain/www", "/v1/events", "/metrics")  # fmt: skip


HTTP = {"name": "web", "type": "http", "url": "http://127.0.0.1:1/", "headers": {"Authorization": SECRET}}
EXEC = {"name": "db", "type": "exec", "command": ["/bin/false"], "env": {"PGPASSWORD": SECRET}}


@case("a password is in no answer, no log line of any level, no dump and no message about a mistake",
      start=False, peer={"password": SECRET}, checks=[HTTP, EXEC], daemon={"log_level": "debug"})
def secrets(stage):
    stage.start()
    seen = []
    for changed in (SECRET + "-two", SECRET + "-three"):
        stage.peers[0]["password"] = changed
        stage.checks[0]["headers"] = {"Authorization": changed}
        stage.checks[1]["env"] = {"PGPASSWORD": changed}
        stage.write()
        seen += [stage.cli("reload", "--dry-run").stdout, stage.cli("reload", code=0).stdout]
    seen += [stage.api("GET", path)[1] for path in QUESTIONS]
    seen.append(stage.api("GET", "/", tcp=True)[1])
    for mistake in (f'password = ["{SECRET}"]', f'password = "{SECRET}\\q"', f'passwrd = "{SECRET}"',
                    f'password = "{SECRET * 8}"', f"password = {SECRET}"):  # fmt: skip
        with open(stage.config, "w") as file:
            file.write(f'[node]\nasn = {ASN}\n[[peer]]\naddress = "10.0.1.1"\nasn = 65001\n{mistake}\n')
        seen.append(stage.cli("reload", code=1).stderr)
        done = subprocess.run([f"{BIN}/anyvipd", "-c", stage.config, "--check"],
                              capture_output=True, text=True)  # fmt: skip
        expect(done.returncode, 78, mistake)
        seen += [done.stdout, done.stderr]
    stage.write()
    dump = subprocess.run([f"{BIN}/anyvipd", "-c", stage.config, "--dump-config"],
                          capture_output=True, text=True)  # fmt: skip
    for line in ('password = "********"', '"Authorization" = "********"', '"PGPASSWORD" = "********"'):
        expect_in(line, dump.stdout, "dump")
    seen += [dump.stdout, dump.stderr, stage.log()]
    expect([text for text in seen if SECRET[:7] in text], [], "texts with the password")


@case("a key file that everybody may read is warned of by log, --check and doctor", start=False)
def key_file(stage):
    key = f"{stage.directory}/key"
    with open(key, "w") as file:
        file.write(SECRET + "\n")
    os.chmod(key, 0o644)
    stage.peers[0]["password_file"] = key
    stage.start()
    warning = f"{key} holds the key of peer {stage.peers[0]['name']} and can be read by everybody"
    expect(stage.log().count(warning), 1, "warnings at the start")
    stage.cli("reload", code=0)
    expect(stage.log().count(warning), 2, "warnings after a reload")
    checked = subprocess.run([f"{BIN}/anyvipd", "-c", stage.config, "--check"],
                             capture_output=True, text=True)  # fmt: skip
    expect(checked.returncode, 0, "exit of --check")
    expect_in(f"{stage.config}: warning: {warning}", checked.stderr, "--check")
    findings = stage.json("doctor")["findings"]
    expect([one["remedy"] for one in findings if one["check"] == "secrets"],
           [f"chmod o-rwx {key}"], "doctor")  # fmt: skip
    os.chmod(key, 0o600)
    stage.cli("reload", code=0)
    expect(stage.log().count(warning), 2, "warnings after chmod")


@case("a password in a configuration that everybody may read is warned of", start=False,
      peer={"password": SECRET})
def exposed(stage):
    stage.start()
    expect_in("holds a password and can be read by everybody", stage.log(), "log")
    os.chmod(stage.config, 0o640)
    known = stage.log()
    stage.cli("reload", code=0)
    expect("holds a password" in stage.log()[len(known):], False, "warned of after chmod")


@case("the same of a check's secret", start=False, checks=[HTTP])
def exposed_check(stage):
    stage.start()
    expect_in("holds a secret of check web and can be read by everybody", stage.log(), "log")


@case("who is not a configured peer gets no byte, by TCP and by BFD's UDP",
      peer={"bfd": True})
def strangers(stage):
    router = stage.router_namespace
    router.ip("address", "add", "10.0.1.99/24", "dev", "node")
    open_message = b"\xff" * 16 + bytes.fromhex("001d0104fde80009 0a000163 00")
    with router.entered():
        stranger = socket.socket()
        bfd = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    with stranger, bfd:
        stranger.bind(("10.0.1.99", 0))
        stranger.settimeout(5)
        stranger.connect(("10.0.1.2", 179))
        with contextlib.suppress(OSError):
            stranger.sendall(open_message)
        try:
            expect(stranger.recv(100), b"", "answer by TCP")
        except ConnectionResetError:
            pass
        bfd.bind(("10.0.1.99", 49999))
        bfd.setsockopt(socket.IPPROTO_IP, socket.IP_TTL, 255)
        bfd.settimeout(0.5)
        bfd.sendto(bytes.fromhex("20400318 00000001 00000000 000f4240 000f4240 00000000"), ("10.0.1.2", 3784))
        try:
            expect(bfd.recv(100), None, "answer by UDP")
        except TimeoutError:
            pass
    expect([peer["name"] for peer in stage.status()["peers"]], ["tor1"], "peers")


@case("what an operator, a check or a peer writes cannot steer a terminal or forge a log line")
def terminal_escapes(stage):
    stage.cli("drain", "--reason", "\x1b[2Jgone\nerror: forged\x1b]0;x\x07", code=0)
    stage.wait_state("drained")
    for command in (("status",), ("vips", "www"), ("explain", "www"), ("events",)):
        text = stage.cli(*command).stdout
        expect_in("gone", text, " ".join(command))
        expect("\x1b" in text or "\x07" in text, False, f"escapes in {' '.join(command)}")
    lines = stage.log().splitlines()
    expect([line for line in lines if line.startswith("error: forged") or "\x1b" in line], [], "forged lines")


@case("whatever octets a check prints, answers are JSON in UTF-8",
      checks=[{"name": "loud", "type": "exec", "command": ["/usr/bin/printf", "\\377\\033[2J\\nweight=50"],
               "interval": "100ms", "rise": 1}],
      vips=[{"name": "www", "addresses": [VIP4], "checks": ["loud"]}])  # fmt: skip
def output(stage):
    stage.wait_state("announced")
    expect(stage.get("/v1/checks/loud")["last"]["output"], "\ufffd [2J\nweight=50", "output")
    stage.get("/v1/status")
    expect(stage.api("GET", "/v1/checks/%ff")[0], 400, "a name that is not UTF-8")
