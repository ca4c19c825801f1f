# SPDX-License-Identifier: Apache-2.0
"""`test/lab/run`: builds fabrics, runs scenarios on them, prints figures as a table and as JSON."""

import argparse
import json
import os
import platform
import signal
import subprocess
import sys
import tempfile
import time
import traceback

from .fabric import Fabric
from .fabrics import FABRICS, can_build, quick_scenarios
from .figures import cell, markdown
from .node import require_programs
from .process import LabError
from .report import table, what_is_missing
from .scenarios import ALL
from .scenarios.measure import PER_SECOND

ROUTERS = ("frr", "bird")
SPEAKERS = ("anyvip", "exabgp")
# A scenario waits most of the time; with more at once the daemons' own timers would be late.
AT_ONCE = 4


def say(text=""):
    print(text, flush=True)


class Run:
    """The scenarios of one fabric with one router software and one speaker."""

    def __init__(self, fabric, router, speaker, scenarios, times):
        self.name = fabric
        self.router = router
        self.speaker = speaker
        self.scenarios = scenarios
        self.times = times
        self.results = []

    def all(self):
        left = list(self.scenarios)
        while left:
            left = self._on_fresh_fabric(left)
        return self.results

    def _on_fresh_fabric(self, left):
        """Runs until one fails, because what it left behind is not known; returns the rest."""
        with Fabric(f"lab-{self.name}") as fabric:
            try:
                return self._on(fabric, left)
            finally:
                self._end_watches(fabric)

    def _on(self, fabric, left):
        try:
            lab = FABRICS[self.name](fabric, self.router, self.speaker)
            lab.times = self.times
            lab.start()
            lab.wait_all()
        except (LabError, OSError) as error:
            self._add("start", "failed", error=f"{error}")
            return []
        while left:
            name = left.pop(0)
            scenario = ALL[name]
            # What runs a page of etc/routers is for that alone.
            if not scenario.fits(lab) or lab.is_page != (name == "router-page"):
                continue
            if self.speaker not in scenario.speakers:
                self._add(name, "cannot")
                continue
            if not self._one(scenario, lab):
                _show_logs(lab)
                return left
        return []

    def _end_watches(self, fabric):
        """One that had ended before saw too little of what has passed."""
        for close in fabric.at_exit:
            try:
                close()
            except LabError as error:
                self._add("end", "failed", error=f"{error}")
        fabric.at_exit.clear()

    def _one(self, scenario, lab):
        begin = time.monotonic()
        try:
            figures = scenario.act(lab)
        except Exception as error:  # whatever went wrong, the others are still run
            if not isinstance(error, LabError):
                traceback.print_exc()
            self._add(scenario.name, "failed", error=f"{error}")
            return False
        self._add(scenario.name, "passed", took=round(time.monotonic() - begin, 1), **figures)
        return True

    def _add(self, scenario, outcome, **more):
        result = {
            "fabric": self.name,
            "router": self.router,
            "speaker": self.speaker,
            "scenario": scenario,
            "outcome": outcome,
            **more,
        }
        self.results.append(result)
        if outcome != "cannot":
            word = "ok   " if outcome == "passed" else "FAIL "
            what = more.get("error") or shown(result)
            say(f"{word} {self.name}, {self.router}, {self.speaker}: {scenario}: {what}")


def _show_logs(lab):
    for announcer in lab.announcers:
        if announcer.daemon.popen:
            say(f"--- {announcer.role}: end of the log\n{announcer.daemon.tail(12)}")


WORDS = {
    "seconds": "{} s",
    "failed": "{} failed",
    "requests": "of {}",
    "updates": "{} UPDATEs",
    "back_seconds": "back {} s",
    "drain_seconds": "drain {} s",
}


def shown(result):
    """The figures of a result in one line."""
    known = [
        text.format(result[key]) for key, text in WORDS.items() if result.get(key) is not None
    ]
    other = [
        f"{key.replace('_', ' ')} {value}"
        for key, value in result.items()
        if key not in (*WORDS, "fabric", "router", "speaker", "scenario", "outcome", "took")
    ]
    return ", ".join(known + other).replace(" failed, of", " failed of")


def show_table(results):
    """Scenarios down, fabrics across; one table for each router software and speaker."""
    for router, speaker in sorted({(one["router"], one["speaker"]) for one in results}):
        chosen = [one for one in results if (one["router"], one["speaker"]) == (router, speaker)]
        fabrics = [name for name in FABRICS if any(one["fabric"] == name for one in chosen)]
        cells = {(one["scenario"], one["fabric"]): cell(one) for one in chosen}
        rows = [
            [name, *(cells.get((name, fabric), "") for fabric in fabrics)]
            for name in ("start", *ALL, "end")
            if any((name, fabric) in cells for fabric in fabrics)
        ]
        say(f"\n{speaker}, {router}: seconds until the routers' kernels had it ·")
        say("requests failed of all · UPDATEs of all announcers\n")
        say(table(rows, ["scenario", *fabrics]))


