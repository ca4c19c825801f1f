# SPDX-License-Identifier: Apache-2.0
"""Programs that cannot take over, each in its own way: the old one carries on and says why."""

import contextlib
import os
import signal
import subprocess
import threading
import time

from lab.node import BIN
from lab.process import wait_until

from .stage import VIP4, require

TRIAL = "--upgrade-trial"
# Alters the state on its way to the real program: one octet of the header or of what it covers.
ALTERING = """#!/usr/bin/python3
import os, sys
state = bytearray(open(0, "rb", closefd=False).read())
state[{offset}] ^= {mask}
memory = os.memfd_create("altered")
os.write(memory, state)
os.lseek(memory, 0, 0)
os.dup2(memory, 0)
os.execv("{real}", ["{real}", *sys.argv[1:]])
"""
# Passes the trial after a while, unless the state holds what it does not understand; crashes when it
# has to take over.
PRETENDER = f"""
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
static char state[1 << 20];
int main(int argc, char** argv) {{
    for (int i = 1; i < argc; i++) {{
        if (strcmp(argv[i], "{TRIAL}") == 0) {{
            usleep(PAUSE_MS * 1000);
            size_t size = fread(state, 1, sizeof state, stdin);
            if (memmem(state, size, "med = 99", 8)) {{
                puts("99 is too much");
                return 1;
            }}
            puts("ready 99");
            return 0;
        }}
    }}
    abort();
}}
"""
TRIAL_PAUSE = 0.7  # seconds


