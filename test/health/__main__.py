# SPDX-License-Identifier: Apache-2.0
"""Called by test/health/run: all parts, or those named; side by side where they do not disturb."""

import sys
import threading
import traceback

from lab.fabric import Fabric
from lab.node import require_programs
from lab.process import LabError
from lab.report import Report

from .at_once import AtOnce
from .flapping import Flapping
from .names import DeadNames
from .never_lie import NoDescriptors, NoProcessor, Stopped
from .verdicts import Verdicts

TOGETHER = {
    "verdicts": Verdicts,
    "at_once": AtOnce,
    "flapping": Flapping,
    "names": DeadNames,
    "stopped": Stopped,
    "descriptors": NoDescriptors,
}
# Takes the processor away from everybody.
ALONE = {"processor": NoProcessor}


def run_together(report, parts):
    """Each part counts for itself: a report is not made for threads."""
    counted = [(part, Report()) for part in parts]
    threads = [threading.Thread(target=guarded, args=pair) for pair in counted]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    report.passed += sum(own.passed for _, own in counted)
    report.failed += sum(own.failed for _, own in counted)


def guarded(part, report):
    """A part that breaks off is a failure, not a silence."""
    try:
        part.run(report)
    except Exception:
        traceback.print_exc()
        report.failed += 1


def main(names):
    known = {**TOGETHER, **ALONE}
    if unknown := set(names) - set(known):
        sys.exit(f"health: unknown part {', '.join(sorted(unknown))}; known: {', '.join(known)}")
    require_programs()
    report = Report()
    wanted = names or list(known)
    with Fabric("health") as fabric:
        run_together(report, [TOGETHER[name](fabric) for name in TOGETHER if name in wanted])
        for name in ALONE:
            if name in wanted:
                run_together(report, [ALONE[name](fabric)])
    print(report.summary())
    return 1 if report.failed else 0


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except LabError as error:
        sys.exit(f"health: {error}")
