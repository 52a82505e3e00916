# SPDX-License-Identifier: LGPL-2.1-or-later
# net: transports.
noinst_LTLIBRARIES += libhsnet.la
libhsnet_la_SOURCES =
# One line a file, headers too (that is what puts them in the tarball):
#libhsnet_la_SOURCES += libhs/net/NAME.c libhs/net/NAME.h
libhsnet_la_CPPFLAGS = $(AM_CPPFLAGS) $(CPG_CFLAGS)
libhsnet_la_LIBADD = $(CPG_LIBS)
