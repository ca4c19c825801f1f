# SPDX-License-Identifier: Apache-2.0
"""Runs the cases: conformance [-v] [-l] [TEXT…]; with TEXT those whose name or module holds it."""

import argparse
import concurrent.futures
import importlib
import os
import pkgutil
import shutil
import sys
import tempfile
import time
import traceback

from . import cases
from .catalogue import CASES
from .connection import Wrong
from .network import Network, router_address
from .node import BIN, Node
from .stage import Stage

AT_ONCE = 40


def load():
    for module in sorted(found.name for found in pkgutil.iter_modules(cases.__path__)):
        importlib.import_module(f"{cases.__name__}.{module}")
    names = [one.name for one in CASES]
    twice = {name for name in names if names.count(name) > 1}
    if twice:
        sys.exit(f"two cases have one name: {', '.join(sorted(twice))}")


def prepare(network, chosen, directory):
    """A node for every kind, peers and listening sockets for every case."""
    nodes, shared, stages = [], {}, []
    for number, one in enumerate(chosen, 1):
        node = shared.get(one.kind)
        if node is None:
            node = Node(one.kind, len(nodes) + 1, directory, network.add_node(len(nodes) + 1))
            nodes.append(node)
            if one.kind.shared:
                shared[one.kind] = node
        router = router_address(number, one.ipv6)
        node.add_peer(f"p{number}", router, one.ipv6, one.dials, one.peer)
        stages.append(Stage(network, node, number, one, router, None))
    for stage in stages:
        if stage.case.dials:
            stage.listener = network.listen(stage.router)
    for node in shared.values():
        node.start()
    return nodes, stages


def run(stage):
    begin = time.monotonic()
    try:
        if not stage.case.kind.shared:
            stage.node.start()
        stage.case.run(stage)
        problem = None
    except Wrong as wrong:
        problem = str(wrong)
    except Exception:  # an error in the case itself: shown as it is
        problem = traceback.format_exc(limit=-4)
    finally:
        stage.close()
        if not stage.case.kind.shared:
            stage.node.kill()
        elif stage.node.process.poll() is not None:
            problem = f"anyvipd ended with {stage.node.process.returncode}: {stage.node.log()}"
    return stage.case, problem, time.monotonic() - begin


def main():
    parser = argparse.ArgumentParser(prog="conformance")
    parser.add_argument("-v", "--verbose", action="store_true", help="name passed cases too")
    parser.add_argument("-l", "--list", action="store_true", help="name the cases, run nothing")
    parser.add_argument("-k", "--keep", action="store_true", help="keep configurations and logs")
    parser.add_argument("text", nargs="*")
    options = parser.parse_args()
    load()
    wanted = options.text or [""]
    is_wanted = lambda one: any(text in one.name or text == one.module for text in wanted)
    chosen = [one for one in CASES if is_wanted(one)]
    if options.list:
        print("\n".join(one.name for one in chosen))
        return 0
    if not os.access(f"{BIN}/anyvipd", os.X_OK):
        sys.exit(f"{BIN}/anyvipd is missing: build first, or set ANYVIP_BIN")
    chosen.sort(key=lambda one: not one.slow)
    directory = tempfile.mkdtemp(prefix="anyvip-conformance-")
    nodes, failed = [], 0
    try:
        nodes, stages = prepare(Network(len(chosen)), chosen, directory)
        with concurrent.futures.ThreadPoolExecutor(AT_ONCE) as pool:
            for done in concurrent.futures.as_completed([pool.submit(run, one) for one in stages]):
                one, problem, seconds = done.result()
                failed += problem is not None
                if problem is not None:
                    print(f"FAILED {one.module}: {one.name}\n       {problem}", flush=True)
                elif options.verbose:
                    print(f"ok {seconds:6.2f} s  {one.name}", flush=True)
    finally:
        for node in nodes:
            node.kill()
        if options.keep:
            print(f"kept: {directory}")
        else:
            shutil.rmtree(directory)
    print(f"{len(chosen) - failed} passed, {failed} failed")
    return 1 if failed or not chosen else 0


if __name__ == "__main__":
    sys.exit(main())
