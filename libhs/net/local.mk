# SPDX-License-Identifier: LGPL-2.1-or-later
# net: transports.
noinst_LTLIBRARIES += libhsnet.la
libhsnet_la_SOURCES =
libhsnet_la_SOURCES += libhs/net/xport.c libhs/net/xport.h
libhsnet_la_SOURCES += libhs/net/xport_cpg.c
libhsnet_la_SOURCES += libhs/net/xport_unix.c
libhsnet_la_CPPFLAGS = $(AM_CPPFLAGS) $(CPG_CFLAGS)
libhsnet_la_LIBADD = $(CPG_LIBS)
