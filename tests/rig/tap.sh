# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# What the tests on the rig say, and how they end.  Sourced:
#
#   tap_begin NAME CLEANUP	$work is a directory of this run's own; whatever
#				ends the script, CLEANUP runs first
#   verdict STATUS TEXT		one result; returns STATUS
#   is WANT GOT TEXT		a verdict about two words
#   skip TEXT WHY		a test that cannot be made here
#   relay CMD...		the verdicts of CMD, which speaks TAP, as our own
#   must CMD...			what cannot be done is a failure
#   note TEXT			for whoever reads
#   finish			the end; also what any other exit becomes
#
# Speaks TAP; the last line is 'N passed, N failed'.  Logs are kept if any
# failed, unless it was interrupted.

passed=0
failed=0
skipped=0
interrupted=no
work=''
tap_cleanup=:

tap_begin() {
	tap_cleanup=$2
	work=$(mktemp -d "${TMPDIR:-/tmp}/hotspare-$1.XXXXXX") || exit 1
	trap 'failed=$((failed + 1)); finish' EXIT
	trap 'interrupted=yes; exit 130' INT TERM HUP
}

finish() {
	# Whoever is impatient presses ^C twice; the cleaning up is short.
	trap '' INT TERM HUP
	trap - EXIT
	"$tap_cleanup"
	if [ "$interrupted" = yes ]; then
		printf '# interrupted\n'
		rm -rf "$work"
	elif [ "$failed" = 0 ]; then
		rm -rf "$work"
	else
		printf '# %slogs are in %s\n' "${HS_SEED:+HS_SEED=$HS_SEED; }" \
			"$work"
	fi
	printf '1..%d\n' $((passed + failed + skipped))
	printf '%s passed, %s failed\n' "$passed" "$failed"
	[ "$failed" = 0 ] && [ $((passed + skipped)) -gt 0 ]
	exit
}

verdict() {
	if [ "$1" = 0 ]; then
		passed=$((passed + 1))
		printf 'ok %d - %s\n' $((passed + failed + skipped)) "$2"
	else
		failed=$((failed + 1))
		printf 'not ok %d - %s\n' $((passed + failed + skipped)) "$2"
	fi
	return "$1"
}

is() {
	[ "$1" = "$2" ]
	verdict $? "$3" || printf '# wanted: %s\n# got:    %s\n' "$1" "$2"
}

skip() {
	skipped=$((skipped + 1))
	printf 'ok %d - %s # SKIP %s\n' $((passed + failed + skipped)) "$1" "$2"
}

relay() {
	local line before=$failed
	while IFS= read -r line; do
		case $line in
		'ok '*' # SKIP '*)
			line=${line#ok * - }
			skip "${line%% # SKIP *}" "${line##* # SKIP }" ;;
		'ok '*) verdict 0 "${line#ok * - }" ;;
		'not ok '*) verdict 1 "${line#not ok * - }" ;;
		1..*) ;;
		*) printf '%s\n' "$line" ;;
		esac
	done < <("$@")
	wait $! || [ "$failed" -gt "$before" ] ||
		verdict 1 "$*: its end, without a verdict on what failed"
}

must() {
	"$@" && return 0
	verdict 1 "$*"
	return 1
}

note() {
	printf '# %s\n' "$*"
}
