# SPDX-License-Identifier: Apache-2.0
"""The clean Debian system to install the package on: made once by debootstrap, then only read."""

import os
import shutil

from lab.fabric import ROOT
from lab.process import run

BUILD = f"{ROOT}/build-package"
SUITE = "bookworm"
# Beside the minimal system: an init, and a service of the kind that anyvip announces. What the
# package depends on is there too, so that installing it needs no network.
PACKAGES = (
    *("systemd", "systemd-sysv", "dbus", "iproute2", "haproxy"),
    *("libnl-3-200", "libnl-route-3-200", "libssl3", "adduser"),
)
MIRROR = os.environ.get("DEBIAN_MIRROR", "http://deb.debian.org/debian")


def make_root():
    """The directory of the system; takes minutes and the network the first time."""
    root = f"{BUILD}/root"
    wanted = f"{SUITE} {' '.join(PACKAGES)}\n"
    stamp = f"{BUILD}/root.packages"
    if os.path.exists(stamp) and open(stamp).read() == wanted:
        return root
    shutil.rmtree(root, ignore_errors=True)
    os.makedirs(BUILD, exist_ok=True)
    print("making a clean Debian system (debootstrap)", flush=True)
    run(
        "debootstrap",
        "--variant=minbase",
        f"--include={','.join(PACKAGES)}",
        SUITE,
        root,
        MIRROR,
        timeout=1800,
    )
    run("chroot", root, "systemctl", "disable", "haproxy")
    with open(stamp, "w") as file:
        file.write(wanted)
    return root
