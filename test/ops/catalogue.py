# SPDX-License-Identifier: Apache-2.0
"""The list of cases; a case is a function that gets a stage, its name is a requirement."""

import dataclasses
import typing


@dataclasses.dataclass(frozen=True)
class Case:
    name: str
    module: str
    run: typing.Callable
    options: dict
    is_slow: bool


CASES = []


def case(name, slow=False, **options):
    """Registers a case; `options` go to its Stage. Slow ones begin first."""

    def register(function):
        module = function.__module__.rpartition(".")[2]
        CASES.append(Case(name, module, function, options, slow))
        return function

    return register
