# SPDX-License-Identifier: Apache-2.0
"""Private network namespaces: one of the router, in which the runner lives, one for each daemon.

They have no names and end with the last process in them, so that nothing is left behind, however
the run ends. A bridge joins them."""

import ctypes
import os
import socket
import subprocess

from .sockets import Socket, forking

CLONE_NEWNET = 0x40000000
PR_SET_PDEATHSIG = 1
SIGKILL = 9
_libc = ctypes.CDLL(None, use_errno=True)


def _checked(result, what):
    if result != 0:
        raise OSError(ctypes.get_errno(), what)


def node_address(number, ipv6=False):
    return f"fd00:1::a:{number:x}" if ipv6 else f"10.1.0.{number}"


def router_address(number, ipv6=False):
    return f"fd00:1::1:{number:x}" if ipv6 else f"10.1.{1 + number // 250}.{1 + number % 250}"


def node_link_local(number):
    return f"fe80::ff:fe00:1{number:02x}"


class Network:
    def __init__(self, routers):
        _checked(_libc.unshare(CLONE_NEWNET), "unshare")
        self._router = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
        lines = ["link set lo up", "link add r0 type bridge", "link set r0 up"]
        for number in range(routers + 1):  # number 0 is nobody's peer
            lines.append(f"address add {router_address(number)}/16 dev r0")
            lines.append(f"address add {router_address(number, True)}/64 dev r0 nodad")
        ip(lines)

    def add_node(self, number):
        """A namespace with a cable to the router; returns its descriptor."""
        _checked(_libc.unshare(CLONE_NEWNET), "unshare")
        inside = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
        ip([
            "link set lo up",
            f"link add n0 address 02:00:00:00:01:{number:02x} type veth peer name r{number} "
            f"netns /proc/{os.getpid()}/fd/{self._router}",
            f"address add {node_address(number)}/16 dev n0",
            f"address add {node_address(number, True)}/64 dev n0 nodad",
            f"address add {node_link_local(number)}/64 dev n0 nodad",
            "link set n0 addrgenmode none up",
        ])
        _checked(_libc.setns(self._router, CLONE_NEWNET), "setns")
        ip([f"link set r{number} master r0 up"])
        return inside

    def listen(self, address, port=179, prepare=None):
        listener = self.socket(address)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if prepare:
            prepare(listener)
        listener.bind((address, port))
        listener.listen(8)
        return listener

    def socket(self, address):
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        return Socket(family, socket.SOCK_STREAM)


def ip(lines, namespace=None):
    """Commands of ip(8), in the namespace of the router or of a node."""
    with forking:
        process = subprocess.Popen(["ip", "-batch", "-"], stdin=subprocess.PIPE, text=True,
                                   preexec_fn=namespace and (lambda: _enter(namespace)))
    process.communicate("\n".join(lines) + "\n")
    if process.returncode != 0:
        raise OSError(f"ip: exit {process.returncode}")


def _enter(namespace):
    _checked(_libc.setns(namespace, CLONE_NEWNET), "setns")


def start(namespace, argv, **options):
    """Starts a program in a namespace; it ends with this process."""

    def enter():
        _libc.setns(namespace, CLONE_NEWNET)
        _libc.prctl(PR_SET_PDEATHSIG, SIGKILL)

    with forking:
        return subprocess.Popen(argv, preexec_fn=enter, **options)
