# SPDX-License-Identifier: LGPL-2.1-or-later
# state: what memory alone does not hold, as records in checkpoint memory.
noinst_LTLIBRARIES += libhsstate.la
libhsstate_la_SOURCES =
libhsstate_la_SOURCES += libhs/state/clock.c libhs/state/clock.h
libhsstate_la_SOURCES += libhs/state/code.c libhs/state/code.h
libhsstate_la_SOURCES += libhs/state/section.h
libhsstate_la_SOURCES += libhs/state/store.c libhs/state/store.h
