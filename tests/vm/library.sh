# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# shellcheck disable=SC2034
# Sourced: what boot.sh is to copy in for the library's tests, and these, of the
# build tree $build.
libdir=/lib/$(gcc -print-multiarch)
library_files=(-f "$build/tests/unit/unit_ckpt" -f "$build/tests/unit/unit_api"
	-f "$build/agent/hs-agent" -f "$build/examples/tenlines/.libs/tenlines"
	-f "$build/tests/vm/.libs/ledger"
	-f "$build/.libs/libhotspare.so.0=$libdir/libhotspare.so.0")
# The checkpoints whose copies the module makes, or fails to make.
library_cuts='tests/vm/unit unit_ckpt ckpt_cut'
# Where "auto" takes the module: the contract, and a service that is taken over.
library_tests=("$library_cuts" "tests/vm/unit unit_api api_restore"
	"$build/tests/contract/contract_dirty kmod"
	"$build/tests/contract/contract_dirty keep" tests/vm/standalone
	"tests/vm/ledger.sh 3 16" tests/vm/leftovers)
