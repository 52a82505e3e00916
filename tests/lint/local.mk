# SPDX-License-Identifier: GPL-2.0-or-later
# Checks of the source and of what was compiled.  Each reads $top_srcdir and
# $top_builddir, also when run by hand.
LINTS = tests/lint/layers tests/lint/prefixes tests/lint/globals \
	tests/lint/exports tests/lint/sizes tests/lint/spdx tests/lint/format \
	tests/lint/shell tests/lint/golden tests/lint/forbidden \
	tests/lint/selftest
TESTS += $(LINTS)
EXTRA_DIST += $(LINTS) tests/lint/lib.sh tests/lint/objects.sh \
	tests/lint/globals.allow tests/lint/golden.sha256

lint:
	$(MAKE) $(AM_MAKEFLAGS) check TESTS='$(LINTS)'
format:
	cd $(top_srcdir) && tests/lint/format --fix
# Not part of `make check': it takes as long as a build.  The programs have
# one thread; the library does not know how many its host has.
TIDY_CFLAGS = -std=gnu11 -D_GNU_SOURCE -I$(abs_top_builddir) -I. -Ilibhs \
	-I$(abs_top_builddir)/include $(QB_CFLAGS) $(JSONC_CFLAGS)
tidy:
	cd $(top_srcdir) && status=0; \
	find libhs -name '*.c' | xargs -P 2 -n 4 \
	    sh -c 'clang-tidy --quiet "$$@" -- $(TIDY_CFLAGS)' tidy || \
	    status=1; \
	find agent examples -name '*.c' | xargs -P 2 -n 4 \
	    sh -c 'clang-tidy --quiet --checks=-concurrency-mt-unsafe "$$@" \
	    -- $(TIDY_CFLAGS)' tidy || status=1; \
	exit $$status
.PHONY: lint format tidy
