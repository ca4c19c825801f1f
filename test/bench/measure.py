# SPDX-License-Identifier: Apache-2.0
"""What the benches share: a router of raw bytes, nodes beside it, and how figures are shown."""

import json
import statistics
import sys

from lab.report import table
from lab.speaker import Speaker

from .programs import ROUTER_ASN

COLUMNS = ["median", "min", "max", "n"]


def add_node(fabric, role, routers=("router",)):
    """A node linked to each router namespace; returns (its address, the router's) of each."""
    for router in routers:
        if router not in fabric.namespaces:
            fabric.namespace(router)
    fabric.namespace(role)
    links = [fabric.link(router, role) for router in routers]
    fabric.default_route(role, links[0].a)
    return [(link.b[0], link.a[0]) for link in links]


def collector(fabric, address, router="router"):
    return Speaker(fabric.namespaces[router], ROUTER_ASN, address, address)


def summary(values, unit="ms", scale=1000.0):
    """Median, least and greatest of seconds."""
    values = sorted(value * scale for value in values)
    return {
        "n": len(values),
        "unit": unit,
        "median": round(statistics.median(values), 3),
        "min": round(values[0], 3),
        "max": round(values[-1], 3),
    }


def show(title, results, columns):
    """`results`: program -> dict; a table with the ratio to anyvip of the first column."""
    print(f"\n{title}")
    first = columns[0]
    ours = results.get("anyvip", {}).get(first)
    rows = []
    for name, values in results.items():
        value = values.get(first)
        known = isinstance(ours, (int, float)) and isinstance(value, (int, float)) and ours
        ratio = f"{value / ours:.1f} x" if known else "-"
        rows.append([name, *(values.get(column, "-") for column in columns), ratio])
    print(table(rows, ["program", *columns, "ratio"]), flush=True)


def note(text):
    print(text, file=sys.stderr, flush=True)


def write_json(path, figures):
    text = json.dumps(figures, indent=1)
    if path == "-":
        print(text)
    else:
        with open(path, "w") as file:
            file.write(text + "\n")