def run_children(options, fabrics):
    """Each fabric in a process of its own, some at once; ends them all when this one is ended."""
    waiting = [
        (fabric, speaker)
        for speaker in options.speakers
        for fabric in fabrics
        if can_build(fabric, options.router, speaker)
    ]
    running, results = {}, []
    status = 0
    try:
        while waiting or running:
            while waiting and len(running) < options.at_once:
                fabric, speaker = waiting.pop(0)
                out = tempfile.NamedTemporaryFile("r", suffix=".json")
                argv = [sys.executable, "-m", "lab", fabric, *options.scenarios, "--child"]
                argv += ["--router", options.router, "--speaker", speaker, "--json", out.name]
                argv += ["--times", f"{options.times}", *(["--quick"] if options.quick else [])]
                running[subprocess.Popen(argv)] = fabric, speaker, out
            time.sleep(0.05)
            for child in [one for one in running if one.poll() is not None]:
                fabric, speaker, out = running.pop(child)
                text = out.read()
                found = json.loads(text)["results"] if text else []
                results += found
                if not text or (child.returncode and not _failed(found)):
                    say(f"FAIL  {fabric}, {speaker}: ended with {child.returncode}")
                    status = 1
    finally:
        for child in running:
            child.terminate()
        for child in running:
            child.wait()
    return results, status


def _failed(results):
    return sum(one["outcome"] == "failed" for one in results)


def parse():
    parser = argparse.ArgumentParser(
        prog="test/lab/run",
        description="Builds a fabric in network namespaces and runs scenarios on it.",
        epilog="fabrics:\n"
        + "".join(f"  {name:16} {make.__doc__.splitlines()[0]}\n" for name, make in FABRICS.items())
        + "scenarios (* not with --quick):\n"
        + "".join(
            f"  {one.name:20}{' ' if one.is_quick else '*'} {one.summary}\n" for one in ALL.values()
        ),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("names", nargs="*", metavar="FABRIC [SCENARIO...]")
    parser.add_argument("--all", action="store_true", help="every fabric")
    parser.add_argument("--router", choices=ROUTERS, default="frr")
    parser.add_argument("--speaker", choices=(*SPEAKERS, "both"), default="anyvip")
    parser.add_argument("--json", metavar="FILE", help="write the figures there; - is the output")
    parser.add_argument("--markdown", metavar="FILE", help="write the tables there")
    parser.add_argument("--quick", action="store_true", help="only what takes seconds")
    parser.add_argument("--at-once", type=int, default=0, metavar="N", help="fabrics side by side")
    parser.add_argument(
        "--times", type=int, default=0, help="repetitions of what is repeated (20; quick: 2)"
    )
    parser.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    options.fabric, options.scenarios = None, options.names
    if not options.all:
        options.fabric, *options.scenarios = options.names or [None]
        if options.fabric not in FABRICS:
            parser.error(f"name a fabric, or --all: {', '.join(FABRICS)}")
    if unknown := set(options.scenarios) - set(ALL):
        parser.error(f"unknown scenario: {', '.join(sorted(unknown))}")
    options.speakers = SPEAKERS if options.speaker == "both" else (options.speaker,)
    options.at_once = options.at_once or (AT_ONCE if options.quick else 1)
    options.times = options.times or (2 if options.quick else 20)
    return options


def main():
    options = parse()
    require_programs()
    # The end by a signal takes the way of every other end: the fabrics are removed.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    status = 0
    if options.child:
        names = options.scenarios or (quick_scenarios(options.fabric) if options.quick else ALL)
        results = Run(options.fabric, options.router, options.speaker, names, options.times).all()
    else:
        fabrics = FABRICS if options.all else [options.fabric]
        results, status = run_children(options, fabrics)
        show_table(results)
    if options.json or options.markdown:
        write(options, results)
    if not options.child:
        if missing := what_is_missing(results, options.scenarios):
            say(f"FAIL  {missing}")
            status = 1
        counts = [sum(one["outcome"] == word for one in results) for word in ("passed", "failed")]
        say(f"{counts[0]} passed, {counts[1] or status} failed")
    return 1 if _failed(results) else status


def write(options, results):
    machine = f"{platform.system()} {platform.release()}, {os.cpu_count()} cores"
    at = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    if options.markdown:
        about = {"machine": machine, "at": at, "router": options.router.upper()}
        command = f"sudo test/lab/run {' '.join(sys.argv[1:])}"
        with open(options.markdown, "w") as file:
            file.write(markdown(results, command=command, per_second=PER_SECOND, **about))
    text = json.dumps({"machine": machine, "at": at, "results": results}, indent=1)
    if not options.json:
        return
    if options.json == "-":
        say(text)
    else:
        with open(options.json, "w") as file:
            file.write(text + "\n")


if __name__ == "__main__":
    try:
        sys.exit(main())
    except LabError as error:
        sys.exit(f"lab: {error}")
    except KeyboardInterrupt:
        sys.exit(130)
