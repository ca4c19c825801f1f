# SPDX-License-Identifier: Apache-2.0
"""What happens behind the load balancers of a hybrid fabric: no route moves for it."""
