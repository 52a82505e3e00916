# SPDX-License-Identifier: GPL-2.0-or-later
# hs-agent (one a resource and node) and hsctl.
# A convenience library of its own lets tests/unit link the agent's parts:
#noinst_LTLIBRARIES += libhsagent.la
#libhsagent_la_SOURCES = agent/image.c agent/image.h
#sbin_PROGRAMS += agent/hs-agent agent/hsctl/hsctl
#agent_hs_agent_SOURCES = agent/main.c
#agent_hs_agent_CPPFLAGS = $(AM_CPPFLAGS) $(QB_CFLAGS) $(QUORUM_CFLAGS) \
#	$(JSONC_CFLAGS)
#agent_hs_agent_LDADD = libhsagent.la libhswire.la libhsnet.la libhsbase.la \
#	$(QB_LIBS) $(QUORUM_LIBS) $(JSONC_LIBS) $(XXHASH_LIBS)
# Installed as plain names: automake drops the directory.
