# SPDX-License-Identifier: LGPL-2.1-or-later
# mem: arena, allocator, dirty tracking.
noinst_LTLIBRARIES += libhsmem.la
libhsmem_la_SOURCES =
# One line a file, headers too (that is what puts them in the tarball):
#libhsmem_la_SOURCES += libhs/mem/NAME.c libhs/mem/NAME.h
