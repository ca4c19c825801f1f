# SPDX-License-Identifier: Apache-2.0
"""Fabrics in network namespaces: nodes with anyvipd, real routers, clients.

Standard library only."""
