# SPDX-License-Identifier: GPL-2.0-or-later
# Every backend of an ops table against its oracle.  Plain programs that print
# TAP; HS_SEED and HS_CONTRACT_SECONDS in the environment.
check_PROGRAMS += tests/contract/contract_dirty
TESTS += tests/contract/contract_dirty
tests_contract_contract_dirty_SOURCES = tests/forbid.h \
	tests/contract/child.c \
	tests/contract/contract.c tests/contract/contract.h \
	tests/contract/keep.c tests/contract/kmod.c \
	tests/contract/lives.c tests/contract/lives.h \
	tests/contract/main.c tests/contract/wpa_swap.c
tests_contract_contract_dirty_LDADD = libhsmem.la libhsbase.la
