# SPDX-License-Identifier: Apache-2.0
"""System tests of the health checks: the real daemon, real servers, bad servers, a starved host."""
