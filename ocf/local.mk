# SPDX-License-Identifier: GPL-2.0-or-later
# ocf:hotspare:service
hotspareocfdir = $(ocfdir)/hotspare
dist_hotspareocf_SCRIPTS =
#dist_hotspareocf_SCRIPTS += ocf/service
