# SPDX-License-Identifier: Apache-2.0
"""Everyday operation: the real daemon and the real command, each case in namespaces of its own."""
