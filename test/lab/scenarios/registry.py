# SPDX-License-Identifier: Apache-2.0
"""The list of scenarios: name, where each makes sense, whether it is quick."""

import dataclasses
import typing

ALL = {}


@dataclasses.dataclass(frozen=True)
class Scenario:
    name: str
    act: typing.Callable  # Lab -> figures
    is_quick: bool
    fits: typing.Callable  # Lab -> bool
    speakers: tuple

    @property
    def summary(self):
        return self.act.__doc__.splitlines()[0]


def scenario(name, quick=True, fits=lambda lab: True, speakers=("anyvip", "exabgp")):
    """`speakers`: which can do the job at all."""

    def register(act):
        ALL[name] = Scenario(name, act, quick, fits, speakers)
        return act

    return register


def is_anycast(lab):
    """The announcers are the servers."""
    return lab.servers is lab.announcers


def is_hybrid(lab):
    return not is_anycast(lab)


def has_two_routers(lab):
    """The first router has more than one way on."""
    return len(lab.hops[lab.entry] & set(lab.routers)) > 1
