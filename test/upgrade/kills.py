# SPDX-License-Identifier: Apache-2.0
"""kill -9 in the middle of an upgrade: either the old program carries on, or the routes are gone and
the next start carries on."""

import signal
import time

from lab.process import wait_until

from .stage import VIP4, VIP6, require

# From the signal on, in seconds: the trial, the moment between, the replacement, the first turns.
MOMENTS = [0.001 * step for step in (0, 1, 2, 3, 5, 7, 9, 11, 13, 16, 20, 25, 32, 40, 60)]


class Kills:
    def __init__(self, stage, every=3):
        self.stage = stage
        self.moments = MOMENTS[::every]

    def steps(self):
        return [
            (f"killed {moment * 1000:.0f} ms after the signal: gone, and back after a start",
             lambda moment=moment: self.daemon(moment))
            for moment in self.moments
        ]  # fmt: skip

    def daemon(self, moment):
        stage = self.stage
        stage.node.daemon.send(signal.SIGUSR2)
        time.sleep(moment)
        stage.node.daemon.kill()
        for address in (VIP4, VIP6):
            wait_until(f"{address} is withdrawn", lambda a=address: not stage.fib(a))
        stage.node.start()
        stage.wait_announced()
        addresses = stage.node.vip("www")["addresses"]
        require(all(one["owned"] for one in addresses), f"not adopted: {addresses}")
