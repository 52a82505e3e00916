# SPDX-License-Identifier: GPL-2.0-or-later
# ocf:hotspare:service
hotspareocfdir = $(ocfdir)/hotspare
dist_hotspareocf_SCRIPTS = ocf/service

OCF_TESTS = tests/ocf/metadata.test tests/ocf/refuse.test
TESTS += $(OCF_TESTS)
EXTRA_DIST += $(OCF_TESTS) tests/ocf/lib.sh tests/rig/ocf.sh
