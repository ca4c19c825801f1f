# SPDX-License-Identifier: Apache-2.0
"""HAProxy that passes TLS through: it knows servers and their health, and no key."""

import csv
import io
import socket

from .process import wait_until

CONFIG = """global
    stats socket {socket} mode 600 level admin
    log stdout format raw daemon notice

defaults
    timeout connect 1s
    # A flow that the routers have moved away is silent, and a drained server waits for its end.
    timeout client 10s
    timeout server 10s
    timeout check 1s
    retries 3
    # Each retry goes to another server at once: one that has just died costs a moment, no failure.
    # By default only the last retry does, and before the others HAProxy waits for a second each.
    option redispatch 1

frontend vip
    mode tcp
    bind :::{port} v4v6
    default_backend web

frontend health
    mode http
    timeout http-request 5s
    bind 127.0.0.1:{health}
    monitor-uri /health
    monitor fail if {{ nbsrv(web) lt 1 }}

backend web
    mode tcp
    balance roundrobin
    option httpchk GET / HTTP/1.0
    default-server check check-ssl check-sni vip.example verify required ca-file {ca}
    # Without "on-marked-down shutdown-sessions": it cuts the flow, too, that is just being sent
    # to another server because this one has refused it.
    default-server inter 1s fastinter 250ms fall 2 rise 2
{servers}
"""

HEALTH_PORT = 8404


class HaProxy:
    """`servers`: name -> address from this load balancer."""

    def __init__(self, fabric, role, port, servers, authority):
        self.role = role
        self.socket = fabric.path(role, "haproxy.sock")
        self._config = fabric.path(role, "haproxy.cfg")
        lines = [f"    server {name} {address}:{port}" for name, address in servers.items()]
        self._text = CONFIG.format(
            socket=self.socket,
            port=port,
            health=HEALTH_PORT,
            ca=authority,
            servers="\n".join(lines),
        )
        with open(self._config, "w") as file:
            file.write(self._text)
        argv = ["/usr/sbin/haproxy", "-db", "-f", self._config]
        self.process = fabric.process(role, "haproxy", argv)

    def ask(self, command):
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(5)
            connection.connect(self.socket)
            connection.sendall(f"{command}\n".encode())
            answer = b""
            while portion := connection.recv(65536):
                answer += portion
        return answer.decode()

    def server(self, name):
        """The line of a server in `show stat`, by column."""
        for row in csv.DictReader(io.StringIO(self.ask("show stat").lstrip("# "))):
            if (row["pxname"], row["svname"]) == ("web", name):
                return row
        raise KeyError(name)

    def drain(self, name):
        """No new flow to this server; returns when it has none left."""
        self.ask(f"set server web/{name} state drain")
        what = f"{self.role}: {name} has no flow left"
        wait_until(what, lambda: int(self.server(name)["scur"]) == 0, 20)

    def ready(self, name):
        self.ask(f"set server web/{name} state ready")

    def wait_up(self, name):
        what = f"{self.role}: {name} is up"
        wait_until(what, lambda: self.server(name)["status"] == "UP", 20)
