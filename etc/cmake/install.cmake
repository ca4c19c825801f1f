# SPDX-License-Identifier: Apache-2.0
# Where everything but the programs is installed.
