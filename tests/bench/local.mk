# SPDX-License-Identifier: GPL-2.0-or-later
# `make bench': figures beside the floor they are held to.  BENCH="pause held"
# chooses; tests/bench/run tells what there is.
EXTRA_PROGRAMS += tests/bench/service tests/bench/lag tests/bench/probe
CLEANFILES += tests/bench/service tests/bench/lag tests/bench/probe
BENCH_NAMES = service lag probe $(BENCH_SQLITE)
BENCH_COMMON = tests/bench/bench.c tests/bench/bench.h

tests_bench_service_SOURCES = $(BENCH_COMMON) \
	tests/bench/answer.c \
	tests/bench/bytes.c \
	tests/bench/cost.c \
	tests/bench/floor.c tests/bench/floor.h \
	tests/bench/memreg.c \
	tests/bench/modes.h \
	tests/bench/pause.c \
	tests/bench/picks.c tests/bench/picks.h \
	tests/bench/restore.c \
	tests/bench/safepoint.c \
	tests/bench/service.c
tests_bench_service_LDADD = libhotspare.la

tests_bench_lag_SOURCES = $(BENCH_COMMON) \
	tests/bench/lag.c \
	tests/bench/ring.c tests/bench/ring.h
tests_bench_lag_CPPFLAGS = $(AM_CPPFLAGS) $(CPG_CFLAGS)
tests_bench_lag_LDADD = libhotspare.la $(CPG_LIBS)

tests_bench_probe_SOURCES = $(BENCH_COMMON) tests/bench/probe.c
tests_bench_probe_LDADD = libhotspare.la

if HAVE_SQLITE
BENCH_SQLITE = sqlite
EXTRA_PROGRAMS += tests/bench/sqlite
CLEANFILES += tests/bench/sqlite
tests_bench_sqlite_SOURCES = $(BENCH_COMMON) $(SQLITE_VFS) \
	tests/bench/sqlite.c
tests_bench_sqlite_CPPFLAGS = $(AM_CPPFLAGS) $(SQLITE_CFLAGS) -DSQLITE_CORE
tests_bench_sqlite_LDADD = libhotspare.la $(SQLITE_LIBS)
endif

BENCH_FILES = tests/bench/bench.cib tests/bench/cluster tests/bench/plot.gp \
	tests/bench/report tests/bench/run tests/bench/sqlite-cluster
EXTRA_DIST += $(BENCH_FILES)

# A tree as it would be installed, with the measured service in it.
bench: all
	for p in $(BENCH_NAMES); do \
		$(MAKE) $(AM_MAKEFLAGS) tests/bench/$$p || exit 1; \
	done
	$(MAKE) $(AM_MAKEFLAGS) install \
	    DESTDIR='$(abs_top_builddir)/bench/root' >/dev/null
	$(MKDIR_P) '$(abs_top_builddir)/bench/root$(libexecdir)/hotspare'
	for p in $(BENCH_NAMES); do \
		$(LIBTOOL) --silent --mode=install $(INSTALL) \
		    tests/bench/$$p '$(abs_top_builddir)/bench/root$(libexecdir)/hotspare/bench-'$$p \
		    2>/dev/null || exit 1; \
	done
	HS_BENCH_ROOT='$(abs_top_builddir)/bench/root' \
	HS_BENCH_SBIN='$(sbindir)' HS_BENCH_LIB='$(libdir)' \
	HS_BENCH_LIBEXEC='$(libexecdir)/hotspare' \
	HS_BENCH_OUT='$(abs_top_builddir)' \
	    '$(abs_top_srcdir)/tests/bench/run' $(BENCH)
.PHONY: bench
