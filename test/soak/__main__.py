# SPDX-License-Identifier: Apache-2.0
"""Called by test/soak/run: random everyday life for a given time, then what is left of it."""

import argparse
import json
import sys
import time

from lab.fabric import Fabric
from lab.node import require_programs
from lab.process import LabError
from ops.stage import Wrong

from .life import Life


def main():
    parser = argparse.ArgumentParser(prog="test/soak/run", description=__doc__)
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", metavar="FILE", help="write the samples there")
    options = parser.parse_args()
    require_programs()
    try:
        with Fabric("soak") as fabric:
            life = Life(fabric, options.seed)
            try:
                problems = life.live(time.monotonic() + options.minutes * 60)
            except (Wrong, LabError, TimeoutError):
                print(life.log()[-3000:])
                raise
            finally:
                life.close()
    except (Wrong, LabError, TimeoutError) as error:
        sys.exit(f"soak: {error}")
    for kind, count in sorted(life.counts.items()):
        print(f"{count:7}  {kind}")
    for sample in life.shown():
        print(sample.line())
    if options.json:
        with open(options.json, "w") as file:
            json.dump([vars(sample) for sample in life.samples], file)
    print("\n".join(problems) or "no growth")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
