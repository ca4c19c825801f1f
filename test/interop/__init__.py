# SPDX-License-Identifier: Apache-2.0
"""anyvipd against real routers, in network namespaces."""
