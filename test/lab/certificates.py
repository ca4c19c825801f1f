# SPDX-License-Identifier: Apache-2.0
"""A certificate authority of one run, and a certificate for each server of a VIP."""

import ssl

from .process import run


class Authority:
    """`addresses`: what all certificates are valid for, beside vip.example and 127.0.0.1."""

    def __init__(self, directory, addresses):
        self._directory = directory
        self.certificate = f"{directory}/ca.crt"
        self._key = f"{directory}/ca.key"
        self._names = "subjectAltName=DNS:vip.example,IP:127.0.0.1," + ",".join(
            f"IP:{address}" for address in addresses
        )
        _request(self._key, self.certificate, "lab CA", "-x509")

    def issue(self, name, directory):
        """(certificate, key) with this common name, the key in this directory."""
        files = f"{directory}/server.crt", f"{directory}/server.key"
        wish, extension = f"{directory}/server.csr", f"{directory}/server.ext"
        _request(files[1], wish, name)
        with open(extension, "w") as file:
            file.write(self._names)
        run("openssl", "x509", "-req", "-in", wish, "-days", "2", "-CA", self.certificate,
            "-CAkey", self._key, "-CAcreateserial", "-extfile", extension,
            "-out", files[0])  # fmt: skip
        return files

    def context(self):
        """What a client needs that trusts this authority and nobody else."""
        return ssl.create_default_context(cafile=self.certificate)


def _request(key, out, name, *more):
    run("openssl", "req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
        "-days", "2", "-subj", f"/CN={name}", "-keyout", key, "-out", out, *more)  # fmt: skip
