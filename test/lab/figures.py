# SPDX-License-Identifier: Apache-2.0
"""The figures of a run for people: cells of a table, and the page etc/lab.md."""

from .fabrics import FABRICS
from .scenarios import ALL

HEAD = """# All fabrics, all scenarios: one run

`{command}`, {at}, {machine}, {router}.

Scenarios down, fabrics across; `sudo test/lab/run --help` says what each is. In a cell: seconds until the routers' kernels had the change ·
requests failed of all ({per_second} new connections a second, with TLS where there is TLS) · UPDATEs that all announcers sent for it.
`passthrough`: of the transfer; `shared-fails`: until all are demoted; `vip-removed`: until the address is back, for which no route changes.
`cannot`: the speaker has no means for it. A request fails when it is on its way while the set of nodes changes and the router's hash moves it,
or when it comes before the routers know. Times of checks are the same for both speakers: interval 1 s, time-out 1 s, rise 2, fall 3.
All processes of a fabric, its clients and its servers share these cores, so that a request takes some 10 ms.
"""

# Scenarios whose figures are more than a cell: they are shown as a list.
LISTED = ("drain-again", "long-flows", "all-drained", "router-page")


def cell(result):
    if result["outcome"] != "passed":
        return {"failed": "FAILED", "cannot": "cannot"}[result["outcome"]]
    parts = []
    if "seconds" in result:
        seconds = result["seconds"]
        parts.append("never" if seconds is None else f"{seconds:.2f} s")
    elif "back_seconds" in result and "failed" not in result:
        parts.append(f"back {result['back_seconds']:.2f} s")
    if "failed" in result:
        of = result.get("requests") or result.get("flows")
        if of or result["failed"]:
            parts.append(f"{result['failed']}/{of}")
    if "updates" in result:
        parts.append(str(result["updates"]))
    return " · ".join(parts) or "ok"


def _table(results):
    fabrics = [name for name in FABRICS if any(one["fabric"] == name for one in results)]
    cells = {(one["scenario"], one["fabric"]): cell(one) for one in results}
    yield "| | " + " | ".join(fabrics) + " |"
    yield "|---" * (len(fabrics) + 1) + "|"
    for name in ("start", *ALL):
        if name not in LISTED and any((name, fabric) in cells for fabric in fabrics):
            row = [cells.get((name, fabric), "") for fabric in fabrics]
            yield f"| {name} | " + " | ".join(row) + " |"


def _lines(results):
    for one in results:
        if one["scenario"] in LISTED and one["outcome"] == "passed":
            known = ("fabric", "router", "speaker", "scenario", "outcome", "took")
            figures = [f"{key.replace('_', ' ')} {value}" for key, value in one.items()
                       if key not in known]  # fmt: skip
            yield f"- {one['fabric']}, {one['scenario']}: {', '.join(figures)}"


def markdown(results, **about):
    text = [HEAD.format(**about)]
    for speaker in sorted({one["speaker"] for one in results}):
        chosen = [one for one in results if one["speaker"] == speaker]
        what = "ExaBGP with its healthcheck" if speaker == "exabgp" else speaker
        text += [f"## {what}\n", *_table(chosen), ""]
        if lines := list(_lines(chosen)):
            text += ["", *lines, ""]
    return "\n".join(text).rstrip() + "\n"
