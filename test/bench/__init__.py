# SPDX-License-Identifier: Apache-2.0
"""Figures of anyvip beside the alternatives, measured in one run on one machine."""
