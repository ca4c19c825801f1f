# SPDX-License-Identifier: Apache-2.0
"""`python3 -m interop.bfd [bird] [frr] [ipv4|ipv6|multihop] [fast] [link_local]`: real routers.

Each path at 50 ms x 3 through everything; `fast` only brings 10 ms x 3 up."""

import sys

from lab.fabric import Fabric
from lab.node import require_programs
from lab.process import LabError
from lab.report import Report

from . import bfd_link_local
from .bfd_life import PATHS, BfdLife

ROUTERS = ("bird", "frr")
KINDS = (*PATHS, "fast")


def run_path(report, software, kind):
    path, interval = ("ipv4", 10) if kind == "fast" else (kind, 50)
    title = f"{software}, {path}, {interval} ms x 3"
    with Fabric("interop-bfd") as fabric:
        life = BfdLife(fabric, software, path, interval)
        failed_before = report.failed
        if report.check(f"{title}: router and node start", life.start):
            for name, action in life.steps()[: 2 if kind == "fast" else None]:
                report.check(f"{title}: {name}", action)
        if report.failed > failed_before:
            print(f"--- end of anyvipd's log\n{life.node.daemon.tail(25)}", flush=True)


def main(names):
    unknown = set(names) - set(ROUTERS) - set(KINDS) - {"link_local"}
    if unknown:
        sys.exit(f"interop.bfd: unknown {', '.join(sorted(unknown))}")
    require_programs()
    report = Report()
    if names == ["link_local"]:
        routers = []
    else:
        routers = [name for name in ROUTERS if name in names] or ROUTERS
    for software in routers:
        for kind in [name for name in KINDS if name in names] or KINDS:
            run_path(report, software, kind)
    if not names or "link_local" in names:
        bfd_link_local.run(report)
    print(report.summary())
    return 1 if report.failed else 0


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except LabError as error:
        sys.exit(f"interop.bfd: {error}")
