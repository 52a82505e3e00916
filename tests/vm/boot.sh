#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# tests/vm/boot.sh -k TREE [-m 'MODULE [PARAM=VALUE]...'] [OPTION]... COMMAND...
#
# Boots the kernel of TREE (see trees.sh) under QEMU, without KVM, loads MODULE,
# runs each COMMAND, unloads, powers off.  What the commands say on their output
# is TAP and goes to stdout, numbered anew; so do the verdicts about the kernel:
# that it complained of nothing, let go of the module, and came to its end.
# A program is copied in by the path that begins its COMMAND, with the libraries
# it needs.
#
#	-t SECONDS	for all of it; 120
#	-l SECONDS	for one command, in the guest's time; 100
#	-s CPUS		2
#	-r MEGABYTES	512
#	-a WORDS	for the kernel's command line
#	-f FILE[=PATH]	copied in as well, to PATH or /tests
#	-i		count instructions: the same figures in every run
#	-c FILE		keep the console there
#	-e		the kernel is expected to complain: say it, fail nothing
#
# Status 0 if every verdict is 'ok'.  Nothing of it stays on the host.
set -u
self=$(cd "$(dirname "$0")" && pwd)

usage() {
	sed -n '/^# tests/,/^# Status/s/^# \{0,1\}//p' "$0" >&2
	exit 2
}

tree='' module='' limit=120 each=100 cpus=2 megs=512 words='' console=''
accel=tcg,thread=multi icount='' expected=no
files=()
while getopts k:m:t:l:s:r:a:f:ic:e option; do
	case $option in
	k) tree=$OPTARG ;;
	m) module=$OPTARG ;;
	t) limit=$OPTARG ;;
	l) each=$OPTARG ;;
	s) cpus=$OPTARG ;;
	r) megs=$OPTARG ;;
	a) words=$OPTARG ;;
	f) files+=("$OPTARG") ;;
	i) accel=tcg,thread=single cpus=1 icount='-icount shift=0' ;;
	c) console=$OPTARG ;;
	e) expected=yes ;;
	*) usage ;;
	esac
done
shift $((OPTIND - 1))
if [ -z "$tree" ] || [ $# -eq 0 ]; then
	usage
fi

work=$(mktemp -d "${TMPDIR:-/tmp}/hotspare-boot.XXXXXX") || exit 1
qemu=''
# shellcheck disable=SC2317
cleanup() {
	trap '' INT TERM HUP
	[ -z "$qemu" ] || kill "$qemu" 2>/dev/null
	wait
	rm -rf "$work"
}
trap cleanup EXIT
trap 'exit 130' INT TERM HUP

# copy_in FILE PATH: with the libraries that it is linked with.
copy_in() {
	local library
	mkdir -p "$root$(dirname "$2")" && cp -L "$1" "$root$2" || return 1
	ldd "$1" 2>/dev/null | grep -o '/[^ ]*' | while read -r library; do
		[ -e "$root$library" ] || copy_in "$library" "$library"
	done
}

make_root() {
	local applet command program file
	root=$work/root
	mkdir -p "$root"/{bin,lib,proc,sys,dev,tmp,tests} || return 1
	cp "$(command -v busybox)" "$root/bin/busybox" || return 1
	for applet in sh mount mkdir insmod rmmod cat timeout poweroff sleep; do
		ln -s busybox "$root/bin/$applet"
	done
	cp "$self/init" "$root/init" || return 1
	if [ -n "$module" ]; then
		cp "${module%% *}" "$root/lib/hscpt.ko" || return 1
		case $module in
		*' '*) echo "${module#* }" >"$root/lib/hscpt.params" ;;
		esac
	fi
	for command; do
		program=${command%% *}
		copy_in "$program" "/tests/${program##*/}" || return 1
		echo "$each ${program##*/}${command#"$program"}"
	done >"$root/commands"
	for file in ${files[@]+"${files[@]}"}; do
		case $file in
		*=*) copy_in "${file%%=*}" "${file#*=}" ;;
		*) copy_in "$file" "/tests/$(basename "$file")" ;;
		esac || return 1
	done
	(cd "$root" && find . | cpio -o -H newc --quiet) >"$work/ird"
}

make_root "$@" || {
	echo "not ok 1 - the guest's file system is made"
	exit 1
}

# ttyS0 is the kernel's, ttyS1 the tests'.  tsc=reliable: a machine that is busy
# makes the guest's clocks differ, and giving one up patches running code.
run_guest() {
	rm -f "$work/console" "$work/tap"
	# shellcheck disable=SC2086
	timeout -k 5 "$limit" qemu-system-x86_64 -accel $accel $icount \
		-smp "$cpus" -cpu max -m "${megs}M" \
		-nodefaults -no-user-config -display none -no-reboot \
		-serial "file:$work/console" -serial "file:$work/tap" \
		-kernel "$tree/vmlinuz" -initrd "$work/ird" \
		-append "console=ttyS0 loglevel=5 panic=-1 oops=panic \
tsc=reliable maxcpus=1 rcupdate.rcu_cpu_stall_timeout=60 $words" \
		</dev/null >"$work/qemu" 2>&1 &
	qemu=$!
	wait "$qemu"
	ended=$?
	qemu=''
	touch "$work/console" "$work/tap"
}

# Two emulated processors do not always agree on code that the kernel patches
# while it starts.  What dies there has run nothing of ours: that is as far as
# patience goes.
for attempt in 1 2 3; do
	run_guest
	if [ "$ended" = 124 ] || grep -q '^@init' "$work/tap"; then
		break
	fi
	[ "$attempt" = 3 ] || echo "# died before its first process: once more"
done
[ -z "$console" ] || cp "$work/console" "$console"
tr -d '\r' <"$work/tap" >"$work/tap.clean"
"$self/complaints" "$work/console" >"$work/complained"
awk -v ended="$ended" -v limit="$limit" -v expected="$expected" \
	-v complained="$work/complained" -v qemu="$work/qemu" \
	-f "$self/verdicts.awk" "$work/tap.clean"
