# SPDX-License-Identifier: GPL-2.0-or-later
# What must hold when a call fails at each numbered point.
# Same form as tests/unit/local.mk.
