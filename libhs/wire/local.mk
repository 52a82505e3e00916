# SPDX-License-Identifier: LGPL-2.1-or-later
# wire: messages and records, bytes <-> structs.  Calls base, nothing else.
noinst_LTLIBRARIES += libhswire.la
libhswire_la_SOURCES = \
	libhs/wire/delta.c libhs/wire/delta.h \
	libhs/wire/msg.c libhs/wire/msg.h \
	libhs/wire/rec.c libhs/wire/rec.h
