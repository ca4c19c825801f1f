# SPDX-License-Identifier: Apache-2.0
"""One authority and what it signed: a good certificate, one that has ended, one that ends soon."""

from .stage import quiet

NAME = "good.example"


class Certificates:
    def __init__(self, directory):
        self._directory = directory
        self.authority = f"{directory}/ca.pem"
        self._authority_key = f"{directory}/ca.key"
        quiet(
            ["openssl", "req", "-x509", *self._new_key(self._authority_key), "-days", "30",
             "-subj", "/CN=authority of the test", "-out", self.authority]
        )  # fmt: skip
        self.good = self._signed("good", 90)
        self.soon = self._signed("soon", 3)
        self.expired = self._signed("expired", -1)

    @staticmethod
    def _new_key(path):
        return ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", path]

    def _signed(self, name, days):
        """(certificate, key); fewer than no days make one that has ended."""
        base = f"{self._directory}/{name}"
        with open(f"{base}.ext", "w") as file:
            file.write(f"subjectAltName = DNS:{NAME}\n")
        quiet(
            ["openssl", "req", *self._new_key(f"{base}.key"), "-subj", f"/CN={NAME}",
             "-out", f"{base}.csr"]
        )  # fmt: skip
        quiet(
            ["openssl", "x509", "-req", "-in", f"{base}.csr", "-CA", self.authority,
             "-CAkey", self._authority_key, "-CAcreateserial", "-days", str(days),
             "-extfile", f"{base}.ext", "-out", f"{base}.pem"]
        )  # fmt: skip
        return f"{base}.pem", f"{base}.key"
