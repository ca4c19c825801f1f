# SPDX-License-Identifier: Apache-2.0
"""`python3 -m interop [bird] [frr]`: the life of a VIP on each router, over one session and two."""

import sys

from lab.anycast import Anycast
from lab.fabric import Fabric
from lab.node import require_programs
from lab.process import LabError
from lab.report import Report

from .vip_life import steps

ROUTERS = ("bird", "frr")


def run_fabric(report, software, sessions):
    title = f"{software}, {'one session' if sessions == 1 else 'a session for each family'}"
    with Fabric("interop") as fabric:
        lab = Anycast(fabric, software, nodes=2, sessions=sessions)
        failed_before = report.failed
        if report.check(f"{title}: router, services and nodes start", lambda: lab.start() and None):
            for name, action in steps(lab):
                report.check(f"{title}: {name}", action)
        if report.failed > failed_before:
            for node in lab.nodes:
                print(f"--- {node.role}: end of anyvipd's log\n{node.daemon.tail(25)}", flush=True)


def main(names):
    unknown = set(names) - set(ROUTERS)
    if unknown:
        sys.exit(f"interop: unknown router {', '.join(sorted(unknown))}")
    require_programs()
    report = Report()
    for software in names or ROUTERS:
        for sessions in (1, 2):
            run_fabric(report, software, sessions)
    print(report.summary())
    return 1 if report.failed else 0


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except LabError as error:
        sys.exit(f"interop: {error}")
