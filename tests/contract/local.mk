# SPDX-License-Identifier: GPL-2.0-or-later
# Every backend of an ops table against its oracle.
# Same form as tests/unit/local.mk.
