# SPDX-License-Identifier: Apache-2.0
"""A node with a real systemd as process 1, in namespaces: the unit is tried, no copy of it."""

import contextlib
import os
import subprocess

from lab.process import LabError, Process, run, wait_until

HERE = os.path.dirname(os.path.abspath(__file__))
CGROUPS = next(
    line.split()[1] for line in open("/proc/mounts") if line.split()[2] == "cgroup2"
)  # at /sys/fs/cgroup or, on a hybrid system, below it


class Machine:
    """`root` is not changed: changes live in the fabric's directory, over a reboot too."""

    def __init__(self, fabric, role, root):
        self.namespace = fabric.namespaces[role]
        self.directory = fabric.path(role, "machine")
        self.root = root
        self.cgroup = f"{CGROUPS}/{self.namespace.name}"
        self.process = None
        self.pid = None

    def start(self):
        argv = [f"{HERE}/boot", self.root, self.directory, self.cgroup]
        self.process = Process("systemd", argv, f"{self.directory}.log", self.namespace).start()
        wait_until("a process 1", self._find_init)
        wait_until("the system runs", self._is_up, 60)
        return self

    def _find_init(self):
        if not self.process.is_running():
            raise LabError(self.process.tail())
        children = run("pgrep", "-P", self.process.pid, check=False).split()
        self.pid = int(children[0]) if children else None
        return self.pid

    def _is_up(self):
        state = self.run("systemctl", "is-system-running", check=False).strip()
        return state in ("running", "degraded")

    def _argv(self, argv, user=None):
        switch = ["/sbin/runuser", "-u", user, "--"] if user else []
        return [
            "nsenter",
            "-t",
            self.pid,
            "-m",
            "-u",
            "-i",
            "-n",
            "-p",
            "-C",
            "-r",
            "-w",
            "--",
            *switch,
            *argv,
        ]

    def run(self, *argv, user=None, **options):
        """A command inside; its standard output."""
        return run(*self._argv(argv, user), **options)

    def status(self, *argv, user=None):
        """(exit status, output) of a command inside."""
        argv = [str(word) for word in self._argv(argv, user)]
        done = subprocess.run(argv, stdin=subprocess.DEVNULL, text=True, timeout=120,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT)  # fmt: skip
        return done.returncode, done.stdout

    def write(self, path, text, mode=0o644):
        self.run("mkdir", "-p", os.path.dirname(path))
        self.run("sh", "-c", f'cat >"{path}" && chmod {mode:o} "{path}"', stdin=text)

    def read(self, path):
        return self.run("cat", path)

    def install(self, file):
        """`dpkg -i` of a file outside; its output."""
        with open(file, "rb") as package:
            argv = [
                str(w)
                for w in self._argv(
                    ["sh", "-c", "cat >/tmp/package.deb && dpkg -i /tmp/package.deb"]
                )
            ]
            done = subprocess.run(
                argv, stdin=package, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=120
            )
        if done.returncode:
            raise LabError(f"dpkg -i: exit {done.returncode}: {done.stdout.decode()}")
        return done.stdout.decode()

    def wait_off(self, deadline=60):
        wait_until("the system has shut down", lambda: not self.process.is_running(), deadline)

    def changed_file(self, path):
        """A file that was made inside, read while the system is off."""
        with open(f"{self.directory}/changes{path}") as file:
            return file.read()

    def close(self):
        if self.process:
            self.process.kill()
        wait_until("its control groups are empty", self._remove_cgroups)

    def _remove_cgroups(self):
        for directory, _, _ in os.walk(self.cgroup, topdown=False):
            with contextlib.suppress(OSError):  # processes still ending
                os.rmdir(directory)
        return not os.path.exists(self.cgroup)
