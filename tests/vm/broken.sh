#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# tests/vm/broken.sh BUILD: the tests find what the module would lose.  It is
# built without the cure of each race in turn, and tap_races is to fail in that
# part; with all cures, and the windows of the races held open, in none.
set -u
cd "$(dirname "$0")/../.." || exit 1
# shellcheck source=../rig/tap.sh
. tests/rig/tap.sh
programs=$(cd "$1" && pwd)/tests/vm || exit 1
tap_begin vm-broken :

read -r _ _ tree why < <(tests/vm/trees.sh 6.12 amd64)
if [ "$tree" = - ]; then
	skip 'each race is found' "$why"
	finish
fi

# run_without N [COMMAND]...: leaves what the tests say in $work/said.
run_without() {
	local module=$work/module$1 cure=$1
	shift
	make -s -C kernel KDIR="$tree/kdir" BUILD="$module" FAULT=1 \
		${cure:+BREAK="$cure"} >"$work/log" 2>&1 || {
		cat "$work/log"
		return 1
	}
	tests/vm/boot.sh -k "$tree" -s 4 -t 300 -l 200 \
		-m "$module/hscpt.ko" -f "$tree/drivers/brd.ko=/lib/brd.ko" \
		"$programs/tap_races 40" "$@" >"$work/said"
}

# finds PATTERN TEXT: a test that matches failed.
finds() {
	grep "^not ok .*$1" "$work/said" >"$work/found"
	verdict $? "$2" || sed 's/^/# /' "$work/said"
	sed 's/^/# /' "$work/found"
}

must run_without ''
! grep '^not ok' "$work/said" | sed 's/^/# /' | grep .
verdict $? 'with its cures the module withstands all races held open'

# Without the fourth, what is written by other means than a page-table entry is
# lost: so these parts do write by such means.
for race in 1 2 3 4; do
	commands=()
	[ "$race" != 4 ] || commands=("$programs/tap_writes 2000 1 O_DIRECT"
		"$programs/tap_writes 2000 1 process_vm_writev"
		"$programs/tap_writes 2000 1 MADV_DONTNEED")
	if run_without "$race" ${commands[@]+"${commands[@]}"}; then
		verdict 1 "without cure $race a test fails"
	else
		finds " race $race:" "without cure $race its test fails"
	fi
done
for part in O_DIRECT process_vm_writev MADV_DONTNEED; do
	finds "$part: no write is missed" "without cure 4 so does $part"
done
finish
