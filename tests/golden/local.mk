# SPDX-License-Identifier: GPL-2.0-or-later
# Bytes that a released reader must go on reading.  Never edited, only added
# to: tests/lint/golden keeps their digests.  `make golden' writes the files of
# new cases (tests/unit/golden.c, test_state_golden.c); name them here.
# The examples in docs/format are compared with the files.
EXTRA_DIST += \
	tests/golden/ack.bin \
	tests/golden/bad-after-end.bin \
	tests/golden/bad-arena-base.bin \
	tests/golden/bad-arena-bytes.bin \
	tests/golden/bad-arena-large.bin \
	tests/golden/bad-arena-wrap.bin \
	tests/golden/bad-begin-flags.bin \
	tests/golden/bad-begin-full-base.bin \
	tests/golden/bad-begin-late.bin \
	tests/golden/bad-begin-missing.bin \
	tests/golden/bad-begin-reserved.bin \
	tests/golden/bad-begin-twice.bin \
	tests/golden/bad-body-empty.bin \
	tests/golden/bad-body-long.bin \
	tests/golden/bad-body-short.bin \
	tests/golden/bad-crc-head.bin \
	tests/golden/bad-crc.bin \
	tests/golden/bad-cut-head.bin \
	tests/golden/bad-delta-in-full.bin \
	tests/golden/bad-delta-in-image.bin \
	tests/golden/bad-end-early.bin \
	tests/golden/bad-end-missing.bin \
	tests/golden/bad-end-reserved.bin \
	tests/golden/bad-flag-of-other-type.bin \
	tests/golden/bad-flag-unknown.bin \
	tests/golden/bad-go-restored.bin \
	tests/golden/bad-go-transport.bin \
	tests/golden/bad-keep-character.bin \
	tests/golden/bad-keep-long.bin \
	tests/golden/bad-keep-none.bin \
	tests/golden/bad-kind-high.bin \
	tests/golden/bad-kind-zero.bin \
	tests/golden/bad-len.bin \
	tests/golden/bad-magic.bin \
	tests/golden/bad-nchunk.bin \
	tests/golden/bad-npage.bin \
	tests/golden/bad-page-again.bin \
	tests/golden/bad-page-beyond.bin \
	tests/golden/bad-page-bytes.bin \
	tests/golden/bad-page-descends.bin \
	tests/golden/bad-page-short.bin \
	tests/golden/bad-policy-full.bin \
	tests/golden/bad-policy-protection.bin \
	tests/golden/bad-run-beyond.bin \
	tests/golden/bad-run-descends.bin \
	tests/golden/bad-run-empty.bin \
	tests/golden/bad-run-many.bin \
	tests/golden/bad-run-none.bin \
	tests/golden/bad-run-touches.bin \
	tests/golden/bad-state-kind.bin \
	tests/golden/bad-state-quorate.bin \
	tests/golden/bad-term-fresh.bin \
	tests/golden/bad-text-control.bin \
	tests/golden/bad-text-tail.bin \
	tests/golden/bad-text-unended.bin \
	tests/golden/bad-type-gap.bin \
	tests/golden/bad-type-high.bin \
	tests/golden/bad-type-zero.bin \
	tests/golden/bad-used-bytes.bin \
	tests/golden/bad-version.bin \
	tests/golden/bad-zero-beyond.bin \
	tests/golden/bad-zero-count.bin \
	tests/golden/delta.bin \
	tests/golden/failed.bin \
	tests/golden/first.bin \
	tests/golden/full.bin \
	tests/golden/go.bin \
	tests/golden/hello.bin \
	tests/golden/image.bin \
	tests/golden/leave.bin \
	tests/golden/need.bin \
	tests/golden/note.bin \
	tests/golden/ping.bin \
	tests/golden/policy.bin \
	tests/golden/progress.bin \
	tests/golden/running.bin \
	tests/golden/second.bin \
	tests/golden/state.bin \
	tests/golden/state/clock.bin \
	tests/golden/state/context.bin \
	tests/golden/state/descriptors.bin \
	tests/golden/state/memory.bin \
	tests/golden/state/signals.bin \
	tests/golden/state/sockets.bin \
	tests/golden/state/threads.bin \
	tests/golden/state/timers.bin \
	tests/golden/stats.bin \
	tests/golden/term.bin

EXTRA_PROGRAMS = tests/golden/make-golden
CLEANFILES += tests/golden/make-golden$(EXEEXT)
tests_golden_make_golden_SOURCES = tests/golden/make.c tests/unit/golden.c \
	tests/unit/golden.h
tests_golden_make_golden_LDADD = libhswire.la libhsbase.la

golden: tests/golden/make-golden$(EXEEXT)
	tests/golden/make-golden $(srcdir)/tests/golden
if HAVE_CUNIT
	$(MAKE) $(AM_MAKEFLAGS) tests/unit/unit_state$(EXEEXT)
	HS_GOLDEN_ADD=$(abs_srcdir)/tests/golden/state \
		tests/unit/unit_state state_golden
endif
.PHONY: golden
