# SPDX-License-Identifier: GPL-2.0-or-later
# The kernel module in virtual machines: nothing of it is part of `make check'.
# See tests/suite and CONTRIBUTING.md.
EXTRA_DIST += tests/vm/trees.sh tests/vm/boot.sh tests/vm/init \
	tests/vm/verdicts.awk tests/vm/selftest.sh tests/vm/tap.h
