# SPDX-License-Identifier: GPL-2.0-or-later
# CUnit programs, one a layer; tests/unit/main.c tells how to add a suite.
# A layer's program links what that layer may use and nothing else.
if HAVE_CUNIT
UNIT_MAIN = tests/unit/main.c tests/unit/suite.h

UNIT_BASE = \
	tests/unit/test_base_crc32c.c \
	tests/unit/test_base_cursor.c \
	tests/unit/test_base_digest.c \
	tests/unit/test_base_err.c \
	tests/unit/test_base_fault.c \
	tests/unit/test_base_fdhigh.c \
	tests/unit/test_base_sock.c
check_PROGRAMS += tests/unit/unit_base
TESTS += tests/unit/unit_base
tests_unit_unit_base_SOURCES = $(UNIT_MAIN) $(UNIT_BASE)
tests_unit_unit_base_CPPFLAGS = $(AM_CPPFLAGS) $(CUNIT_CFLAGS) $(XXHASH_CFLAGS)
tests_unit_unit_base_LDADD = libhsbase.la $(CUNIT_LIBS)

UNIT_WIRE = \
	tests/unit/test_wire_delta.c \
	tests/unit/test_wire_golden.c \
	tests/unit/test_wire_msg.c \
	tests/unit/test_wire_rec.c
check_PROGRAMS += tests/unit/unit_wire
TESTS += tests/unit/unit_wire
tests_unit_unit_wire_SOURCES = $(UNIT_MAIN) $(UNIT_WIRE) \
	tests/unit/golden.c tests/unit/golden.h \
	tests/fuzz/roundtrip.c tests/fuzz/roundtrip.h
tests_unit_unit_wire_CPPFLAGS = $(AM_CPPFLAGS) $(CUNIT_CFLAGS) \
	-DHS_GOLDEN_DIR='"$(abs_top_srcdir)/tests/golden"' \
	-DHS_FORMAT_DIR='"$(abs_top_srcdir)/docs/format"'
tests_unit_unit_wire_LDADD = libhswire.la libhsbase.la $(CUNIT_LIBS)

UNIT_MEM = \
	tests/unit/test_mem_arena.c \
	tests/unit/test_mem_pageset.c \
	tests/unit/test_mem_twin.c
check_PROGRAMS += tests/unit/unit_mem
TESTS += tests/unit/unit_mem
tests_unit_unit_mem_SOURCES = $(UNIT_MAIN) $(UNIT_MEM)
tests_unit_unit_mem_CPPFLAGS = $(AM_CPPFLAGS) $(CUNIT_CFLAGS)
tests_unit_unit_mem_LDADD = libhsmem.la libhsbase.la $(CUNIT_LIBS)

UNIT_STATE = \
	tests/unit/state_store.c tests/unit/state_store.h \
	tests/unit/test_state_clock.c \
	tests/unit/state_tools.c tests/unit/state_tools.h \
	tests/unit/test_state_fd_app.c \
	tests/unit/test_state_fd_file.c \
	tests/unit/test_state_fd_event.c \
	tests/unit/test_state_fd_pipe.c \
	tests/unit/test_state_fd_refuse.c tests/forbid.h \
	tests/unit/test_state_fd_signal.c \
	tests/unit/test_state_fd_tcp.c \
	tests/unit/test_state_fd_timer.c \
	tests/unit/test_state_fd_udp.c \
	tests/unit/test_state_fd_epoll.c \
	tests/unit/test_state_fd_inotify.c \
	tests/unit/test_state_fd_unix.c \
	tests/unit/test_state_code.c \
	tests/unit/test_state_golden.c \
	tests/unit/test_state_memreg.c \
	tests/unit/test_state_park.c \
	tests/unit/test_state_shadow.c \
	tests/unit/test_state_context.c \
	tests/unit/test_state_signal.c \
	tests/unit/test_state_store.c
