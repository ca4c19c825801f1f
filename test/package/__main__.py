# SPDX-License-Identifier: Apache-2.0
"""`python3 -m package`: builds the Debian package and lives through a life of it, up to the purge.

The clean system is made by debootstrap once, which takes minutes and the network, and kept in
build-package/root."""

import sys

from lab.fabric import Fabric
from lab.report import Report

from . import artifact, hardening, life
from .machine import Machine
from .node import Node
from .root import make_root
from .router import Router


def main():
    report = Report()
    package = artifact.build(report)
    if package:
        root = make_root()
        artifact.check(report, package, root)
        with Fabric("package") as fabric:
            fabric.namespace("node")
            fabric.router_namespace("router")
            link = fabric.link("router", "node")
            router = Router(fabric, "router", link).start()
            machine = Machine(fabric, "node", root)
            node = Node(machine, router.address)
            try:
                machine.start()
                life.install(report, node, router, package)
                hardening.check(report, node, router)
                life.go_on(report, node, router, package)
            finally:
                machine.close()
    print(report.summary())
    return 1 if report.failed or not report.passed else 0


if __name__ == "__main__":
    sys.exit(main())
