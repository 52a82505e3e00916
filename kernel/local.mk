# SPDX-License-Identifier: GPL-2.0-or-later
# The module is built by the kernel's own make, from kernel/Makefile: it is no
# part of `make', but of the tarball.

EXTRA_DIST += \
	kernel/.clang-format \
	kernel/include/uapi/hscpt.h
