# SPDX-License-Identifier: Apache-2.0
"""A service that comes and goes every 300 ms for 20 s: routers hear of it a handful of times."""

import time

from lab.process import LabError, wait_until

from .at_once import Listener
from .stage import Stage

PERIOD, SECONDS = 0.3, 20
# Each fall of the first three costs two UPDATEs; then hold-downs of 1, 2, 4 and 8 s fill the time.
HANDFUL = 16
CHECKS = [
    {"name": "defaults", "type": "tcp", "target": "127.0.0.1:9200"},
    {"name": "nervous", "type": "tcp", "target": "127.0.0.1:9200", "interval": "100ms",
     "fall": 1, "rise": 1},
    {"name": "polled", "type": "tcp", "target": "127.0.0.1:9200", "interval": "100ms",
     "fall": 1, "rise": 1, "tripwire": False},
]  # fmt: skip


class Flapping:
    def __init__(self, fabric):
        self.stage = Stage(fabric, "flapping")
        self.listener = None
        self.began = 0.0

    def run(self, report):
        if report.check("flapping: service and daemon start", self._start):
            report.check(f"flapping: every 300 ms for {SECONDS} s", self._flap)
            for check in CHECKS:
                name = check["name"]
                what = f"flapping: check {name}: no more than {HANDFUL} UPDATEs"
                report.check(what, lambda name=name: self._count(name))
            report.check("flapping: over, all announced again", self._calm)
        self.stage.finish()

    def _start(self):
        self.listener = Listener(self.stage, 9200)
        self.stage.configure(CHECKS).start()
        self.stage.wait_announced(*self.stage.prefixes)

    def _flap(self):
        self.began = time.monotonic()
        while time.monotonic() < self.began + SECONDS:
            self.listener.close()
            time.sleep(PERIOD)
            self.listener = Listener(self.stage, 9200)
            time.sleep(PERIOD)

    def _count(self, name):
        told = self.stage.updates(name, self.began)
        shown = " ".join(f"{what}{at - self.began:.1f}" for at, what in told)
        print(f"      {name}: {len(told)} UPDATEs: {shown}", flush=True)
        if not told:
            raise LabError("never withdrawn")
        if len(told) > HANDFUL:
            raise LabError(f"{len(told)} UPDATEs")

    def _calm(self):
        def backed():
            states = {name: self.stage.vip(name)["state"] for name in self.stage.prefixes}
            if any(state not in ("announced", "backup") for state in states.values()):
                raise LabError(f"{states}")
            return True

        wait_until("all in service", backed, 10)
