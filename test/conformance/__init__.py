# SPDX-License-Identifier: Apache-2.0
"""The daemon judged on the wire, RFC by RFC, by raw octets that share no code with it."""
