# SPDX-License-Identifier: Apache-2.0
"""The package as a file: it builds, lintian is content, without systemd it comes and goes."""

import os
import re
import shutil
import tempfile

from lab.fabric import ROOT
from lab.process import LabError, run

from .root import BUILD

EXPECTED = {
    "/usr/sbin/anyvipd",
    "/usr/bin/anyvip",
    "/etc/anyvip/anyvip.toml",
    "/lib/systemd/system/anyvip.service",
    "/usr/share/man/man8/anyvipd.8.gz",
    "/usr/share/man/man1/anyvip.1.gz",
    "/usr/share/man/man5/anyvip.toml.5.gz",
    "/usr/share/bash-completion/completions/anyvip",
    "/usr/share/zsh/vendor-completions/_anyvip",
    "/usr/share/doc/anyvip/copyright",
    "/usr/share/doc/anyvip/changelog.gz",
}
# dpkg's own books, and the backups that tools for accounts make.
BOOKS = re.compile(
    r"/var/(lib/dpkg|cache/(debconf|ldconfig)|log)/"
    r"|/etc/(passwd|group|shadow|gshadow|subuid|subgid)-$"
)

# In a mount namespace of its own on an overlay, so that the clean system stays clean.
IN_ROOT = """
mount --make-rprivate /
mount -t tmpfs tmpfs "$2"
mkdir "$2/changes" "$2/work" "$2/system"
mount -t overlay overlay -o "lowerdir=$1,upperdir=$2/changes,workdir=$2/work" "$2/system"
mount -t proc proc "$2/system/proc"
cp "$3" "$2/system/root/anyvip.deb"
exec chroot "$2/system" sh -ec "$4"
"""


def in_root(root, package, script):
    """Runs a shell script in the clean system, /root/anyvip.deb being the package; its output."""
    with tempfile.TemporaryDirectory() as directory:
        return run(
            "unshare",
            "-m",
            "bash",
            "-ec",
            IN_ROOT,
            "-",
            root,
            directory,
            package,
            script,
            timeout=300,
        )


def newer(package, version, change="true"):
    """The package again with a higher version, `change` being a shell command in its files."""
    directory = f"{BUILD}/newer"
    shutil.rmtree(directory, ignore_errors=True)
    run("dpkg-deb", "-R", package, directory)
    run(
        "sh",
        "-ec",
        f"cd {directory}; sed -i 's/^Version:.*/Version: {version}/' DEBIAN/control; {change}",
    )
    file = f"{BUILD}/newer_{version}.deb"
    run("dpkg-deb", "--root-owner-group", "-b", directory, file)
    shutil.rmtree(directory)
    return file


def build(report):
    """The path of the package, or None."""
    found = []

    def make():
        output = run(f"{ROOT}/etc/debian/build", BUILD, timeout=3600)
        found.append(output.split()[-1])

    report.check("the package builds from the tree", make)
    return found[0] if found else None


def check(report, package, root):
    report.check("lintian, pedantic, has nothing to say", lambda: lint(package))
    report.check(
        "it holds both programs, unit, manuals, completions, configuration",
        lambda: contents(package),
    )
    report.check(
        "without systemd: installs, runs --check, and a purge leaves nothing",
        lambda: come_and_go(root, package),
    )
    size = os.path.getsize(package) / 1e6
    installed = int(run("dpkg-deb", "-f", package, "Installed-Size")) / 1e3
    needed = run("dpkg-deb", "-f", package, "Depends").strip()
    print(f"      {size:.2f} MB, installed {installed:.2f} MB; needs {needed}")


def lint(package):
    argv = ["lintian", "--allow-root", "--display-info", "--pedantic", package]
    output = run(*argv, timeout=300)
    if output.strip():
        raise LabError(output)
    print("      lintian: no output")


def contents(package):
    files = {line.split()[5].lstrip(".") for line in run("dpkg-deb", "-c", package).splitlines()}
    if EXPECTED - files:
        raise LabError(f"missing: {EXPECTED - files}")
    conffiles = run("dpkg-deb", "-I", package, "conffiles").split()
    if conffiles != ["/etc/anyvip/anyvip.toml"]:
        raise LabError(f"conffiles: {conffiles}")


LIST = "find / -xdev -mindepth 1 -printf '%p %M %u:%g\\n' | sort"


def come_and_go(root, package):
    before = in_root(root, package, LIST)
    script = f"""
        exec 3>&1 >&2
        dpkg -i /root/anyvip.deb
        anyvipd --check
        test "$(stat -c '%U:%G %a' /etc/anyvip/anyvip.toml)" = 'root:anyvip 640'
        dpkg -i /root/anyvip.deb
        dpkg -P anyvip
        if getent passwd anyvip || getent group anyvip; then exit 1; fi
        exec >&3
        {LIST}"""
    after = in_root(root, package, script)
    changed = set(after.splitlines()) ^ set(before.splitlines())
    left = sorted(line for line in changed if not BOOKS.search(line.split()[0]))
    if left:
        raise LabError("left behind or changed:\n" + "\n".join(left))
