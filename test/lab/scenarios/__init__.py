# SPDX-License-Identifier: Apache-2.0
"""What is done to a fabric, what must come of it, and what it costs.

A scenario is a function of a running Lab. It raises LabError when the outcome is wrong, returns its
figures, and leaves the lab as it was."""

# In the order in which they are run and shown.
from . import flows  # isort: skip
from . import failures  # isort: skip
from . import operation  # isort: skip
from . import planned  # isort: skip
from . import routers  # isort: skip
from . import servers  # isort: skip
from . import measurements  # isort: skip
from . import page  # isort: skip
from .registry import ALL

__all__ = ["ALL", "failures", "flows", "measurements", "operation", "page", "planned", "routers"]
__all__ += ["servers"]
