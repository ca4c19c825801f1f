# SPDX-License-Identifier: Apache-2.0
"""`python3 -m upgrade [bird] [frr] [COUNT]`: COUNT upgrades in a row (default 10), then all else."""

import sys

from lab.fabric import Fabric
from lab.node import require_programs
from lab.process import LabError
from lab.report import Report

from .drains import Drains
from .failures import Failures
from .kills import Kills
from .kinds import Kinds
from .row import Row
from .stage import Stage

ROUTERS = ("frr", "bird")


def run_router(report, software, count):
    with Fabric("upgrade") as fabric:
        stage = Stage(fabric, software)
        failed_before = report.failed
        if report.check(f"{software}: router, service and node start", stage.start):
            parts = (Row(stage, count), Drains(stage), Failures(stage), Kills(stage), Kinds(stage))
            for part in parts:
                for name, action in part.steps():
                    report.check(f"{software}: {name}", action)
        if report.failed > failed_before:
            print(f"--- end of anyvipd's log\n{stage.node.daemon.tail(40)}", flush=True)


def main(words):
    counts = [int(word) for word in words if word.isdigit()]
    names = [word for word in words if not word.isdigit()]
    if unknown := set(names) - set(ROUTERS):
        sys.exit(f"upgrade: unknown {', '.join(sorted(unknown))}")
    require_programs()
    report = Report()
    for software in names or ROUTERS:
        run_router(report, software, counts[0] if counts else 10)
    print(report.summary())
    return 1 if report.failed else 0


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except LabError as error:
        sys.exit(f"upgrade: {error}")
