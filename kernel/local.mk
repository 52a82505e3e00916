# SPDX-License-Identifier: GPL-2.0-or-later
# The module is built by the kernel's own make, from kernel/Makefile: it is no
# part of `make', but of the tarball.

EXTRA_DIST += \
	kernel/.checkpatch.conf \
	kernel/.clang-format \
	kernel/60-hscpt.rules \
	kernel/Kbuild \
	kernel/Makefile \
	kernel/arena.c \
	kernel/args.h \
	kernel/bits.c \
	kernel/compat/mm.h \
	kernel/copy.c \
	kernel/device.c \
	kernel/dkms.conf \
	kernel/fault.c \
	kernel/fault.h \
	kernel/include/uapi/hscpt.h \
	kernel/internal.h \
	kernel/mmu.c \
	kernel/page.c \
	kernel/pseudofs.c \
	kernel/registry.c \
	kernel/snapfile.c \
	kernel/snapshot.c \
	kernel/track.c
