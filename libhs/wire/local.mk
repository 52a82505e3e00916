# SPDX-License-Identifier: LGPL-2.1-or-later
# wire: bytes <-> structs, pure.
noinst_LTLIBRARIES += libhswire.la
libhswire_la_SOURCES =
# One line a file, headers too (that is what puts them in the tarball):
#libhswire_la_SOURCES += libhs/wire/NAME.c libhs/wire/NAME.h
