# SPDX-License-Identifier: GPL-2.0-or-later
# Man pages (dist_man_MANS installs by suffix) and what else is read.
#dist_man_MANS += docs/man/hs-agent.8 docs/man/hsmalloc.3
#EXTRA_DIST += docs/ARCHITECTURE.md

# The calls of hs.h; pages of one line lead to that of their family.
dist_man_MANS += docs/man/hscalloc.3
dist_man_MANS += docs/man/hscpt.3
dist_man_MANS += docs/man/hseventfd.3
dist_man_MANS += docs/man/hsfind.3
dist_man_MANS += docs/man/hsfini.3
dist_man_MANS += docs/man/hsfree.3
dist_man_MANS += docs/man/hsinit.3
dist_man_MANS += docs/man/hsmalloc.3
dist_man_MANS += docs/man/hsmemalign.3
dist_man_MANS += docs/man/hsmessage.3
dist_man_MANS += docs/man/hsping.3
dist_man_MANS += docs/man/hsrealloc.3
dist_man_MANS += docs/man/hsroot.3
dist_man_MANS += docs/man/hsstatus.3
dist_man_MANS += docs/man/hsstrerror.3
dist_man_MANS += docs/man/hsusable.3
dist_man_MANS += docs/man/hsversion.3
dist_man_MANS += docs/man/hswait.3