check_PROGRAMS += tests/unit/unit_state
TESTS += tests/unit/unit_state
tests_unit_unit_state_SOURCES = $(UNIT_MAIN) $(UNIT_STATE)
tests_unit_unit_state_CPPFLAGS = $(AM_CPPFLAGS) $(CUNIT_CFLAGS) \
	-DHS_PLUGIN_DIR='"$(abs_top_builddir)/.libs"' \
	-DHS_GOLDEN_DIR='"$(abs_top_srcdir)/tests/golden"'
# What dlopen() is to load: -rpath is what makes libtool link it shared.
check_LTLIBRARIES += code_id.la code_noid.la
code_id_la_SOURCES = tests/unit/code_plugin.c
code_id_la_CFLAGS = $(AM_CFLAGS) -fvisibility=default
code_id_la_LDFLAGS = $(AM_LDFLAGS) -module -avoid-version -rpath /nowhere
code_noid_la_SOURCES = tests/unit/code_plugin.c
code_noid_la_CFLAGS = $(AM_CFLAGS) -fvisibility=default
code_noid_la_LDFLAGS = $(AM_LDFLAGS) -module -avoid-version -rpath /nowhere \
	-Wl,--build-id=none
tests_unit_unit_state_LDADD = libhsstate.la libhsbase.la $(CUNIT_LIBS)

UNIT_NET = \
	tests/unit/test_net_unix.c
check_PROGRAMS += tests/unit/unit_net
TESTS += tests/unit/unit_net
tests_unit_unit_net_SOURCES = $(UNIT_MAIN) $(UNIT_NET)
tests_unit_unit_net_CPPFLAGS = $(AM_CPPFLAGS) $(CUNIT_CFLAGS)
tests_unit_unit_net_LDADD = libhsnet.la libhsbase.la $(CUNIT_LIBS)

UNIT_CKPT = \
	tests/unit/test_ckpt_peer.c tests/unit/test_ckpt_peer.h \
	tests/unit/test_ckpt_ack.c \
	tests/unit/test_ckpt_crew.c \
	tests/unit/test_ckpt_cut.c \
	tests/unit/test_ckpt_fault.c \
	tests/unit/threads.c tests/unit/threads.h \
	tests/unit/test_ckpt_levels.c \
	tests/unit/test_ckpt_start.c \
	tests/unit/test_ckpt_stream.c
check_PROGRAMS += tests/unit/unit_ckpt
TESTS += tests/unit/unit_ckpt
tests_unit_unit_ckpt_SOURCES = $(UNIT_MAIN) $(UNIT_CKPT)
tests_unit_unit_ckpt_CPPFLAGS = $(AM_CPPFLAGS) $(CUNIT_CFLAGS)
tests_unit_unit_ckpt_LDADD = libhsckpt.la libhsnet.la libhsstate.la \
	libhsmem.la libhswire.la libhsbase.la $(CUNIT_LIBS)

UNIT_API = \
	tests/unit/api_life.c tests/unit/api_life.h \
	tests/unit/api_notes.c tests/unit/api_notes.h \
	tests/unit/api_says.h \
	tests/unit/test_ckpt_peer.c tests/unit/test_ckpt_peer.h \
	tests/unit/test_api_calls.c \
	tests/unit/test_api_clock.c \
	tests/unit/test_api_code.c \
	tests/unit/test_api_memreg.c \
	tests/unit/test_api_lock.c \
	tests/unit/test_api_process.c \
	tests/unit/test_api_refuse.c \
	tests/unit/test_api_restore.c \
	tests/unit/test_api_signal.c \
	tests/unit/test_api_thread.c \
	tests/unit/test_api_timer.c \
	tests/unit/threads.c tests/unit/threads.h
check_PROGRAMS += tests/unit/unit_api
TESTS += tests/unit/unit_api
tests_unit_unit_api_SOURCES = $(UNIT_MAIN) $(UNIT_API)
tests_unit_unit_api_CPPFLAGS = $(AM_CPPFLAGS) $(CUNIT_CFLAGS)
tests_unit_unit_api_LDADD = libhsapi.la libhsckpt.la libhsnet.la libhsstate.la \
	libhsmem.la libhswire.la libhsbase.la $(CUNIT_LIBS)
endif
