# SPDX-License-Identifier: LGPL-2.1-or-later
# state: what memory alone does not hold, as records in checkpoint memory.
noinst_LTLIBRARIES += libhsstate.la
libhsstate_la_SOURCES =
libhsstate_la_SOURCES += libhs/state/clock.c libhs/state/clock.h
libhsstate_la_SOURCES += libhs/state/fd_ops.h
libhsstate_la_SOURCES += libhs/state/fd.c libhs/state/fd.h
libhsstate_la_SOURCES += libhs/state/fd_app.c libhs/state/fd_app.h
libhsstate_la_SOURCES += libhs/state/fd_info.c libhs/state/fd_info.h
libhsstate_la_SOURCES += libhs/state/fd_kinds.c
libhsstate_la_SOURCES += libhs/state/fd_pipe.c
libhsstate_la_SOURCES += libhs/state/fd_record.c libhs/state/fd_record.h
libhsstate_la_SOURCES += libhs/state/fd_restore.c libhs/state/fd_restore.h
libhsstate_la_SOURCES += libhs/state/fd_table.c libhs/state/fd_table.h
libhsstate_la_SOURCES += libhs/state/code.c libhs/state/code.h
libhsstate_la_SOURCES += libhs/state/held.c libhs/state/held.h
libhsstate_la_SOURCES += libhs/state/lock.c libhs/state/lock.h
libhsstate_la_SOURCES += libhs/state/park.c libhs/state/park.h
libhsstate_la_SOURCES += libhs/state/park_tell.c libhs/state/park_tell.h
libhsstate_la_SOURCES += libhs/state/memreg.c libhs/state/memreg.h
libhsstate_la_SOURCES += libhs/state/context.c libhs/state/context.h
libhsstate_la_SOURCES += libhs/state/context_env.c libhs/state/context_env.h
libhsstate_la_SOURCES += libhs/state/hook.c libhs/state/hook.h
libhsstate_la_SOURCES += libhs/state/procfile.c libhs/state/procfile.h
libhsstate_la_SOURCES += libhs/state/section.h
libhsstate_la_SOURCES += libhs/state/shadow.c libhs/state/shadow.h
libhsstate_la_SOURCES += libhs/state/store.c libhs/state/store.h
