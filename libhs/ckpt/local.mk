# SPDX-License-Identifier: LGPL-2.1-or-later
# ckpt: the epoch state machine, where the layers meet.
noinst_LTLIBRARIES += libhsckpt.la
libhsckpt_la_SOURCES =
# One line a file, headers too (that is what puts them in the tarball):
#libhsckpt_la_SOURCES += libhs/ckpt/NAME.c libhs/ckpt/NAME.h
