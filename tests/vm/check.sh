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
tap_begin vm :

# Also the parameters with which the module is loaded, and how long what is
# random is to run there.
guest() {
	local name=$1 tree=$2 module=$3 ms=$4
	shift 4
	note "$name"
	relay tests/vm/boot.sh -k "$tree" -m "$module" -t 200 \
		-f "$tree/brd.ko=/lib/brd.ko" "$@" \
		"$programs/tap_calls" "$programs/tap_limits" \
		"$programs/tap_writes $ms" "$programs/tap_snaps $ms" \
		"$programs/tap_fuzz" "$programs/tap_ends 100"
}

# The library where the module is, and a service where "auto" takes it.
library() {
	local name=$1 tree=$2 module=$3
	shift 3
	note "$name: the library"
	relay tests/vm/boot.sh -k "$tree" -m "$module" -t 200 -l 150 \
		-f "$build/tests/unit/unit_ckpt" -f "$build/agent/hs-agent" \
		-f "$build/examples/tenlines/.libs/tenlines" \
		-f "$build/.libs/libhotspare.so.0=$libdir/libhotspare.so.0" \
		"$build/tests/contract/contract_dirty kmod" \
		"tests/vm/unit unit_ckpt ckpt_cut" "$@"
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

while read -r series flavour tree why; do
	name=$series-$flavour
	if [ "$tree" = - ]; then
		skip "$name" "$why"
		continue
	fi
	build_module "$name" "$tree" || continue
	case $flavour in
	amd64)
		guest "$name" "$tree" "$work/$name/hscpt.ko" 1000
		library "$name" "$tree" "$work/$name/hscpt.ko" \
			tests/vm/standalone ;;
	*)
		guest "$name" "$tree" "$work/$name/hscpt.ko" 400
		library "$name" "$tree" "$work/$name/hscpt.ko" ;;
	esac
done < <(tests/vm/trees.sh)
check_style
finish
