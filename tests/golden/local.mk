# SPDX-License-Identifier: GPL-2.0-or-later
# Bytes that a released reader must go on reading.  Never edited, only added
# to: tests/lint/golden keeps their digests.
#EXTRA_DIST += tests/golden/NAME.bin