class Failures:
    def __init__(self, stage):
        self.stage = stage

    def steps(self):
        real = f"{BIN}/anyvipd"
        altering = {"real": real, "mask": 2}
        return [
            self._step("missing", self._missing, "No such file or directory"),
            self._step("a text file", self._text("hello\n"), "Exec format error"),
            self._step("not executable", self._text("hello\n", 0o644), "Permission denied"),
            self._step("of another architecture", self._foreign, "Exec format error"),
            self._step("with a library missing", self._text(
                "#!/bin/sh\necho 'error while loading shared libraries: libx.so' >&2; exit 127\n"
            ), "libx.so"),
            self._step("another program", self._text("#!/bin/sh\necho hello\n"),
                       'does not know how to take over: it said "hello"'),
            self._step("too old to take over", self._text(
                "#!/bin/sh\necho \"anyvipd: unrecognised option '--upgrade-trial'\" >&2; exit 2\n"
            ), "unrecognised option"),
            self._step("crashes at its start", self._text("#!/bin/sh\nkill -SEGV $$\n"),
                       "crashed in its trial: Segmentation fault"),
            self._step("is killed in its trial", self._text("#!/bin/sh\nkill -KILL $$\n"),
                       "crashed in its trial: Killed"),
            self._step("hangs", self._text("#!/bin/sh\nsleep 1000\n"), "within 10 s"),
            self._step("other format of the state", self._text(
                ALTERING.format(offset=8, **altering)), "format version 3"),
            self._step("damaged state", self._text(ALTERING.format(offset=100, **altering)),
                       "its checksum is wrong"),
            self._step("no state at all", self._text(
                f"#!/bin/sh\nexec {real} \"$@\" </dev/null\n"), "no state of anyvipd"),
            self._step("fit for the trial, but no program", self._text(
                "#!/bin/sh\necho ready 99\n"), "cannot run the new program"),
            ("a configuration that is not valid: the old program carries on", self.bad_config),
            ("reloaded during the trial: what nobody has tried is tried", self.tried_again),
            ("reloaded during each trial: the old one carries on", self.reloaded_always),
            ("and then the right one takes over", self.recovers),
            ("it takes over with a listener that cannot move, and says both", self.in_part),
            ("a program that crashes after its trial is an ordinary crash", self.crashes_late),
        ]  # fmt: skip

    def _step(self, what, install, reason):
        def action():
            install()
            self.stage.carries_on(reason)

        return f"a new program {what}: the old one carries on and says why", action

    def _missing(self):
        os.remove(self.stage.program)

    def _text(self, text, mode=0o755):
        return lambda: self.stage.install_text(text, mode)

    def _foreign(self):
        """The same program for a machine that nobody has."""
        with open(f"{BIN}/anyvipd", "rb") as file:
            octets = bytearray(file.read())
        octets[18:20] = (0x1234).to_bytes(2, "little")  # e_machine
        with open(f"{self.stage.program}.new", "wb") as file:
            file.write(octets)
        os.chmod(f"{self.stage.program}.new", 0o755)
        os.rename(f"{self.stage.program}.new", self.stage.program)

    def bad_config(self):
        stage = self.stage
        stage.install(f"{BIN}/anyvipd")
        with open(stage.node.config, "a") as file:
            file.write("\n[daemon2]\n")
        stage.carries_on("daemon2")
        stage.node.write_configuration()

    def recovers(self):
        stage = self.stage
        stage.install(f"{BIN}/anyvipd")
        before = stage.router_view()
        stage.upgrade()
        require(stage.router_view() == before, "the router saw it")

    def _install_pretender(self, pause=0.0):
        stage = self.stage
        source, program = f"{stage.fabric.directory}/late.c", f"{stage.fabric.directory}/late"
        with open(source, "w") as file:
            file.write(PRETENDER)
        pause_ms = f"-DPAUSE_MS={pause * 1000:.0f}"
        subprocess.run(["cc", pause_ms, "-o", program, source], check=True)
        stage.install(program)

    @contextlib.contextmanager
    def _while_it_is(self, reload):
        """A reload every half trial, until the block ends."""
        over = threading.Event()

        def keep_on():
            number = 0
            while not over.wait(TRIAL_PAUSE / 2):
                reload(number)
                number += 1

        reloader = threading.Thread(target=keep_on)
        reloader.start()
        try:
            yield
        finally:
            over.set()
            reloader.join()
            self._reload("")

    def in_part(self):
        stage = self.stage
        daemon = stage.node.table("daemon")
        daemon["http"] = "192.0.2.1:9179"
        stage.node.write_configuration()
        del daemon["http"]
        before, count = stage.router_view(), len(stage.events("upgrade.done"))
        with stage.node.namespace.entered():
            done = subprocess.run(
                [f"{BIN}/anyvip", "--socket", stage.node.control, "reload", "--upgrade"],
                capture_output=True, text=True, timeout=30)  # fmt: skip
        stage.node.write_configuration()
        require(done.returncode == 1, f"exit {done.returncode}")
        require(done.stdout.startswith("upgraded: anyvipd "), done.stdout)
        require("except for daemon http: cannot listen on 192.0.2.1:9179" in done.stderr, done.stderr)
        require(stage.router_view() == before, "the router saw it")
        require(len(stage.events("upgrade.done")) == count + 1, "it has not taken over")
        stage.upgrade()

    def _reload(self, text):
        """`text`: behind the last table, which is the drain's or a hook's."""
        stage = self.stage
        stage.node.write_configuration()
        with open(stage.node.config, "a") as file:
            file.write(text)
        stage.node.daemon.send(signal.SIGHUP)

    def _carries_on_while(self, reload, reason):
        self._install_pretender(TRIAL_PAUSE)
        with self._while_it_is(reload):
            self.stage.carries_on(reason)

    def tried_again(self):
        """The first trial is passed, but not with the configuration that came in its course."""
        self._carries_on_while(lambda number: self._reload("\n# med = 99\n"), "99 is too much")

    def reloaded_always(self):
        self._carries_on_while(lambda number: self._reload(f"\n# change {number}\n"),
                               "the configuration was reloaded during the trial")  # fmt: skip

    def crashes_late(self):
        stage = self.stage
        self._install_pretender()
        stage.upgrade_fails()
        wait_until("the process has ended", lambda: not stage.node.daemon.is_running())
        wait_until("withdrawn", lambda: not stage.fib(VIP4))
        stage.install(f"{BIN}/anyvipd")
        stage.node.start()
        stage.wait_announced()
        time.sleep(0.3)  # what comes next starts from a quiet router
