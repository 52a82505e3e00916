# SPDX-License-Identifier: GPL-2.0-or-later
# The module is built by the kernel's own make, from kernel/Makefile: it is no
# part of `make', but of the tarball.

EXTRA_DIST += \
	kernel/.checkpatch.conf \
	kernel/.clang-format \
	kernel/60-hscpt.rules \
	kernel/Kbuild \
	kernel/Makefile \
	kernel/args.h \
	kernel/arena.c \
	kernel/bits.c \
	kernel/broken.h \
	kernel/compat/mm.h \
	kernel/copy.c \
	kernel/device.c \
	kernel/dkms.conf \
	kernel/internal.h \
	kernel/include/uapi/hscpt.h \
	kernel/mmu.c \
	kernel/page.c \
	kernel/pseudofs.c \
	kernel/registry.c \
	kernel/snapfile.c \
	kernel/snapshot.c \
	kernel/track.c
