# SPDX-License-Identifier: GPL-2.0-or-later
# The kernel module in virtual machines: nothing of it is part of `make check'.
# The programs run in guests that have busybox and no library.
vm_guests = tests/vm/tap_calls tests/vm/tap_fuzz tests/vm/tap_writes \
	tests/vm/tap_snaps tests/vm/tap_ends tests/vm/tap_limits \
	tests/vm/tap_races tests/vm/tap_starve tests/vm/price
EXTRA_PROGRAMS += $(vm_guests) tests/vm/ledger
vm_library = tests/contract/contract_dirty agent/hs-agent \
	examples/tenlines/tenlines tests/vm/ledger
if HAVE_CUNIT
vm_library += tests/unit/unit_ckpt tests/unit/unit_api
endif
vm-programs: $(vm_guests) $(vm_library)
# Instructions, not seconds: the same on every machine.
bench-vm: vm-programs
	cd $(top_srcdir) && tests/vm/bench.sh $(abs_top_builddir)
.PHONY: vm-programs bench-vm

vm_arena = tests/vm/arena.c tests/vm/arena.h tests/vm/tap.c tests/vm/tap.h
vm_crew = $(vm_arena) tests/vm/crew.c tests/vm/crew.h
vm_census = $(vm_arena) tests/vm/census.c tests/vm/census.h

tests_vm_tap_calls_SOURCES = tests/vm/tap_calls.c $(vm_arena)
tests_vm_tap_calls_LDFLAGS = -all-static
tests_vm_tap_fuzz_SOURCES = tests/vm/tap_fuzz.c $(vm_arena)
tests_vm_tap_fuzz_LDFLAGS = -all-static
tests_vm_tap_writes_SOURCES = tests/vm/tap_writes.c $(vm_crew)
tests_vm_tap_writes_LDFLAGS = -all-static -pthread
tests_vm_tap_snaps_SOURCES = tests/vm/tap_snaps.c $(vm_crew)
tests_vm_tap_snaps_LDFLAGS = -all-static -pthread
tests_vm_tap_ends_SOURCES = tests/vm/tap_ends.c $(vm_census)
tests_vm_tap_ends_LDFLAGS = -all-static
tests_vm_tap_limits_SOURCES = tests/vm/tap_limits.c $(vm_census)
tests_vm_tap_limits_LDFLAGS = -all-static
tests_vm_tap_races_SOURCES = tests/vm/tap_races.c $(vm_arena)
tests_vm_tap_races_LDFLAGS = -all-static -pthread

tests_vm_price_SOURCES = tests/vm/price.c $(vm_arena)
tests_vm_price_LDFLAGS = -all-static

tests_vm_ledger_SOURCES = tests/vm/ledger.c
tests_vm_ledger_LDADD = libhotspare.la

tests_vm_tap_starve_SOURCES = tests/vm/tap_starve.c $(vm_arena)
tests_vm_tap_starve_LDFLAGS = -all-static

EXTRA_DIST += tests/vm/trees.sh tests/vm/boot.sh tests/vm/init \
	tests/vm/verdicts.awk tests/vm/selftest.sh tests/vm/debug.sh \
	tests/vm/debug.config tests/vm/check.sh tests/vm/broken.sh \
	tests/vm/library.sh tests/vm/unit tests/vm/standalone \
	tests/vm/ledger.sh tests/vm/leftovers tests/vm/bench.sh \
	tests/vm/long.sh tests/vm/complaints tests/vm/cluster.sh \
	tests/vm/cluster-init
