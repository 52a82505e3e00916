# SPDX-License-Identifier: GPL-2.0-or-later
# All that is read.  dist_man_MANS installs by suffix.
EXTRA_DIST += README.md \
	docs/ADAPTING.md \
	docs/ARCHITECTURE.md \
	docs/BENCHMARKS.md \
	docs/KERNEL.md \
	docs/OPERATING.md \
	docs/SQLITE.md \
	docs/adr/0001-autotools-one-makefile.md \
	docs/adr/0002-libhs-multicasts.md \
	docs/adr/0003-when-held-waits.md \
	docs/adr/0004-restore-by-mapping.md \
	docs/adr/0005-attributes-wait.md \
	docs/adr/0006-images-in-memory.md \
	docs/adr/0007-small-pages-armed-late.md \
	docs/adr/0008-a-role-begins-with-plain-answers.md \
	docs/adr/0009-additional-state-is-memory.md \
	docs/adr/0010-shadows-of-memory.md \
	docs/adr/0011-datagrams-come-back-through-the-loopback.md \
	docs/adr/0012-safepoints.md \
	docs/adr/0013-time-in-a-takeover.md \
	docs/adr/0014-memory-of-the-device.md \
	docs/adr/0015-the-modules-own-pages.md \
	docs/adr/0016-memory-outlives-its-process.md \
	docs/adr/0017-local-restarts.md \
	docs/format/message.md \
	docs/format/records.md \
	docs/format/state.md \
	docs/format/term.md

dist_man_MANS += docs/man/hs-agent.8
dist_man_MANS += docs/man/hsctl.8
dist_man_MANS += docs/man/ocf_hotspare_service.7
dist_man_MANS += docs/man/hotspare_sqlite.7

# The calls of hs.h; pages of one line lead to that of their family.
dist_man_MANS += docs/man/hsblock.3
dist_man_MANS += docs/man/hscalloc.3
dist_man_MANS += docs/man/hsclock.3
dist_man_MANS += docs/man/hsclockgap.3
dist_man_MANS += docs/man/hsclockms.3
dist_man_MANS += docs/man/hsclockts.3
dist_man_MANS += docs/man/hscodeptr.3
dist_man_MANS += docs/man/hscoderef.3
dist_man_MANS += docs/man/hscondbroadcast.3
dist_man_MANS += docs/man/hscondsignal.3
dist_man_MANS += docs/man/hscondtimedwait.3
dist_man_MANS += docs/man/hscondwait.3
dist_man_MANS += docs/man/hscpt.3
dist_man_MANS += docs/man/hsctxreg.3
dist_man_MANS += docs/man/hsenter.3
dist_man_MANS += docs/man/hseventfd.3
dist_man_MANS += docs/man/hsfdkind.3
dist_man_MANS += docs/man/hsfdreg.3
dist_man_MANS += docs/man/hsfdunreg.3
dist_man_MANS += docs/man/hsfdwatch.3
dist_man_MANS += docs/man/hsfind.3
dist_man_MANS += docs/man/hsfini.3
dist_man_MANS += docs/man/hsfree.3
dist_man_MANS += docs/man/hshook.3
dist_man_MANS += docs/man/hsinit.3
dist_man_MANS += docs/man/hsitimerreg.3
dist_man_MANS += docs/man/hsitimerunreg.3
dist_man_MANS += docs/man/hsleave.3
dist_man_MANS += docs/man/hsmalloc.3
dist_man_MANS += docs/man/hsmemalign.3
dist_man_MANS += docs/man/hsmemquery.3
dist_man_MANS += docs/man/hsmemreg.3
dist_man_MANS += docs/man/hsmemunreg.3
dist_man_MANS += docs/man/hsmessage.3
dist_man_MANS += docs/man/hsmutexlock.3
dist_man_MANS += docs/man/hsmutextrylock.3
dist_man_MANS += docs/man/hsmutexunlock.3
dist_man_MANS += docs/man/hsping.3
dist_man_MANS += docs/man/hsrealloc.3
dist_man_MANS += docs/man/hsroot.3
dist_man_MANS += docs/man/hsrwlockrdlock.3
dist_man_MANS += docs/man/hsrwlocktryrdlock.3
dist_man_MANS += docs/man/hsrwlocktrywrlock.3
dist_man_MANS += docs/man/hsrwlockunlock.3
dist_man_MANS += docs/man/hsrwlockwrlock.3
dist_man_MANS += docs/man/hssafepoint.3
dist_man_MANS += docs/man/hssigreg.3
dist_man_MANS += docs/man/hssigunreg.3
dist_man_MANS += docs/man/hsstatus.3
dist_man_MANS += docs/man/hsstrerror.3
dist_man_MANS += docs/man/hsthreadreg.3
dist_man_MANS += docs/man/hsthreadstart.3
dist_man_MANS += docs/man/hsthreadtimeout.3
dist_man_MANS += docs/man/hsthreadunreg.3
dist_man_MANS += docs/man/hstimerreg.3
dist_man_MANS += docs/man/hstimerunreg.3
dist_man_MANS += docs/man/hsunblock.3
dist_man_MANS += docs/man/hsunhook.3
dist_man_MANS += docs/man/hsusable.3
dist_man_MANS += docs/man/hsversion.3
dist_man_MANS += docs/man/hswait.3
