# SPDX-License-Identifier: Apache-2.0
"""One check, and what it must say of its server: state, result and evidence."""

import dataclasses
import re

from lab.process import LabError

STATES = {"pass": "up", "fail": "down", "timeout": "down", "error": "down"}


@dataclasses.dataclass(frozen=True)
class Case:
    """`evidence` is a regular expression for the whole detail of the last run."""

    name: str  # of the check; says what the server does
    keys: dict
    result: str  # pass | fail | timeout | error
    evidence: str
    weight: int = 100
    vip_state: str = ""  # default: announced when it passes, else withdrawn
    vip: dict = dataclasses.field(default_factory=dict)  # more keys of its VIP
    output: str = ""  # a regular expression found in what an exec check printed

    def uses_vip(self):
        return any("{vip}" in str(value) for value in self.keys.values())

    def judge(self, check, vip, is_announced):
        """Raises LabError with what was seen when it is not as it must be."""
        last = check["last"] or {"result": None, "detail": "never ran"}
        seen = f"{check['state']}: {last['result']}: {last['detail']}"
        if last["result"] != self.result or not re.fullmatch(self.evidence, last["detail"]):
            raise LabError(f"{seen}; wanted {self.result}: {self.evidence}")
        if last["ok"] != (self.result == "pass"):
            raise LabError(f"last.ok is {last['ok']}")
        if not self.vip_state and check["state"] != STATES[self.result]:
            raise LabError(f"{seen}; reason: {check['reason']}")
        if check["weight"] != self.weight:
            raise LabError(f"weight {check['weight']}, wanted {self.weight}")
        if not re.search(self.output, last.get("output", "")):
            raise LabError(f"output {last.get('output')!r:.200}, wanted {self.output}")
        wanted = self.vip_state or ("announced" if self.result == "pass" else "withdrawn")
        if vip["state"] != wanted or is_announced != (wanted != "withdrawn"):
            raise LabError(f"VIP is {vip['state']} ({vip['reason']}), wanted {wanted}")
        if self.result != "pass":
            self._judge_reason(check)

    def _judge_reason(self, check):
        """A withdraw names the check and its type, so that nobody has to search."""
        start = f"{check['type']} check {self.name}: "
        if not check["reason"].startswith(start):
            raise LabError(f"reason {check['reason']!r} does not begin with {start!r}")
