# SPDX-License-Identifier: LGPL-2.1-or-later
# state: registries of descriptors, threads, signals.
# Nothing here yet.  When there is: a libhsstate.la like libhs/mem/local.mk,
# and its name in libhotspare_la_LIBADD (libhs/local.mk).
