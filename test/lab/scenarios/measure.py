# SPDX-License-Identifier: Apache-2.0
"""A change under load: when the routers had it, what it cost, who paid."""

import dataclasses
import time

from ..client import Load, Outcomes
from ..process import LabError

PER_SECOND = 100
AROUND = 0.7  # seconds of load on either side of a change


def require(condition, text):
    if not condition:
        raise LabError(text)


@dataclasses.dataclass
class Cost:
    outcomes: Outcomes
    seconds: float  # from the change to the last route changed in a router's kernel
    begin: float
    end: float
    route_changes: list  # moments
    updates: int  # that the announcers sent

    def figures(self, seconds=True):
        """`seconds`: whether the time of the change is one until the routers had it."""
        return {
            **({"seconds": round(self.seconds, 3)} if seconds else {}),
            "requests": len(self.outcomes),
            "failed": self.outcomes.failed,
            "updates": self.updates,
        }

    def stray(self):
        """Failures for which no change of a route is to blame.

        A request under way while the set of nodes changes may be moved to a node that does not
        know it: so does every router that hashes flows and is not resilient."""
        changes = self.route_changes
        return [one for one in self.outcomes if one.error and not one.was_under_way(changes)]

    def require_no_stray(self):
        stray = self.stray()
        require(not stray, f"{len(stray)} of {len(self.outcomes)} requests failed while no route "
                           f"changed: {shown(stray, self.begin)}")  # fmt: skip

    def require_none_failed_after(self, moment, margin=0.1):
        """Whoever came after the routers knew must have been served."""
        after = [one for one in self.outcomes if one.began > moment + margin]
        require(after, "nobody came after the routers knew")
        late = [one for one in after if one.error and not one.was_under_way(self.route_changes)]
        require(not late, f"failed after the routers knew: {shown(late, self.begin)}")


def shown(outcomes, begin):
    return ", ".join(f"{one.error} at {one.began - begin:+.2f} s" for one in outcomes[:5])


def load_on(lab):
    return Load(lab.client, lab.addresses, lab.port, PER_SECOND, tls=lab.tls, path="/1k")


def under_load(lab, change, roles, deadline=30.0, around=AROUND):
    """`change` is made under load; until the routers send the VIP to exactly `roles`."""

    def act(begin):
        change()
        return max(lab.wait_reach(roles, deadline), begin)

    return hold_load(lab, act, around)[1]


def hold_load(lab, action, around=AROUND):
    """`action(its begin)` under load; (what it returned, the cost).

    A number that it returns is taken for the moment at which the change was complete."""
    roles = [one.role for one in lab.announcers]
    sent = lab.updates.total(roles)
    with load_on(lab) as load:
        time.sleep(around)
        begin = time.monotonic()
        result = action(begin)
        end = result if isinstance(result, float) else time.monotonic()
        time.sleep(around)
    changes = [event.at for event in lab.routes.since(begin)]
    cost = Cost(load.outcomes, end - begin, begin, end, changes, lab.updates.total(roles) - sent)
    return result, cost
