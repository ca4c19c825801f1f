# SPDX-License-Identifier: Apache-2.0
"""A life of the package on a node with systemd, from the installation to the purge."""

import time

from lab.process import LabError, run, wait_until

from . import artifact, hardening
from .hardening import ROUTE, expect
from .node import VIP


def install(report, node, router, package):
    report.check(
        "installed: off until configured; configuration and socket are the group's",
        lambda: fresh(node, package),
    )
    report.check("configured and enabled: READY only when it runs", lambda: enable(node))


def go_on(report, node, router, package):
    report.check(
        "dpkg -i of a newer version: no session closed, no packet of BFD missed",
        lambda: upgrade(node, router, package),
    )
    report.check(
        "dpkg -i of a version that cannot start: the old one carries on and dpkg says so",
        lambda: broken_upgrade(node, router, package),
    )
    report.check(
        "dpkg -i of a version that crashes when it has taken over: dpkg says so",
        lambda: crashing_upgrade(node, package),
    )
    report.check("exit status 78 is not tried again", lambda: bad_configuration(node))
    report.check("a stopped loop: the watchdog restarts it", lambda: watchdog(node, router))
    report.check(
        "shutdown: the route goes before the service stops", lambda: shutdown(node, router)
    )
    report.check(
        "boot: announced after the services, without needing them", lambda: boot(node, router)
    )
    report.check("removal withdraws first; the purge leaves nothing", lambda: remove(node, router))


def fresh(node, package):
    machine = node.machine
    machine.install(package)
    expect(machine.status("systemctl", "is-enabled", "anyvip")[1].strip(), "disabled", "is-enabled")
    expect(machine.status("systemctl", "is-active", "anyvip")[1].strip(), "inactive", "is-active")
    mode = machine.run("stat", "-c", "%U:%G %a", "/etc/anyvip/anyvip.toml").strip()
    expect(mode, "root:anyvip 640", "mode of the configuration")
    machine.run("systemd-analyze", "verify", "--man=no", "/lib/systemd/system/anyvip.service")


def enable(node):
    hardening.configure(node)
    node.drop_in("haproxy", "SupplementaryGroups=haproxy\n")
    node.machine.run("systemctl", "enable", "--now", "anyvip")
    expect(node.property("ActiveState"), "active", "state when start returns")
    node.status()


def upgrade(node, router, package):
    router.wait_route(ROUTE)
    before = router.session(), node.property("MainPID"), node.property("NRestarts")
    changed_unit = "sed -i 's/^RestartSec=1$/RestartSec=2/' lib/systemd/system/anyvip.service"
    output = node.machine.install(artifact.newer(package, "0.1.0+1", changed_unit))
    after = router.session(), node.property("MainPID"), node.property("NRestarts")
    expect(after, before, f"since when session and BFD are up, process, restarts ({output})")
    program = node.machine.run("readlink", f"/proc/{before[1]}/exe").strip()
    expect(program, "/usr/sbin/anyvipd", "the program that runs")
    expect(node.events("upgrade.done") != [], True, "event upgrade.done")
    expect(node.property("RestartUSec"), "2s", "the new unit is read")
    hardening.not_dumpable(node.machine, before[1])
    node.wait_state("announced")


def broken_upgrade(node, router, package):
    before = router.session(), node.property("MainPID")
    change = "cp usr/bin/anyvip usr/sbin/anyvipd"  # runs, but is no daemon
    output = node.machine.install(artifact.newer(package, "0.1.0+2", change))
    expect("still running" in output, True, f"what dpkg shows: {output}")
    expect((router.session(), node.property("MainPID")), before, "session, BFD, process")
    node.machine.install(artifact.newer(package, "0.1.0+3"))
    expect((router.session(), node.property("MainPID")), before, "after the next version")


# Passes the trial and nothing else.
PRETENDER = """
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
int main(int argc, char** argv) {
    if (argc < 2 || strcmp(argv[1], "--upgrade-trial") != 0) abort();
    return puts("ready 99") < 0;
}
"""


