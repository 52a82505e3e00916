# SPDX-License-Identifier: GPL-2.0-or-later
# hs-agent (one a resource and node) and hsctl.
# A convenience library of its own lets tests/unit link the agent's parts.
noinst_LTLIBRARIES += libhsagent.la
libhsagent_la_SOURCES = \
	agent/catchup.c agent/child.c agent/follow.c agent/group.c \
	agent/node.c agent/node.h agent/serve.c agent/tenure.c \
	agent/status.c \
	agent/command.c agent/command.h \
	agent/image.c agent/image.h \
	agent/intake.c agent/intake.h \
	agent/keep.c agent/keep.h \
	agent/peer.c agent/peer.h \
	agent/service.c agent/service.h \
	agent/sync.c agent/sync.h \
	agent/cluster.c agent/cluster.h \
	agent/ctl.c agent/ctl.h \
	agent/fence.c agent/fence.h \
	agent/log.c agent/log.h \
	agent/quorum.c agent/quorum.h \
	agent/restart.c agent/restart.h \
	agent/term.c agent/term.h \
	agent/tool.c agent/tool.h
libhsagent_la_CPPFLAGS = $(AM_CPPFLAGS) $(QB_CFLAGS) $(QUORUM_CFLAGS) \
	$(JSONC_CFLAGS)
libhsagent_la_LIBADD = $(QB_LIBS) $(QUORUM_LIBS) $(JSONC_LIBS)

sbin_PROGRAMS += agent/hsctl/hsctl
agent_hsctl_hsctl_SOURCES = agent/hsctl/hsctl.c \
	agent/hsctl/ask.c agent/hsctl/ask.h \
	agent/hsctl/end.c agent/hsctl/end.h \
	agent/hsctl/fenced.c agent/hsctl/fenced.h \
	agent/hsctl/page.c agent/hsctl/page.h \
	agent/hsctl/pids.c agent/hsctl/pids.h
agent_hsctl_hsctl_CPPFLAGS = $(libhsagent_la_CPPFLAGS)
agent_hsctl_hsctl_LDADD = libhsagent.la libhsbase.la

# Installed as plain names: automake drops the directory.
sbin_PROGRAMS += agent/hs-agent
agent_hs_agent_SOURCES = agent/main.c
agent_hs_agent_CPPFLAGS = $(libhsagent_la_CPPFLAGS)
agent_hs_agent_LDADD = libhsagent.la libhswire.la libhsnet.la libhsbase.la \
	$(XXHASH_LIBS)

if HAVE_CUNIT
agent_units = tests/unit/test_agent_cluster tests/unit/test_agent_ctl \
	tests/unit/test_agent_fence tests/unit/test_agent_page \
	tests/unit/test_agent_pids tests/unit/test_agent_term \
	tests/unit/unit_agent
check_PROGRAMS += $(agent_units)
TESTS += $(agent_units)
agent_unit_cppflags = $(libhsagent_la_CPPFLAGS) $(CUNIT_CFLAGS)
agent_unit_ldadd = libhsagent.la libhsbase.la $(CUNIT_LIBS)
# Images, epochs, peers and processes: all that needs no cluster.
tests_unit_unit_agent_SOURCES = $(UNIT_MAIN) \
	tests/unit/agent_chunks.c tests/unit/agent_chunks.h \
	tests/unit/agent_rig.c tests/unit/agent_rig.h \
	tests/unit/test_agent_catchup.c \
	tests/unit/test_agent_follow.c \
	tests/unit/test_agent_image.c \
	tests/unit/test_agent_intake.c \
	tests/unit/test_agent_keep.c \
	tests/unit/test_agent_peer.c \
	tests/unit/test_agent_restart.c \
	tests/unit/test_agent_service.c \
	tests/unit/test_agent_sync.c
tests_unit_unit_agent_CPPFLAGS = $(agent_unit_cppflags)
tests_unit_unit_agent_LDADD = libhsagent.la libhsnet.la libhswire.la \
	libhsbase.la $(CUNIT_LIBS)
tests_unit_test_agent_cluster_SOURCES = $(UNIT_MAIN) \
	tests/unit/test_agent_cluster.c \
	tests/unit/agent_tools.h
tests_unit_test_agent_cluster_CPPFLAGS = $(agent_unit_cppflags)
tests_unit_test_agent_cluster_LDADD = $(agent_unit_ldadd)
tests_unit_test_agent_ctl_SOURCES = $(UNIT_MAIN) \
	tests/unit/test_agent_ctl.c
tests_unit_test_agent_ctl_CPPFLAGS = $(agent_unit_cppflags)
tests_unit_test_agent_ctl_LDADD = $(agent_unit_ldadd)
tests_unit_test_agent_fence_SOURCES = $(UNIT_MAIN) \
	tests/unit/test_agent_fence.c \
	tests/unit/agent_tools.h
tests_unit_test_agent_fence_CPPFLAGS = $(agent_unit_cppflags)
tests_unit_test_agent_fence_LDADD = $(agent_unit_ldadd)
tests_unit_test_agent_page_SOURCES = $(UNIT_MAIN) \
	tests/unit/test_agent_page.c \
	agent/hsctl/page.c agent/hsctl/page.h
tests_unit_test_agent_page_CPPFLAGS = $(agent_unit_cppflags)
tests_unit_test_agent_page_LDADD = $(JSONC_LIBS) $(CUNIT_LIBS)
tests_unit_test_agent_pids_SOURCES = $(UNIT_MAIN) \
	tests/unit/test_agent_pids.c \
	agent/hsctl/pids.c agent/hsctl/pids.h
tests_unit_test_agent_pids_CPPFLAGS = $(agent_unit_cppflags)
tests_unit_test_agent_pids_LDADD = libhsbase.la $(CUNIT_LIBS)
tests_unit_test_agent_term_SOURCES = $(UNIT_MAIN) \
	tests/unit/test_agent_term.c
tests_unit_test_agent_term_CPPFLAGS = $(agent_unit_cppflags)
tests_unit_test_agent_term_LDADD = $(agent_unit_ldadd)
endif
