# SPDX-License-Identifier: Apache-2.0
"""Runs the cases: ops [-v] [-l] [TEXT…]; with TEXT those whose name or module holds it."""

import argparse
import concurrent.futures
import importlib
import pkgutil
import sys
import time
import traceback

from lab.fabric import Fabric
from lab.node import require_programs
from lab.process import LabError

from . import cases
from .catalogue import CASES
from .stage import Stage, Wrong

AT_ONCE = 10


def load():
    for module in sorted(found.name for found in pkgutil.iter_modules(cases.__path__)):
        importlib.import_module(f"{cases.__name__}.{module}")


def run(fabric, number, one):
    begin = time.monotonic()
    stage = problem = None
    try:
        stage = Stage(fabric, number, **one.options)
        one.run(stage)
    except (Wrong, LabError, TimeoutError) as wrong:
        line = traceback.extract_tb(wrong.__traceback__)
        where = [frame.lineno for frame in line if "/cases/" in frame.filename]
        problem = f"line {where[-1] if where else '?'}: {wrong}"
    except Exception:  # an error in the case itself: shown as it is
        problem = traceback.format_exc(limit=-4)
    if stage:
        if problem and stage.process:
            problem += f"\n       log: {stage.log()[-1500:]}"
        stage.close()
    return one, problem, time.monotonic() - begin


def main():
    parser = argparse.ArgumentParser(prog="ops")
    parser.add_argument("-v", "--verbose", action="store_true", help="name passed cases too")
    parser.add_argument("-l", "--list", action="store_true", help="name the cases, run nothing")
    parser.add_argument("text", nargs="*")
    options = parser.parse_args()
    load()
    wanted = options.text or [""]
    chosen = [one for one in CASES if any(text in one.name or text == one.module for text in wanted)]
    if options.list:
        print("\n".join(one.name for one in chosen))
        return 0
    chosen.sort(key=lambda one: not one.is_slow)
    failed = 0
    try:
        require_programs()
        with Fabric("ops") as fabric, concurrent.futures.ThreadPoolExecutor(AT_ONCE) as pool:
            jobs = [pool.submit(run, fabric, *numbered) for numbered in enumerate(chosen, 1)]
            for done in concurrent.futures.as_completed(jobs):
                one, problem, seconds = done.result()
                failed += problem is not None
                if problem is not None:
                    print(f"FAILED {one.module}: {one.name}\n       {problem}", flush=True)
                elif options.verbose:
                    print(f"ok {seconds:6.2f} s  {one.module}: {one.name}", flush=True)
    except LabError as error:
        print(f"ops: {error}", file=sys.stderr)
        return 1
    print(f"{len(chosen) - failed} passed, {failed} failed")
    return 1 if failed or not chosen else 0


if __name__ == "__main__":
    sys.exit(main())
