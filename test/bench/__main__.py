# SPDX-License-Identifier: Apache-2.0
"""Called by test/bench/run: the benches by name, or all; tables for people, JSON for the record."""

import argparse
import os
import platform

from lab.node import require_programs

from . import (
    bfd,
    drain,
    full_table,
    health_busy,
    health_death,
    health_events,
    health_hang,
    health_scale,
    many,
    memory,
    router_back,
    startup,
    withdraw,
)
from .measure import write_json

BENCHES = {
    "bfd": bfd,
    "startup": startup,
    "withdraw": withdraw,
    "drain": drain,
    "memory": memory,
    "router_back": router_back,
    "many": many,
    "full_table": full_table,
    "health_death": health_death,
    "health_hang": health_hang,
    "health_scale": health_scale,
    "health_events": health_events,
    "health_busy": health_busy,
}


def main():
    parser = argparse.ArgumentParser(prog="test/bench/run", description=__doc__)
    parser.add_argument("bench", nargs="*", choices=[*BENCHES, []], help="default: all")
    parser.add_argument("--quick", action="store_true", help="few runs, short outages: to try it")
    parser.add_argument("--json", metavar="FILE", help="write the figures there, - for the screen")
    options = parser.parse_args()
    require_programs()
    figures = {"machine": {"kernel": platform.release(), "processors": os.cpu_count()}}
    for name in options.bench or BENCHES:
        figures[name] = BENCHES[name].measure(options.quick)
    if options.json:
        write_json(options.json, figures)


if __name__ == "__main__":
    main()
