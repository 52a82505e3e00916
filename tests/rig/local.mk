# SPDX-License-Identifier: GPL-2.0-or-later
# The cluster in namespaces: scripts only, run by quickstart and bench.
EXTRA_DIST += \
	tests/rig/keeper \
	tests/rig/lib.sh \
	tests/rig/machine \
	tests/rig/machine-init \
	tests/rig/mounts.sh \
	tests/rig/node-init \
	tests/rig/outer \
	tests/rig/overlay/usr/sbin/fence_rig \
	tests/rig/rig \
	tests/rig/selftest.sh \
	tests/rig/startup.sh \
	tests/rig/stateful.cib

# The checking clients, and what is run with them.
noinst_PROGRAMS += tests/rig/client_counter tests/rig/client_play \
	tests/rig/client_tetris
tests_rig_client_counter_SOURCES = \
	tests/rig/client_check.c tests/rig/client_check.h \
	tests/rig/client_counter.c \
	tests/rig/client_load.c tests/rig/client_load.h \
	tests/rig/client_link.c tests/rig/client_link.h
tests_rig_client_play_SOURCES = \
	tests/rig/client_link.c tests/rig/client_link.h \
	tests/rig/client_play.c
tests_rig_client_tetris_SOURCES = \
	tests/rig/client_link.c tests/rig/client_link.h \
	tests/rig/client_tetris.c

# Who is in the group and should not be.
noinst_PROGRAMS += tests/rig/rogue
tests_rig_rogue_SOURCES = tests/rig/rogue.c
tests_rig_rogue_LDADD = libhsnet.la libhswire.la libhsbase.la

# A check that cannot fail is none: both are fed wrong answers.
dist_check_SCRIPTS += tests/rig/clients.test tests/rig/standalone.test
TESTS += tests/rig/clients.test tests/rig/standalone.test

EXTRA_DIST += tests/rig/demo.sh tests/rig/failover.sh tests/rig/restarts.sh tests/rig/service.cib \
	tests/rig/service.sh tests/rig/tap.sh
EXTRA_DIST += tests/rig/badinput.sh

# Services that check what came back, killed without a cluster.
svc_libs = libhsapi.la libhsckpt.la libhsnet.la libhsstate.la libhsmem.la \
	libhswire.la libhsbase.la
noinst_PROGRAMS += tests/rig/svc_code_fixed tests/rig/svc_code_pie
tests_rig_svc_code_fixed_SOURCES = tests/rig/svc_code.c \
	tests/rig/turns.c tests/rig/turns.h
tests_rig_svc_code_fixed_CFLAGS = $(AM_CFLAGS) -fno-pie
tests_rig_svc_code_fixed_LDFLAGS = $(AM_LDFLAGS) -Wc,-no-pie
tests_rig_svc_code_fixed_LDADD = $(svc_libs)
tests_rig_svc_code_pie_SOURCES = tests/rig/svc_code.c \
	tests/rig/turns.c tests/rig/turns.h
tests_rig_svc_code_pie_CFLAGS = $(AM_CFLAGS) -fPIE
tests_rig_svc_code_pie_LDFLAGS = $(AM_LDFLAGS) -Wc,-pie
tests_rig_svc_code_pie_LDADD = $(svc_libs)
noinst_PROGRAMS += tests/rig/svc_memory
tests_rig_svc_memory_SOURCES = tests/rig/svc_memory.c \
	tests/rig/turns.c tests/rig/turns.h
tests_rig_svc_memory_LDADD = $(svc_libs)
check_PROGRAMS += tests/rig/svc_state
tests_rig_svc_state_SOURCES = tests/rig/svc_state.c \
	tests/rig/state_anon.c tests/rig/state_anon.h \
	tests/rig/state_file.c tests/rig/state_file.h \
	tests/rig/state_inet.c tests/rig/state_inet.h \
	tests/rig/state_kind.h tests/rig/state_kinds.c \
	tests/rig/state_process.c tests/rig/state_process.h \
	tests/rig/state_unix.c tests/rig/state_unix.h \
	tests/rig/turns.c tests/rig/turns.h
tests_rig_svc_state_LDADD = $(svc_libs)
dist_check_SCRIPTS += tests/rig/state.test
TESTS += tests/rig/state.test
EXTRA_DIST += tests/rig/kills.sh tests/rig/revive.sh tests/rig/state.sh
noinst_PROGRAMS += tests/rig/svc_threads
tests_rig_svc_threads_SOURCES = tests/rig/svc_threads.c \
	tests/rig/turns.c tests/rig/turns.h
tests_rig_svc_threads_LDADD = $(svc_libs)
dist_check_SCRIPTS += tests/rig/threads.test
TESTS += tests/rig/threads.test
dist_check_SCRIPTS += tests/rig/code.test tests/rig/memory.test
TESTS += tests/rig/code.test tests/rig/memory.test
