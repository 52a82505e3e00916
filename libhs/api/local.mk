# SPDX-License-Identifier: LGPL-2.1-or-later
# api: one thin file a public call, or a family of them.
noinst_LTLIBRARIES += libhsapi.la
libhsapi_la_SOURCES =
libhsapi_la_SOURCES += libhs/api/hsclock.c
libhsapi_la_SOURCES += libhs/api/hscode.c
libhsapi_la_SOURCES += libhs/api/hscpt.c
libhsapi_la_SOURCES += libhs/api/hsctxreg.c
libhsapi_la_SOURCES += libhs/api/hsfdreg.c
libhsapi_la_SOURCES += libhs/api/hsfini.c
libhsapi_la_SOURCES += libhs/api/hshook.c
libhsapi_la_SOURCES += libhs/api/hsinit.c
libhsapi_la_SOURCES += libhs/api/hslock.c
libhsapi_la_SOURCES += libhs/api/hsmalloc.c
libhsapi_la_SOURCES += libhs/api/hsmemreg.c
libhsapi_la_SOURCES += libhs/api/hsping.c
libhsapi_la_SOURCES += libhs/api/hsroot.c
libhsapi_la_SOURCES += libhs/api/hssigreg.c
libhsapi_la_SOURCES += libhs/api/hsstatus.c
libhsapi_la_SOURCES += libhs/api/hsstrerror.c
libhsapi_la_SOURCES += libhs/api/hsthread.c
libhsapi_la_SOURCES += libhs/api/hstimerreg.c
libhsapi_la_SOURCES += libhs/api/hswait.c
libhsapi_la_SOURCES += libhs/api/records.c libhs/api/records.h
libhsapi_la_SOURCES += libhs/api/self.c libhs/api/self.h
# The rest of the tree is compiled -fvisibility=hidden.  These files define
# what hs.h declares; libhs.map is what decides which names leave the library.
libhsapi_la_CFLAGS = $(AM_CFLAGS) -fvisibility=default
