# SPDX-License-Identifier: Apache-2.0
"""Upgrades in place with real routers: what the router sees, what clients feel, what fails how."""