def crashing_upgrade(node, package):
    program = f"{artifact.BUILD}/pretender"
    run("cc", "-static", "-x", "c", "-", "-o", program, stdin=PRETENDER)
    change = f"cp {program} usr/sbin/anyvipd"
    output = node.machine.install(artifact.newer(package, "0.1.0+4", change))
    expect("has not answered" in output, True, f"what dpkg shows: {output}")
    node.machine.install(artifact.newer(package, "0.1.0+5"))
    node.machine.run("systemctl", "restart", "anyvip")
    node.wait_state("announced")


def bad_configuration(node):
    """A later failure must not come from here, so the good file is put back first of all."""
    machine = node.machine
    good = machine.read("/etc/anyvip/anyvip.toml")
    machine.run("sh", "-c", "cat >/etc/anyvip/anyvip.toml", stdin="[nonsense]\n")
    machine.status("systemctl", "restart", "anyvip")
    expect(node.property("ActiveState"), "failed", "state")
    expect(
        (node.property("ExecMainStatus"), node.property("NRestarts")), ("78", "0"), "exit, restarts"
    )
    machine.run("sh", "-c", "cat >/etc/anyvip/anyvip.toml", stdin=good)
    machine.run("systemctl", "start", "anyvip")
    node.wait_state("announced")


def watchdog(node, router):
    node.drop_in("watchdog", "WatchdogSec=1\n")
    node.machine.run("systemctl", "restart", "anyvip")
    node.wait_state("announced")
    pid = node.property("MainPID")
    node.machine.run("sh", "-c", f"kill -STOP {pid}")
    wait_until("a new process", lambda: node.property("MainPID") not in (pid, "0"), 15)
    node.wait_state("announced")
    node.machine.run("rm", "/etc/systemd/system/anyvip.service.d/watchdog.conf")
    node.machine.run("systemctl", "daemon-reload")


def shutdown(node, router):
    router.wait_route(ROUTE)
    node.add_service("slow", delay=2)
    node.add_service("broken", command="/bin/false")
    node.machine.run("systemctl", "poweroff")
    router.wait_route(ROUTE, False, 10)
    gone = time.time()
    node.machine.wait_off()
    stopped = float(node.machine.changed_file("/srv/backend.stopped"))
    if stopped < gone:
        raise LabError(f"the service stopped {gone - stopped:.3f} s before the route was gone")
    expect(node.machine.namespace.has_address(VIP), False, "address left behind")


def boot(node, router):
    node.machine.start()
    router.wait_route(ROUTE)
    expect(node.property("ActiveState", "broken"), "failed", "a service that does not start")
    service = int(node.property("ActiveEnterTimestampMonotonic", "slow"))
    daemon = int(node.property("ExecMainStartTimestampMonotonic"))
    if daemon < service:
        raise LabError(f"anyvipd began {(service - daemon) / 1e6:.1f} s before the service was up")


# What the administrator has put there himself, and the journal and the books of dpkg.
LEFT = (
    "find / -xdev ( -path /proc -o -path /var/lib/dpkg -o -path /var/log -o -path /etc/anyvip )"
    " -prune -o ( -user anyvip -o -name *anyvip* )"
    " -not -path /etc/systemd/system/anyvip.service.d* -print"
)


def remove(node, router):
    machine = node.machine
    router.wait_route(ROUTE)
    uid = machine.run("id", "-u", "anyvip").strip()
    machine.run("dpkg", "-r", "anyvip")
    router.wait_route(ROUTE, False, 1)
    expect(machine.namespace.has_address(VIP), False, "address after the removal")
    machine.run("dpkg", "-P", "anyvip")
    left = machine.run(*LEFT.replace("-user anyvip", f"-uid {uid}").split())
    expect(left.split(), [], "after the purge")
    for book in ("passwd", "group"):
        expect(machine.status("getent", book, "anyvip")[0], 2, f"{book} after the purge")
    expect(
        machine.run("ls", "/etc/anyvip").split(),
        ["tor1.key"],
        "/etc/anyvip, the key not being ours",
    )
