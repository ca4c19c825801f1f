# SPDX-License-Identifier: Apache-2.0
"""Deaths that a tripwire tells of: with an interval of ten seconds nothing else could, so soon."""

import os
import signal
import socket
import threading
import time

from lab.process import LabError, wait_until

from . import real_servers as real
from .real_servers import RealServers
from .stage import Stage

SOON = 1.5  # seconds; the next run by the clock comes after up to ten

# fast_interval bounds what a tripwire may start, and so how soon the second event is looked at.
RARE = {"interval": "10s", "timeout": "2s", "fall": 3, "rise": 1, "fast_interval": "200ms"}
# Often enough to see that a service is back, or that it hangs.
OFTEN = {"interval": "300ms", "timeout": "600ms", "fall": 2, "rise": 1}
TAKEN = 8099


class Listener:
    """A listening socket of the test's own; accepts and, if told so, closes at once."""

    def __init__(self, stage, port, closes=False):
        self.idle = 0
        self._closes = closes
        with stage.namespace.entered():
            self._socket = socket.create_server(("127.0.0.1", port), backlog=64)
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        kept = []
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            if self._closes:
                self.idle += self._is_idle(connection)
                connection.close()
            else:
                kept = [*kept[-20:], connection]

    @staticmethod
    def _is_idle(connection):
        """A probe resets its connection at once."""
        connection.settimeout(0.1)
        try:
            return bool(connection.recv(1))
        except TimeoutError:
            return True
        except OSError:
            return False

    def close(self):
        """Ends the listening state; close() alone would wait for the accepting thread."""
        began = time.monotonic()
        self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        return began


