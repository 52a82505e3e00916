# SPDX-License-Identifier: LGPL-2.1-or-later
# ckpt: the epoch state machine, where the layers meet.
noinst_LTLIBRARIES += libhsckpt.la
libhsckpt_la_SOURCES =
libhsckpt_la_SOURCES += libhs/ckpt/ack.c libhs/ckpt/ack.h
libhsckpt_la_SOURCES += libhs/ckpt/ckpt.c libhs/ckpt/ckpt.h
libhsckpt_la_SOURCES += libhs/ckpt/crew.c libhs/ckpt/crew.h
libhsckpt_la_SOURCES += libhs/ckpt/impl.h
libhsckpt_la_SOURCES += libhs/ckpt/cut.c libhs/ckpt/cut.h
libhsckpt_la_SOURCES += libhs/ckpt/drive.c libhs/ckpt/drive.h
libhsckpt_la_SOURCES += libhs/ckpt/extra.c libhs/ckpt/extra.h
libhsckpt_la_SOURCES += libhs/ckpt/ident.c libhs/ckpt/ident.h
libhsckpt_la_SOURCES += libhs/ckpt/link.c libhs/ckpt/link.h
libhsckpt_la_SOURCES += libhs/ckpt/pump.c libhs/ckpt/pump.h
libhsckpt_la_SOURCES += libhs/ckpt/seal.c libhs/ckpt/seal.h
libhsckpt_la_SOURCES += libhs/ckpt/send.c libhs/ckpt/send.h
libhsckpt_la_SOURCES += libhs/ckpt/start.c libhs/ckpt/start.h
libhsckpt_la_SOURCES += libhs/ckpt/worker.c libhs/ckpt/worker.h
