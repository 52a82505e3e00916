# SPDX-License-Identifier: GPL-2.0-or-later
# libFuzzer targets, one a decoder; built by configure --enable-fuzzing and run
# by tests/fuzz/run.  The golden files are the seeds.
EXTRA_DIST += tests/fuzz/run
FUZZERS =
if ENABLE_FUZZING
FUZZERS += tests/fuzz/fuzz_msg
tests_fuzz_fuzz_msg_SOURCES = tests/fuzz/fuzz_msg.c tests/fuzz/roundtrip.c \
	tests/fuzz/roundtrip.h
tests_fuzz_fuzz_msg_LDADD = libhswire.la libhsbase.la
tests_fuzz_fuzz_msg_LDFLAGS = $(AM_LDFLAGS) $(HS_FUZZ_LDFLAGS)

FUZZERS += tests/fuzz/fuzz_rec
tests_fuzz_fuzz_rec_SOURCES = tests/fuzz/fuzz_rec.c
tests_fuzz_fuzz_rec_LDADD = libhswire.la libhsbase.la
tests_fuzz_fuzz_rec_LDFLAGS = $(AM_LDFLAGS) $(HS_FUZZ_LDFLAGS)

FUZZERS += tests/fuzz/fuzz_delta
tests_fuzz_fuzz_delta_SOURCES = tests/fuzz/fuzz_delta.c
tests_fuzz_fuzz_delta_LDADD = libhswire.la libhsbase.la
tests_fuzz_fuzz_delta_LDFLAGS = $(AM_LDFLAGS) $(HS_FUZZ_LDFLAGS)

FUZZERS += tests/fuzz/fuzz_fd
tests_fuzz_fuzz_fd_SOURCES = tests/fuzz/fuzz_fd.c
tests_fuzz_fuzz_fd_LDADD = libhsstate.la libhsbase.la
tests_fuzz_fuzz_fd_LDFLAGS = $(AM_LDFLAGS) $(HS_FUZZ_LDFLAGS)

FUZZERS += tests/fuzz/fuzz_fdset
tests_fuzz_fuzz_fdset_SOURCES = tests/fuzz/fuzz_fdset.c
tests_fuzz_fuzz_fdset_LDADD = libhsstate.la libhsbase.la
tests_fuzz_fuzz_fdset_LDFLAGS = $(AM_LDFLAGS) $(HS_FUZZ_LDFLAGS)
endif
noinst_PROGRAMS += $(FUZZERS)

fuzzers: $(FUZZERS)
print-fuzzers:
	@echo $(FUZZERS)
.PHONY: fuzzers print-fuzzers
