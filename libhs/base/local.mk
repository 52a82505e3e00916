# SPDX-License-Identifier: LGPL-2.1-or-later
# base: what every layer may use.
noinst_LTLIBRARIES += libhsbase.la
libhsbase_la_SOURCES = \
	libhs/base/clock.c libhs/base/clock.h \
	libhs/base/crc32c.c libhs/base/crc32c.h \
	libhs/base/digest.c libhs/base/digest.h \
	libhs/base/err.c libhs/base/err.h \
	libhs/base/fault.c libhs/base/fault.h \
	libhs/base/fdhigh.c libhs/base/fdhigh.h \
	libhs/base/futex.c libhs/base/futex.h \
	libhs/base/keep.h \
	libhs/base/le64.h \
	libhs/base/maps.c libhs/base/maps.h \
	libhs/base/module.c libhs/base/module.h \
	libhs/base/place.c libhs/base/place.h \
	libhs/base/rd.c libhs/base/rd.h \
	libhs/base/sock.c libhs/base/sock.h \
	libhs/base/tsan.h \
	libhs/base/why.c libhs/base/why.h \
	libhs/base/wr.c libhs/base/wr.h
libhsbase_la_CPPFLAGS = $(AM_CPPFLAGS) $(XXHASH_CFLAGS)
libhsbase_la_LIBADD = $(XXHASH_LIBS)
