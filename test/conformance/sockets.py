# SPDX-License-Identifier: Apache-2.0
"""Sockets whose close() is one at once, although other threads start programs.

A child has a copy of every descriptor from its fork to its exec: what is closed meanwhile stays
open until then, and its FIN or RST would leave after what the case does next."""

import socket
import threading

# Held while a program starts (until it is executed) and while a socket is closed.
forking = threading.Lock()


class Socket(socket.socket):
    def accept(self):
        accepted, address = super().accept()
        return Socket(fileno=accepted.detach()), address

    def close(self):
        with forking:
            super().close()
