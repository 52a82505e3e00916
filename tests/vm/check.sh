#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# tests/vm/check.sh BUILD: the module builds without a warning for every kernel
# that trees.sh can get, and does there what is promised.  BUILD is a tree in
# which `make vm-programs' was run.
set -u
cd "$(dirname "$0")/../.." || exit 1
# shellcheck source=../rig/tap.sh
. tests/rig/tap.sh
build=$(cd "$1" && pwd) || exit 1
programs=$build/tests/vm
libdir=/lib/$(gcc -print-multiarch)
guests=''

# shellcheck disable=SC2317
stop_guests() {
	local pid
	for pid in $guests; do
		kill "$pid" 2>/dev/null
	done
	wait
}
tap_begin vm stop_guests

# guest NAME FLAVOUR TREE: all tests there, behind our back, to NAME.tap.  The
# library is held to its contract, and a service taken over, where "auto" would
# take the module.
guest() {
	local tree=$3 ms=600
	local -a library=("tests/vm/unit unit_ckpt ckpt_cut"
		"tests/vm/unit unit_api api_restore"
		"$build/tests/contract/contract_dirty kmod"
		"$build/tests/contract/contract_dirty keep"
		tests/vm/standalone "tests/vm/ledger.sh 3 16"
		tests/vm/leftovers)
	if [ "$2" != amd64 ]; then
		ms=200
		library=("${library[0]}")
	fi
	tests/vm/boot.sh -k "$tree" -m "$work/$1/hscpt.ko" -t 400 -l 150 \
		-f "$tree/drivers/brd.ko=/lib/brd.ko" \
		-f "$build/tests/unit/unit_ckpt" -f "$build/tests/unit/unit_api" \
		-f "$build/agent/hs-agent" \
		-f "$build/examples/tenlines/.libs/tenlines" \
		-f "$build/tests/vm/.libs/ledger" \
		-f "$build/.libs/libhotspare.so.0=$libdir/libhotspare.so.0" \
		"$programs/tap_calls" "$programs/tap_limits" \
		"$programs/tap_writes $ms" "$programs/tap_snaps $ms" \
		"$programs/tap_fuzz" "$programs/tap_ends 60" \
		"${library[@]}" >"$work/$1.tap" 2>&1 &
	guests="$guests $!"
}

# One is busy for half of two processors.
run_guests() {
	local name pid
	while [ $# -gt 0 ]; do
		guests=''
		guest "$1" "$2" "$3"
		[ $# -le 3 ] || guest "$4" "$5" "$6"
		for pid in $guests; do
			wait "$pid"
		done
		guests=''
		for name in "$1" ${4:+"$4"}; do
			note "$name"
			relay cat "$work/$name.tap"
		done
		shift $(($# < 6 ? $# : 6))
	done
}

# build_module NAME TREE: for a second time with what only warns.  The kernel's
# own headers warn as well; that is not ours.
build_module() {
	local log=$work/$1.log
	make -s -C kernel KDIR="$2/kdir" BUILD="$work/$1" W=1 C=1 >"$log" 2>&1
	verdict $? "$1: the module builds" || tail -n 20 "$log" | sed 's/^/# /'
	grep -E "^($work/$1/)?[a-z_/]+\.[ch]:.*(warning|error):" "$log" |
		sed "s|$work/$1/||; s/^/# /" >"$work/warned"
	[ ! -s "$work/warned" ]
	verdict $? "$1: gcc W=1 and sparse have nothing to say" ||
		cat "$work/warned"
	[ -e "$work/$1/hscpt.ko" ]
}

check_style() {
	local source why
	read -r _ _ source why < <(tests/vm/trees.sh 6.12 source)
	if [ "$source" = - ]; then
		skip 'checkpatch --strict' "$why"
		return
	fi
	(cd kernel && "$source/scripts/checkpatch.pl" --terse --no-summary \
		-f ./*.[ch] compat/*.h include/uapi/*.h) >"$work/style" 2>&1
	verdict $? 'checkpatch --strict has nothing to say' ||
		sed 's/^/# /' "$work/style"
}

check_style
runs=()
while read -r series flavour tree why; do
	name=$series-$flavour
	if [ "$tree" = - ]; then
		skip "$name" "$why"
	elif build_module "$name" "$tree"; then
		runs+=("$name" "$flavour" "$tree")
	fi
done < <(tests/vm/trees.sh 6.1 amd64 6.12 amd64 6.1 cloud-amd64 6.12 cloud-amd64)
run_guests ${runs[@]+"${runs[@]}"}
finish
