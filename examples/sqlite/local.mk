# SPDX-License-Identifier: GPL-2.0-or-later
# SQLite's databases in checkpoint memory: the VFS as a loadable extension, and
# a small SQL server that is linked with it.
SQLITE_VFS = \
	examples/sqlite/api.h \
	examples/sqlite/gate.c examples/sqlite/gate.h \
	examples/sqlite/io.c examples/sqlite/io.h \
	examples/sqlite/lock.c examples/sqlite/lock.h \
	examples/sqlite/store.c examples/sqlite/store.h \
	examples/sqlite/vfs.c examples/sqlite/vfs.h

if HAVE_SQLITE
# $(libdir)/hotspare/hotspare.so; SQLite itself is whatever loads it.
pkglib_LTLIBRARIES += hotspare.la
hotspare_la_SOURCES = $(SQLITE_VFS) examples/sqlite/extension.c \
	examples/sqlite/preload.c examples/sqlite/preload.h
hotspare_la_CPPFLAGS = $(AM_CPPFLAGS) $(SQLITE_CFLAGS)
hotspare_la_LDFLAGS = $(AM_LDFLAGS) -module -avoid-version -shared
hotspare_la_LIBADD = libhotspare.la

examples_PROGRAMS += examples/sqlite/sqlited
examples_sqlite_sqlited_SOURCES = $(SQLITE_VFS) \
	examples/sqlite/session.c examples/sqlite/session.h \
	examples/sqlite/sqlited.c
examples_sqlite_sqlited_CPPFLAGS = $(AM_CPPFLAGS) $(SQLITE_CFLAGS) \
	-DSQLITE_CORE
examples_sqlite_sqlited_LDADD = libhotspare.la $(SQLITE_LIBS)

# What keeps it busy and checks its answers while it is killed.
noinst_PROGRAMS += tests/rig/client_sqlite
tests_rig_client_sqlite_SOURCES = \
	tests/rig/client_link.c tests/rig/client_link.h \
	tests/rig/client_load.c tests/rig/client_load.h \
	tests/rig/client_sqlite.c
noinst_PROGRAMS += tests/rig/sqlite_order
tests_rig_sqlite_order_SOURCES = $(SQLITE_VFS) tests/rig/sqlite_order.c
tests_rig_sqlite_order_CPPFLAGS = $(AM_CPPFLAGS) $(SQLITE_CFLAGS) \
	-DSQLITE_CORE
tests_rig_sqlite_order_LDADD = libhotspare.la $(SQLITE_LIBS)
TESTS += tests/rig/sqlite.test tests/rig/sqlite-shell.test

if HAVE_CUNIT
check_PROGRAMS += tests/unit/unit_sqlite
TESTS += tests/unit/unit_sqlite
tests_unit_unit_sqlite_SOURCES = tests/unit/main.c tests/unit/suite.h \
	$(SQLITE_VFS) \
	tests/unit/sqlite_tools.c tests/unit/sqlite_tools.h \
	tests/unit/test_sqlite_commit.c \
	tests/unit/test_sqlite_store.c \
	tests/unit/test_sqlite_vfs.c
tests_unit_unit_sqlite_CPPFLAGS = $(AM_CPPFLAGS) $(CUNIT_CFLAGS) \
	$(SQLITE_CFLAGS) -DSQLITE_CORE
tests_unit_unit_sqlite_LDFLAGS = $(AM_LDFLAGS) \
	-Wl,--wrap=hscalloc,--wrap=hsrealloc,--wrap=hsmemalign \
	-Wl,--wrap=hscpt,--wrap=store_write \
	-Wl,--wrap=store_resize,--wrap=store_unname
tests_unit_unit_sqlite_LDADD = libhotspare.la $(CUNIT_LIBS) $(SQLITE_LIBS)
endif
endif
dist_check_SCRIPTS += tests/rig/sqlite.test tests/rig/sqlite-shell.test
EXTRA_DIST += tests/rig/sqlite.sh
