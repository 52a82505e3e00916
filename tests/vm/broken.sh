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

# run_without N: leaves what tap_races says in $work/said.
run_without() {
	local module=$work/module$1
	make -s -C kernel KDIR="$tree/kdir" BUILD="$module" FAULT=1 \
		${1:+BREAK="$1"} >"$work/log" 2>&1 || {
		cat "$work/log"
		return 1
	}
	tests/vm/boot.sh -k "$tree" -s 4 -t 300 -l 200 \
		-m "$module/hscpt.ko" "$programs/tap_races 40" >"$work/said"
}

must run_without ''
! grep '^not ok' "$work/said" | sed 's/^/# /' | grep .
verdict $? 'with its cures the module withstands all races held open'
for race in 1 2 3 4; do
	if run_without "$race"; then
		verdict 1 "without cure $race a test fails"
	else
		grep "^not ok .* race $race:" "$work/said" >"$work/found"
		verdict $? "without cure $race its test fails" ||
			sed 's/^/# /' "$work/said"
		sed 's/^/# /' "$work/found"
	fi
done
finish
