# SPDX-License-Identifier: Apache-2.0
"""Counting what passed and failed, and tables for people."""

import time
import traceback

from .process import LabError


class Report:
    """Counts named checks; its last line is `N passed, M failed`."""

    def __init__(self):
        self.passed = 0
        self.failed = 0

    def check(self, name, action):
        """One check: `action` returns, or raises LabError (or AssertionError) with the reason."""
        start = time.monotonic()
        try:
            action()
        except (LabError, AssertionError, OSError) as error:
            self.failed += 1
            print(f"FAIL  {name}: {error}", flush=True)
            if not isinstance(error, LabError):
                traceback.print_exc()
            return False
        self.passed += 1
        print(f"ok    {name} ({time.monotonic() - start:.2f} s)", flush=True)
        return True

    def summary(self):
        return f"{self.passed} passed, {self.failed} failed"


def table(rows, header=None):
    """Columns aligned with two spaces between; numbers to the right."""
    cells = [[str(cell) for cell in row] for row in ([header] if header else []) + list(rows)]
    widths = [max(len(row[column]) for row in cells) for column in range(len(cells[0]))]
    lines = []
    for number, row in enumerate(cells):
        fields = []
        for cell, width in zip(row, widths):
            is_number = cell == "-" or cell.replace(".", "", 1).rstrip("% ").isdigit()
            fields.append(cell.rjust(width) if is_number else cell.ljust(width))
        lines.append("  ".join(fields).rstrip())
        if header and number == 0:
            lines.append("  ".join("-" * width for width in widths))
    return "\n".join(lines)


def what_is_missing(results, scenarios):
    """Why a run in which nothing failed is no success all the same; empty: it is one.

    `scenarios`: those asked for by name; of them each has to have run somewhere."""
    ran = {one["scenario"] for one in results if one["outcome"] in ("passed", "failed")}
    if absent := [name for name in scenarios if name not in ran]:
        return f"not run, no fabric and speaker here can do it: {', '.join(absent)}"
    return "" if ran else "nothing was run"
