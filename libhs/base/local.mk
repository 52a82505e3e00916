# SPDX-License-Identifier: LGPL-2.1-or-later
# base: what every layer may use.
noinst_LTLIBRARIES += libhsbase.la
libhsbase_la_SOURCES =
# One line a file, headers too (that is what puts them in the tarball):
#libhsbase_la_SOURCES += libhs/base/NAME.c libhs/base/NAME.h
