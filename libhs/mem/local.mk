# SPDX-License-Identifier: LGPL-2.1-or-later
# mem: arena, allocator, dirty tracking.
noinst_LTLIBRARIES += libhsmem.la
libhsmem_la_SOURCES =
libhsmem_la_SOURCES += libhs/mem/alloc.c libhs/mem/alloc.h
libhsmem_la_SOURCES += libhs/mem/arena.c libhs/mem/arena.h
libhsmem_la_SOURCES += libhs/mem/check.c libhs/mem/check.h
libhsmem_la_SOURCES += libhs/mem/copy.c libhs/mem/copy.h
libhsmem_la_SOURCES += libhs/mem/dirty.c libhs/mem/dirty.h
libhsmem_la_SOURCES += libhs/mem/dirty_full.c
libhsmem_la_SOURCES += libhs/mem/dirty_kmod.c
libhsmem_la_SOURCES += libhs/mem/kmod_dev.c libhs/mem/kmod_dev.h
libhsmem_la_SOURCES += libhs/mem/kmod_fork.c libhs/mem/kmod_fork.h
libhsmem_la_SOURCES += libhs/mem/kmod_keep.c libhs/mem/kmod_keep.h
libhsmem_la_SOURCES += libhs/mem/dirty_wpa.c libhs/mem/uffd_abi.h
libhsmem_la_SOURCES += libhs/mem/layout.c libhs/mem/layout.h
libhsmem_la_SOURCES += libhs/mem/pageset.c libhs/mem/pageset.h
libhsmem_la_SOURCES += libhs/mem/root.c libhs/mem/root.h
libhsmem_la_SOURCES += libhs/mem/run.c libhs/mem/run.h
libhsmem_la_SOURCES += libhs/mem/slab.c libhs/mem/slab.h
libhsmem_la_SOURCES += libhs/mem/twin.c libhs/mem/twin.h
