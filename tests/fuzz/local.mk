# SPDX-License-Identifier: GPL-2.0-or-later
# libFuzzer targets, one a decoder; built by configure --enable-fuzzing.
# Seeds of tests/fuzz/fuzz_NAME live in tests/fuzz/corpus/NAME/.
FUZZERS =
if ENABLE_FUZZING
#FUZZERS += tests/fuzz/fuzz_snap
#tests_fuzz_fuzz_snap_SOURCES = tests/fuzz/fuzz_snap.c
#tests_fuzz_fuzz_snap_LDADD = libhswire.la libhsbase.la
#tests_fuzz_fuzz_snap_LDFLAGS = $(AM_LDFLAGS) $(HS_FUZZ_LDFLAGS)
endif
noinst_PROGRAMS += $(FUZZERS)

fuzzers: $(FUZZERS)
print-fuzzers:
	@echo $(FUZZERS)
.PHONY: fuzzers print-fuzzers
