# SPDX-License-Identifier: GPL-2.0-or-later
# Man pages (dist_man_MANS installs by suffix) and what else is read.
#dist_man_MANS += docs/man/hs-agent.8 docs/man/hsmalloc.3
#EXTRA_DIST += docs/ARCHITECTURE.md
