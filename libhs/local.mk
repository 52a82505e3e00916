# SPDX-License-Identifier: LGPL-2.1-or-later
# libhotspare.so: the convenience libraries of the directories below, linked
# whole, with only the names of libhs.map left visible.
lib_LTLIBRARIES += libhotspare.la
libhotspare_la_SOURCES =
hotspareincludedir = $(includedir)/hotspare
hotspareinclude_HEADERS = libhs/hs.h
libhotspare_la_LIBADD = libhsapi.la libhsckpt.la libhsnet.la libhsstate.la \
	libhsmem.la libhswire.la libhsbase.la $(XXHASH_LIBS)
libhotspare_la_LDFLAGS = $(AM_LDFLAGS) -version-info $(HS_SO_VERSION) \
	-Wl,--version-script=$(srcdir)/libhs/libhs.map
EXTRA_libhotspare_la_DEPENDENCIES = libhs/libhs.map
EXTRA_DIST += libhs/libhs.map

pkgconfigdir = $(libdir)/pkgconfig
pkgconfig_DATA = libhs/hotspare.pc
