# SPDX-License-Identifier: Apache-2.0
"""The command on a terminal: colour, watch, the progress of a drain."""

import contextlib
import os
import pty
import select
import subprocess

from lab.node import BIN

from ..catalogue import case
from ..stage import Wrong, expect, expect_in, now


@contextlib.contextmanager
def terminal(stage, *argv, env=None):
    """Runs the command on a terminal; yields a function that reads until a text has come."""
    ours, theirs = pty.openpty()
    command = subprocess.Popen(
        [f"{BIN}/anyvip", "--socket", stage.control, *argv], stdin=theirs, stdout=theirs,
        stderr=theirs, env={**os.environ, "TERM": "xterm", **(env or {})},
    )  # fmt: skip
    os.close(theirs)
    seen = ""

    def read_until(text, deadline=10):
        nonlocal seen
        end = now() + deadline
        while text not in seen:
            if not select.select([ours], [], [], max(0, end - now()))[0]:
                raise Wrong(f"no {text!r} in {seen!r}")
            try:
                seen += os.read(ours, 4096).decode()
            except OSError:
                raise Wrong(f"it ended without {text!r}: {seen!r}") from None
        return seen

    read_until.command = command
    try:
        yield read_until
    finally:
        command.kill()
        command.wait()
        os.close(ours)


@case("watch redraws the status on a terminal")
def watch(stage):
    stage.wait_state("announced")
    with terminal(stage, "watch") as read_until:
        read_until("announced")
        stage.cli("drain", code=0)
        read_until("drained")
        expect(read_until.command.poll(), None, "watch goes on")


@case("colour on a terminal, and never when NO_COLOR is set")
def colour(stage):
    stage.wait_state("announced")
    with terminal(stage, "vips") as read_until:
        expect_in("\x1b[", read_until("announced"), "colour")
    with terminal(stage, "vips", env={"NO_COLOR": "1"}) as read_until:
        expect("\x1b[" in read_until("announced"), False, "colour with NO_COLOR")


@case("drain --wait draws its steps in place on a terminal")
def drain(stage):
    stage.wait_state("announced")
    with terminal(stage, "drain", "--wait") as read_until:
        read_until("GRACEFUL_SHUTDOWN")
        text = read_until("www: drained")
        expect_in("\x1b[1A", text, "line drawn again")
        expect("{" in text, False, "JSON on a terminal")
        expect(read_until.command.wait(5), 0, "exit")


@case("drain --peer --wait draws its steps too")
def drain_peer(stage):
    stage.wait_state("announced")
    with terminal(stage, "drain", "--peer", "tor1", "--wait") as read_until:
        read_until("tor1: announced with GRACEFUL_SHUTDOWN")
        read_until("tor1: nothing is announced to it any more")
        expect(read_until.command.wait(5), 0, "exit")
