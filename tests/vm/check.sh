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
# shellcheck source=library.sh
. tests/vm/library.sh
running=''

# shellcheck disable=SC2317
stop_jobs() {
	local pid
	for pid in $running; do
		kill "$pid" 2>/dev/null
	done
	wait
}
tap_begin vm stop_jobs

# say STATUS TEXT: a verdict of a job, for relay.
say() {
	if [ "$1" = 0 ]; then
		echo "ok 0 - $2"
	else
		echo "not ok 0 - $2"
	fi
	return "$1"
}

# build_module NAME TREE [FAULT=1]: for a second time with what only warns.  The
# kernel's own headers warn as well; that is not ours.
build_module() {
	local log=$work/$1.log name=$1 tree=$2 making
	shift 2
	make -s -C kernel KDIR="$tree/kdir" BUILD="$work/$name" W=1 C=1 "$@" \
		>"$log" 2>&1 &
	making=$!
	trap 'kill "$making" 2>/dev/null; wait; exit 143' TERM
	wait "$making"
	say $? "$name: the module builds" || tail -n 20 "$log" | sed 's/^/# /'
	trap - TERM
	grep -E "^($work/$name/)?[a-z_/]+\.[ch]:.*(warning|error):" "$log" |
		sed "s|$work/$name/||; s/^/# /" >"$work/$name.warned"
	[ ! -s "$work/$name.warned" ]
	say $? "$name: gcc W=1 and sparse have nothing to say" ||
		cat "$work/$name.warned"
	[ -e "$work/$name/hscpt.ko" ]
}

# guest NAME TREE [OPTION]... COMMAND...
guest() {
	local name=$1 tree=$2
	shift 2
	exec tests/vm/boot.sh -k "$tree" -m "$work/$name/hscpt.ko" -t 400 \
		-l 150 -f "$tree/drivers/brd.ko=/lib/brd.ko" "${library_files[@]}" "$@"
}

# job NAME FLAVOUR TREE: the module there, and all tests; or, faulty, those of
# copies that fail.
job() {
	local name=$1 tree=$3 ms=250
	local -a library=("${library_tests[@]}")
	if [ "$2" = faulty ]; then
		build_module "$name" "$tree" FAULT=1 || return 1
		guest "$name" "$tree" "$library_cuts"
	fi
	if [ "$2" != amd64 ]; then
		ms=100
		library=("$library_cuts")
	fi
	build_module "$name" "$tree" || return 1
	guest "$name" "$tree" "$programs/tap_calls" "$programs/tap_limits" \
		"$programs/tap_writes $ms" "$programs/tap_snaps $ms" \
		"$programs/tap_fuzz 20000" "$programs/tap_ends 60" \
		"${library[@]}"
}

# shellcheck disable=SC2317
tell() {
	cat "$work/$1.tap"
	return "$2"
}

# reap: what one job said, once it has ended.
reap() {
	local pid name status
	# shellcheck disable=SC2086
	wait -n -p pid $running
	status=$?
	# shellcheck disable=SC2086
	running=$(printf '%s\n' $running | grep -vx "$pid")
	read -r name <"$work/$pid.pid"
	note "$name"
	relay tell "$name" "$status"
}

# Two at a time: a guest is busy for half of two processors.
run_jobs() {
	while [ $# -gt 0 ]; do
		job "$1" "$2" "$3" >"$work/$1.tap" 2>&1 &
		echo "$1" >"$work/$!.pid"
		running="$running $!"
		shift 3
		# shellcheck disable=SC2086
		if [ "$(printf '%s\n' $running | wc -l)" -ge 2 ]; then
			reap
		fi
	done
	while [ -n "$running" ]; do
		reap
	done
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
jobs=()
while read -r series flavour tree why; do
	name=$series-$flavour
	if [ "$tree" = - ]; then
		skip "$name" "$why"
		continue
	fi
	jobs+=("$name" "$flavour" "$tree")
	[ "$name" != 6.12-amd64 ] || jobs+=("$name-faulty" faulty "$tree")
done < <(tests/vm/trees.sh 6.1 amd64 6.12 amd64 6.1 cloud-amd64 6.12 cloud-amd64)
run_jobs ${jobs[@]+"${jobs[@]}"}
finish
