#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# tests/vm/bench.sh BUILD: what it costs to know which pages were written, in
# instructions a page, as a table.  Fails unless the module costs a tenth of
# what user space can do by itself.  docs/KERNEL.md shows the table.
set -u
cd "$(dirname "$0")/../.." || exit 1
programs=$(cd "$1" && pwd)/tests/vm || exit 1
work=$(mktemp -d "${TMPDIR:-/tmp}/hotspare-bench.XXXXXX") || exit 1
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT TERM HUP

# measure SERIES TREE: adds lines "SERIES NAME WRITE REPORT" to $work/prices.
measure() {
	if ! make -s -C kernel KDIR="$2/kdir" BUILD="$work/$1" >"$work/log" 2>&1
	then
		cat "$work/log"
		exit 1
	fi
	if ! tests/vm/boot.sh -i -k "$2" -m "$work/$1/hscpt.ko" -t 200 \
		"$programs/price" >"$work/said"; then
		cat "$work/said"
		exit 1
	fi
	sed -n "s/^# price /$1 /p" "$work/said" >>"$work/prices"
}

for series in 6.12 6.1; do
	read -r _ _ tree why < <(tests/vm/trees.sh $series amd64)
	if [ "$tree" = - ]; then
		echo "skipped: Linux $series: $why"
		exit 77
	fi
	measure $series "$tree"
done

awk '
function cell(series, name,    k, sum) {
	k = series SUBSEP name
	if (write[k] == "-")
		return " n/a | n/a | n/a |"
	sum = write[series, base] + report[series, base]
	return sprintf(" %d | %d | %.1f |", write[k], report[k], \
	    (write[k] + report[k]) / sum)
}
function row(name, text) {
	print "| " text " |" cell("6.12", name) cell("6.1", name)
}
function head(text) {
	print "| " text " | 6.12: write | report | times | 6.1: write |" \
	    " report | times |"
	print "|---|---:|---:|---:|---:|---:|---:|"
}
{ write[$1, $2] = $3; report[$1, $2] = $4 }
END {
	base = "kmod"
	head("which pages were written?")
	row("kmod", "the module")
	row("wpa", "userfaultfd, asynchronous, and PAGEMAP_SCAN")
	row("soft-dirty", "soft-dirty bits")
	row("mprotect", "`mprotect()` and SIGSEGV")
	row("nothing", "(nobody looks)")
	print ""
	base = "kmod-snapshot"
	head("a copy of them as of one instant")
	row("kmod-snapshot", "the module: snapshot, copy on write, commit")
	row("fork", "`fork()`, copy on write, exit; does not say which")
	ours = write["6.12", "kmod"] + report["6.12", "kmod"]
	theirs = write["6.12", "wpa"] + report["6.12", "wpa"]
	exit !(ours > 0 && theirs >= 10 * ours)
}' "$work/prices"
