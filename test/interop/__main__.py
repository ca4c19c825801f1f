# SPDX-License-Identifier: Apache-2.0
"""`python3 -m interop [GROUP...]`: anyvipd against real routers, in network namespaces.

Groups run side by side in processes of their own; what a group prints comes when it has ended."""

import concurrent.futures
import re
import subprocess
import sys
import time

from lab.node import require_programs
from lab.process import LabError
from lab.report import Report

from . import default_route, full_table, peerings, unnumbered, vip_life, weights

ROUTERS = ("frr", "gobgp", "bird", "openbgpd", "exabgp")
GROUPS = {
    **{name: lambda r, n=name: peerings.run(r, n) for name in ROUTERS},
    "frr-vip": lambda r: vip_life.run(r, "frr"),
    "bird-vip": lambda r: vip_life.run(r, "bird"),
    "unnumbered": unnumbered.run,
    "weights": weights.run,
    "default-route": default_route.run,
}
# They take both cores for themselves.
HEAVY = {
    f"full-table-{name}": lambda r, n=name: full_table.run(
        r, n, full_table.FEW if n in full_table.SLOW else full_table.MILLION
    )
    for name in ROUTERS
}
BY_NAME = {f"full-table-{name}-1m": lambda r, n=name: full_table.run(r, n) for name in full_table.SLOW}
ALL = GROUPS | HEAVY | BY_NAME
# Four, because a group waits most of the time; more and the daemons' own timers would be late.
AT_ONCE = 4


def run_child(group):
    begin = time.monotonic()
    argv = [sys.executable, "-m", "interop", group]
    result = subprocess.run(argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    return group, result, time.monotonic() - begin


def run_some(groups, at_once):
    """Returns how many checks passed and how many failed."""
    passed = failed = 0
    with concurrent.futures.ThreadPoolExecutor(at_once) as pool:
        for done in concurrent.futures.as_completed(pool.submit(run_child, g) for g in groups):
            group, result, seconds = done.result()
            print(f"-- {group} ({seconds:.0f} s)\n{result.stdout}", end="", flush=True)
            summary = re.search(r"^(\d+) passed, (\d+) failed$", result.stdout, re.M)
            good, bad = map(int, summary.groups()) if summary else (0, 0)
            passed += good
            # A group that broke off is a failure, whatever it said before.
            failed += bad or int(result.returncode != 0)
    return passed, failed


def main(names):
    if unknown := set(names) - set(ALL):
        sys.exit(f"interop: unknown {', '.join(sorted(unknown))}; known: {', '.join(ALL)}")
    require_programs()
    if len(names) == 1:
        report = Report()
        ALL[names[0]](report)
        print(report.summary())
        return 1 if report.failed else 0
    chosen = names or GROUPS | HEAVY
    light = run_some([name for name in chosen if name in GROUPS], AT_ONCE)
    heavy = run_some([name for name in chosen if name not in GROUPS], 1)
    passed, failed = (sum(pair) for pair in zip(light, heavy))
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except LabError as error:
        sys.exit(f"interop: {error}")
