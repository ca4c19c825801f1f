# SPDX-License-Identifier: Apache-2.0
"""Commands, long-running programs and waiting for a condition (never for a fixed time)."""

import os
import signal
import subprocess
import time


class LabError(Exception):
    """Something in the lab is not as it has to be; the text says what, for a person to read."""


def run(*argv, check=True, timeout=60.0, stdin=None):
    """Runs a command in the namespace of the calling thread and returns its standard output."""
    result = subprocess.run(
        [str(word) for word in argv], text=True, input=stdin, timeout=timeout, capture_output=True
    )
    if check and result.returncode != 0:
        text = (result.stderr or result.stdout).strip()
        raise LabError(f"{' '.join(map(str, argv))}: exit {result.returncode}: {text}")
    return result.stdout


def wait_until(what, condition, deadline=10.0, every=0.02):
    """Calls `condition` until it returns something true, and returns that.

    An exception of type LabError counts as "not yet" and its text becomes part of the error."""
    end = time.monotonic() + deadline
    last = None
    while True:
        try:
            last = condition()
            if last:
                return last
        except LabError as error:
            last = error
        if time.monotonic() > end:
            raise LabError(f"{what}: not within {deadline:g} s; last seen: {last}")
        time.sleep(every)


class Process:
    """A program that runs until it is stopped; its output goes to a log file."""

    def __init__(self, name, argv, log, namespace, env=None):
        self.name = name
        self.argv = [str(word) for word in argv]
        self.log = log
        self.namespace = namespace
        self.env = env
        self.popen = None

    def start(self):
        with open(self.log, "ab") as log, self.namespace.entered():
            self.popen = subprocess.Popen(
                self.argv,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env={**os.environ, **self.env} if self.env else None,
                start_new_session=True,
            )
        return self

    @property
    def pid(self):
        return self.popen.pid

    def is_running(self):
        return self.popen is not None and self.popen.poll() is None

    def send(self, number):
        self.popen.send_signal(number)

    def stop(self, number=signal.SIGTERM, deadline=10.0):
        """Sends the signal, waits for the end and returns the exit status (negative: a signal)."""
        if not self.is_running():
            return self.popen.returncode if self.popen else None
        self.send(number)
        try:
            return self.popen.wait(deadline)
        except subprocess.TimeoutExpired:
            self.popen.kill()
            self.popen.wait()
            text = f"{self.name}: still running {deadline:g} s after signal {number}"
            raise LabError(text) from None

    def kill(self):
        """kill -9: nothing of its own can run any more."""
        return self.stop(signal.SIGKILL)

    def tail(self, lines=15):
        with open(self.log, errors="replace") as log:
            return "".join(log.readlines()[-lines:])