class AtOnce:
    def __init__(self, fabric):
        self.stage = Stage(fabric, "at-once")
        self.servers = RealServers(self.stage)
        self.sleeper = None

    def checks(self):
        web = f"http://127.0.0.1:{real.HTTP}/healthz"
        idle = {"type": "tcp", "target": "127.0.0.1:9101", **OFTEN, "tripwire": "connection"}
        return [
            {"name": "http", "type": "http", "url": web, "host": "good.example", **RARE},
            {"name": "on-vip", "type": "tcp", "target": f"{{vip}}:{real.HTTP}", **RARE},
            {"name": "tcp", "type": "tcp", "target": f"127.0.0.1:{TAKEN}", **RARE},
            {"name": "haproxy", "type": "haproxy", "socket": self.servers.haproxy_socket,
             "backend": "web", **RARE},
            {"name": "pidfile", "type": "process", "pidfile": self.stage.path("app.pid"), **RARE},
            {"name": "file", "type": "file", "path": self.stage.path("ready"), **RARE},
            {"name": "servers", "type": "haproxy", "socket": self.servers.haproxy_socket,
             "backend": "web", **OFTEN},
            {"name": "hang", "type": "http", "url": f"http://127.0.0.1:{real.BACK_ONE}/", **OFTEN},
            {"name": "reloads", "type": "tcp", "target": "127.0.0.1:9100", **RARE,
             "hard_fail_grace": "3s"},
            {"name": "idle", **idle},
        ]  # fmt: skip

    def run(self, report):
        if not report.check("at once: servers and daemon start", self._start):
            self.stage.show_log()
            return
        for name, action in (
            ("a tripwire is armed for every kind that has one", self._armed),
            ("socket reopened within hard_fail_grace: no withdraw", self._reload),
            ("server that closes idle connections: no flap, no busy loop", self._idle),
            ("listening socket closed, tcp: withdrawn at once", self._tcp),
            ("file removed, then there again: at once, both", self._file),
            ("process of a pidfile killed: withdrawn at once", self._pidfile),
            ("HAProxy: half of the servers out is half of the weight", self._weight),
            ("nginx stopped (SIGSTOP): down after `fall` timeouts, then up again", self._hang),
            ("nginx killed, http: withdrawn at once", self._nginx),
            ("... started again: `anyvip check` brings it back", self._nginx_back),
            ("HAProxy killed, stats socket: withdrawn at once", self._haproxy),
        ):
            report.check(f"at once: {name}", action)
        self.stage.finish()

    def _start(self):
        self.servers.start()
        self.tcp = Listener(self.stage, TAKEN)
        self.reloading = Listener(self.stage, 9100)
        self.idle = Listener(self.stage, 9101, closes=True)
        self._start_app()
        self._touch("ready")
        checks = self.checks()
        self.stage.configure(checks).start()
        self.stage.wait_announced(*(check["name"] for check in checks))

    def _start_app(self):
        self.app = self.stage.spawn("app", ["sleep", "3600"])
        with open(self.stage.path("app.pid"), "w") as file:
            file.write(f"{self.app.pid}\n")

    def _touch(self, name):
        with open(self.stage.path(name), "w"):
            pass

    def _soon(self, name, began):
        took = self.stage.withdrawn_after(name, began, 12)
        if took > SOON:
            raise LabError(f"withdrawn after {took:.2f} s")
        return self.stage.check(name)

    @staticmethod
    def _says(check, *words):
        missing = [word for word in words if word not in check["reason"]]
        if missing:
            raise LabError(f"reason {check['reason']!r} lacks {missing}")

    def _on_vip(self):
        return "on-vip@" + self.stage.prefixes["on-vip"].removesuffix("/32")

    def _armed(self):
        for name, word in (
            ("http", f"port {real.HTTP}"),
            (self._on_vip(), f"port {real.HTTP}"),
            ("tcp", f"port {TAKEN}"),
            ("haproxy", "process"),
            ("pidfile", f"process {self.app.pid}"),
            ("file", "inotify"),
        ):
            armed = self.stage.check(name)["tripwires"]
            if not any(word in phrase for phrase in armed):
                raise LabError(f"{name}: {armed}, wanted {word}")

    def _tcp(self):
        self._says(self._soon("tcp", self.tcp.close()), "refused")

    def _reload(self):
        began = self.reloading.close()
        time.sleep(0.5)
        self.reloading = Listener(self.stage, 9100)
        wait_until("passes again", lambda: self.stage.check("reloads")["last"]["ok"], 12)
        history = self.stage.check("reloads")["history"]
        if not any("refused" in run["detail"] for run in history):
            raise LabError(f"the closed socket was not noticed: {history}")
        time.sleep(3)  # past the end of the grace
        if any(what == "-" for _, what in self.stage.updates("reloads", began)):
            raise LabError("it was withdrawn")

    def _idle(self):
        """Met again after 1 s, doubling: a handful of connections, a run of the check for each."""
        before, cpu = self.idle.idle, self.stage.cpu_seconds()
        wait_until("met again", lambda: self.idle.idle > before, 20)
        time.sleep(3)
        met = self.idle.idle - before
        if met > 4:
            raise LabError(f"met again {met} times")
        if any(what == "-" for _, what in self.stage.updates("idle")):
            raise LabError("it was withdrawn")
        if (used := self.stage.cpu_seconds() - cpu) > 1.0:
            raise LabError(f"{used:.2f} s of CPU in 3 s")

    def _file(self):
        began = time.monotonic()
        os.unlink(self.stage.path("ready"))
        self._says(self._soon("file", began), "ready")
        began = time.monotonic()
        self._touch("ready")
        took = self.stage.router.wait_announced(self.stage.prefixes["file"], began, 12).at - began
        if took > SOON:
            raise LabError(f"announced after {took:.2f} s")

    def _pidfile(self):
        began = time.monotonic()
        self.app.kill()
        self._says(self._soon("pidfile", began), str(self.app.pid))

    def _weight(self):
        self._ask_haproxy("disable server web/two")
        wait_until("weight 50", lambda: self.stage.check("servers")["weight"] == 50, 5)
        began = time.monotonic()
        self._ask_haproxy("disable server web/one")
        self.stage.withdrawn_after("servers", began, 5)
        self._says(self.stage.check("servers"), "web 0/2 up, wanted 1")
        began = time.monotonic()
        self._ask_haproxy("enable server web/one", "enable server web/two")
        self.stage.router.wait_announced(self.stage.prefixes["servers"], began, 10)

    def _ask_haproxy(self, *commands):
        for command in commands:
            with socket.socket(socket.AF_UNIX) as connection:
                connection.connect(self.servers.haproxy_socket)
                connection.sendall(command.encode() + b"\n")
                connection.recv(1000)

    def _hang(self):
        began = time.monotonic()
        self._signal_nginx(signal.SIGSTOP)
        took = self.stage.withdrawn_after("hang", began, 12)
        least = 0.6 + 0.6  # two timeouts
        if took < least:
            raise LabError(f"withdrawn after {took:.2f} s, before {least} s")
        self._says(self.stage.check("hang"), "http response timeout after 0.6 s", "2 of 2")
        began = time.monotonic()
        self._signal_nginx(signal.SIGCONT)
        self.stage.router.wait_announced(self.stage.prefixes["hang"], began, 10)

    def _signal_nginx(self, number):
        os.killpg(self.servers.nginx.pid, number)

    def _nginx(self):
        began = time.monotonic()
        self._signal_nginx(signal.SIGKILL)
        self.servers.nginx.popen.wait()
        self._says(self._soon("http", began), "refused")
        self.stage.withdrawn_after("on-vip", began, SOON)
        self._says(self.stage.check(self._on_vip()), "refused")

    def _nginx_back(self):
        self.servers.start_nginx()
        began = time.monotonic()

        def is_back():
            self.stage.probe("http")
            return self.stage.check("http")["state"] == "up"

        wait_until("http check up", is_back, 5, every=0.2)
        self.stage.router.wait_announced(self.stage.prefixes["http"], began, 2)

    def _haproxy(self):
        began = time.monotonic()
        self.servers.haproxy.kill()
        self._says(self._soon("haproxy", began), "connect refused")
