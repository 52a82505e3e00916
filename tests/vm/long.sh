#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# tests/vm/long.sh BUILD: what is too long for check.sh.  The runner finds what
# a guest can hide; the tests find what a broken module loses; two machines are
# a cluster; and all tests once more, longer, on a kernel that looks for what
# others do not notice.
set -u
cd "$(dirname "$0")/../.." || exit 1
# shellcheck source=../rig/tap.sh
. tests/rig/tap.sh
build=$(cd "$1" && pwd) || exit 1
programs=$build/tests/vm
# shellcheck source=library.sh
. tests/vm/library.sh
tap_begin vm-long :

relay tests/vm/selftest.sh
relay tests/vm/broken.sh "$build"
relay tests/vm/cluster.sh "$build"

# On Debian's kernel, as check.sh, and for long: what outlives its process.
read -r _ _ tree why < <(tests/vm/trees.sh 6.12 amd64)
if [ "${tree:--}" = - ]; then
	skip 'a service that is killed at any time' "$why"
else
	make -s -C kernel KDIR="$tree/kdir" BUILD="$work/stock" >"$work/log" 2>&1
	verdict $? 'the module builds for it' || sed 's/^/# /' "$work/log"
	relay tests/vm/boot.sh -k "$tree" -r 768 -t 700 -l 400 \
		-m "$work/stock/hscpt.ko" "${library_files[@]}" \
		"tests/vm/ledger.sh 30 96" \
		"$build/tests/contract/contract_dirty keep 600"
fi

note 'the kernel of debug.sh; a quarter of an hour if it is to be built'
read -r _ _ tree why < <(tests/vm/debug.sh)
if [ "${tree:--}" = - ]; then
	skip 'the tests on a kernel with KASAN and lockdep' "$why"
	finish
fi
for part in '' 1; do
	make -s -C kernel KDIR="$tree/kdir" BUILD="$work/module" \
		${part:+FAULT=1} >"$work/log" 2>&1
	verdict $? "the module builds for it${part:+, with fault injection}" ||
		sed 's/^/# /' "$work/log"
	if [ -z "$part" ]; then
		relay tests/vm/boot.sh -k "$tree" -r 1024 -t 2400 -l 800 \
			-m "$work/module/hscpt.ko" "${library_files[@]}" \
			"${library_tests[@]}" "$programs/tap_calls" \
			"$programs/tap_limits" "$programs/tap_starve" \
			"$programs/tap_writes 3000" \
			"$programs/tap_snaps 3000" \
			"$programs/tap_fuzz 100000" "$programs/tap_ends 200"
	else
		relay tests/vm/boot.sh -k "$tree" -r 1024 -t 600 -l 300 -s 4 \
			-m "$work/module/hscpt.ko" "${library_files[@]}" \
			"$programs/tap_races" "$library_cuts"
	fi
done
finish
