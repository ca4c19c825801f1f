# SPDX-License-Identifier: Apache-2.0
"""nginx, HAProxy, `openssl s_server` and dnsmasq, each with a configuration of the test's own."""

import os
import sys

from . import bad_servers
from .certificates import NAME, Certificates
from .stage import wait_listening

HTTP, HTTPS, HTTPS_EXPIRED = 8080, 8443, 8444
DNS = 5353
TLS = {"good": 4431, "expired": 4432, "tls1": 4433, "soon": 4434}
FRONT, BACK_ONE, BACK_TWO = 8090, 8091, 8092


class RealServers:
    """Everything that listens in the namespace of a stage."""

    def __init__(self, stage):
        self.stage = stage
        self.certificates = Certificates(os.path.dirname(stage.path("x")))
        self.haproxy_socket = stage.path("haproxy.sock")
        self.nginx = self.haproxy = None

    def start(self):
        self.start_nginx()
        self.start_haproxy()
        self._start_tls()
        self._start_dns()
        self.stage.spawn("bad", [sys.executable, bad_servers.__file__])
        wait_listening(
            self.stage, HTTP, HTTPS, HTTPS_EXPIRED, DNS, FRONT, *TLS.values(),
            *bad_servers.PORTS.values(),
        )  # fmt: skip
        return self

    def _write(self, name, text):
        with open(self.stage.path(name), "w") as file:
            file.write(text)
        return self.stage.path(name)

    def start_nginx(self):
        good, expired = self.certificates.good, self.certificates.expired
        log = self.stage.path("nginx-error.log")
        config = self._write(
            "nginx.conf",
            f"""daemon off; user root; worker_processes 1; pid {self.stage.path("nginx.pid")};
error_log {log};
events {{ worker_connections 128; }}
http {{
    access_log off;
    server {{
        listen {HTTP}; listen [::]:{HTTP};
        listen {HTTPS} ssl;
        ssl_certificate {good[0]}; ssl_certificate_key {good[1]};
        server_name {NAME};
        location = /healthz {{ return 200 "healthy and well\\n"; }}
        location = /busy {{ return 503; }}
        location = /unchanged {{ return 304; }}
        location = /guarded {{ if ($http_x_probe != "yes") {{ return 403; }} return 204; }}
    }}
    server {{
        listen {HTTPS_EXPIRED} ssl;
        ssl_certificate {expired[0]}; ssl_certificate_key {expired[1]};
        return 200;
    }}
    server {{ listen {HTTP} default_server; listen [::]:{HTTP} default_server; return 421; }}
    server {{ listen 127.0.0.1:{BACK_ONE}; listen 127.0.0.1:{BACK_TWO}; return 200; }}
}}
""",
        )
        argv = ["/usr/sbin/nginx", "-e", log, "-c", config]
        self.nginx = self.stage.spawn("nginx", argv)

    def start_haproxy(self):
        config = self._write(
            "haproxy.cfg",
            f"""global
    stats socket {self.haproxy_socket} mode 600 level admin
    nbthread 1
defaults
    mode http
    timeout connect 1s
    timeout client 5s
    timeout server 5s
frontend front
    bind 127.0.0.1:{FRONT}
    default_backend web
backend web
    server one 127.0.0.1:{BACK_ONE} check inter 500ms
    server two 127.0.0.1:{BACK_TWO} check inter 500ms
backend dead
    server one 127.0.0.1:9 check inter 200ms fall 1
""",
        )
        self.haproxy = self.stage.spawn("haproxy", ["/usr/sbin/haproxy", "-db", "-f", config])

    def _start_tls(self):
        certificates = self.certificates
        for name, (certificate, key), options in (
            ("good", certificates.good, []),
            ("expired", certificates.expired, []),
            ("soon", certificates.soon, []),
            ("tls1", certificates.good, ["-tls1", "-cipher", "DEFAULT@SECLEVEL=0"]),
        ):
            self.stage.spawn(
                f"s_server-{name}",
                ["openssl", "s_server", "-quiet", "-accept", f"127.0.0.1:{TLS[name]}",
                 "-cert", certificate, "-key", key, *options],
            )  # fmt: skip

    def _start_dns(self):
        self.stage.spawn(
            "dnsmasq",
            ["/usr/sbin/dnsmasq", "--keep-in-foreground", "--conf-file=/dev/null", "--no-resolv",
             "--no-hosts", f"--port={DNS}", "--listen-address=127.0.0.1", "--bind-interfaces",
             "--pid-file=", "--user=root", "--local=/test/", "--host-record=www.test,192.0.2.7",
             "--host-record=www.test,2001:db8::7", "--txt-record=www.test,hello world"],
        )  # fmt: skip
