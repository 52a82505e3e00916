# SPDX-License-Identifier: LGPL-2.1-or-later
# api: one thin file a public call.
noinst_LTLIBRARIES += libhsapi.la
libhsapi_la_SOURCES =
# One line a file, headers too (that is what puts them in the tarball):
#libhsapi_la_SOURCES += libhs/api/NAME.c libhs/api/NAME.h
# The rest of the tree is compiled -fvisibility=hidden.  These files define
# what hs.h declares; libhs.map is what decides which names leave the library.
libhsapi_la_CFLAGS = $(AM_CFLAGS) -fvisibility=default
