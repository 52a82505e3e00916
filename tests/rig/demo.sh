#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# demo.sh [--root DIR] [--play]: a cluster of two nodes on this machine, a game
# of tetris behind its address, and two deaths: first the game's process, then
# the node that took over.  Each time the game must go on from the last tick that
# the player saw; a time line shows how.  Leaves nothing behind.
#
# With --play you play, and kill what you like by the keys that it tells.

# shellcheck disable=SC2317	# functions are called by rig_until

set -u
here=$(cd "$(dirname "$0")" && pwd -P)
play=no
while [ $# -gt 0 ]; do
	case $1 in
	--root)	HS_ROOT=${2-}; shift ;;
	--play)	play=yes ;;
	*)	printf 'usage: demo.sh [--root DIR] [--play]\n' >&2; exit 2 ;;
	esac
	shift
done
if [ "$play" = yes ] && [ ! -t 0 ]; then
	printf 'demo.sh: --play wants a terminal\n' >&2
	exit 2
fi
# shellcheck source-path=SCRIPTDIR source=service.sh
. "$here/service.sh"
SVC_NAME=game
SVC_PROGRAM=tetris
SVC_ARGS='-p 4000'
SVC_PARAMS='ping_timeout=5s'
RIG_NODES='' RIG_VIP=''
failed=0
terminal=''	# as it was before the game

rig_check_host || exit 1
svc_check_built client_tetris || exit 1
work=$(mktemp -d "${TMPDIR:-/tmp}/hotspare-demo.XXXXXX") || exit 1
SVC_DIR=$work/rig
seen=$SVC_DIR/seen		# what the player's side sees

finish() {
	# Whoever is impatient presses ^C twice; the cleaning up is short.
	trap '' INT TERM HUP
	trap - EXIT
	svc_client_kill
	rig_down "$SVC_DIR"
	[ -z "$terminal" ] || stty "$terminal" 2>/dev/null
	if [ "$failed" = 1 ]; then
		printf 'Logs are kept in %s\n' "$work"
	else
		rm -rf "$work"
	fi
	exit "$failed"
}
trap 'failed=1; finish' EXIT
trap 'failed=130; finish' INT TERM HUP

say() {
	printf '%s\n' "$*"
}

fail() {
	printf 'FAILED: %s\n' "$*"
	failed=1
	finish
}

# --- what happened, from the logs ------------------------------------------

# The time of day in ms of the first line of FILE, at or after $died, that
# matches PATTERN; in REPLY.  Both logs begin "Mon dd hh:mm:ss.mmm".
logged() {
	local file=$1 pattern=$2 mon day time rest ms

	REPLY=
	[ -r "$file" ] || return 1
	while read -r mon day time rest; do
		ms=${time##*.}
		ms=$(($(date -d "$mon $day ${time%.*}" +%s) * 1000 + 10#$ms))
		if [ "$ms" -ge "$died" ]; then
			REPLY=$ms
			return 0
		fi
	done < <(grep -E "$pattern" "$file" | tail -n 40)
	return 1
}

# event LABEL TIME TEXT: one line of the time line.
event() {
	if [ -n "$2" ]; then
		printf '  %8d ms  %-9s %s\n' $(($2 - died)) "$1" "$3"
	else
		printf '  %8s     %-9s %s\n' - "$1" "$3"
	fi
}

# What the watcher had seen when its connection broke, and what it saw first on
# the next one: "TIME STATE ...".
last_before() {
	awk -v t="$died" '
	$2 == "DOWN" && $1 >= t { print last; exit }
	$2 == "STATE" { last = $0 }' "$seen"
}

first_answer() {
	awk -v t="$died" '
	$2 == "DOWN" && $1 >= t { down = 1 }
	$2 == "STATE" && down { print; exit }' "$seen"
}

answered() {
	[ -n "$(first_answer)" ]
}

# The words of a STATE line that people want to see.
words() {
	awk '{ for (i = 1; i <= NF; i++)
		if ($i ~ /^(tick|score|lines|hash)=/)
			printf "%s%s", n++ ? "  " : "", $i }' <<<"$1"
}

# --- two ways to die --------------------------------------------------------

log_of() {
	printf '%s/log/%s/pacemaker/pacemaker.log' "$SVC_DIR" "$1"
}

time_line() {
	local old=$1 new=$2 how=$3 restored after

	if [ "$how" = process ]; then
		logged "$(log_of "$old")" "master-$SVC_NAME\[$old\].*(unset|-INF|-1000000)"
		event noticed "$REPLY" "hs-agent on $old takes the node's score away"
		event fenced '' "not needed: $old is well, only the process died"
	else
		logged "$SVC_DIR/log/$new/corosync/corosync.log" \
			'A processor (failed|joined|left)|forming new'
		event noticed "$REPLY" "Corosync on $new has lost $old"
		logged "$(log_of "$new")" "targeting $old .*(OK|complete)"
		event fenced "$REPLY" "$old is known to be off"
	fi
	logged "$(log_of "$new")" "local execution of promote operation for $SVC_NAME "
	event promoted "$REPLY" "Pacemaker asks $new to be primary"
	restored=
	if svc_number "$new" at_ms; then
		restored=$REPLY
		svc_number "$new" to_running_ms
		restored=$((restored + ${REPLY%.*}))
	fi
	event restored "$restored" "hsinit() has returned on $new, state in place"
	after=$(first_answer)
	event answered "${after%% *}" "first answer through $RIG_VIP"
	say "  before: $(words "$(last_before)")"
	say "  after:  $(words "$after")"
}

# Which node it was, and all that must hold after its death.
recover() {
	local old=$1 how=$2 new

	rig_until 30 answered || fail "no answer within 30 s"
	svc_primary || fail "no node is primary"
	new=$REPLY
	[ "$new" != "$old" ] || fail "$old is primary again: not the spare"
	sleep 0.3	# the logs are written
	time_line "$old" "$new" "$how"
	[ "$(last_before | grep -o 'tick=[0-9]*')" = \
		"$(first_answer | grep -o 'tick=[0-9]*')" ] ||
		fail "the game does not go on from the last tick seen"
	[ "$(last_before | grep -o 'hash=[0-9a-f]*')" = \
		"$(first_answer | grep -o 'hash=[0-9a-f]*')" ] ||
		fail "the last tick seen is another one now"
	say "  $new knows the last tick seen, and goes on from there."
}

wait_healthy() {
	rig_until 60 svc_healthy || fail "no whole spare within 60 s"
}

kill_process() {
	local old pid

	svc_primary || fail "no node is primary"
	old=$REPLY
	svc_pid "$old" service || fail "no process to kill on $old"
	pid=$REPLY
	say
	say "Killing the game's process on $old (SIGKILL)"
	svc_now
	died=$REPLY
	rig_run "$SVC_DIR" "$old" kill -KILL "$pid" || fail "cannot kill it"
	recover "$old" process
}

kill_node() {
	local old

	svc_primary || fail "no node is primary"
	old=$REPLY
	say
	say "Powering off $old, where the game runs now"
	svc_now
	died=$REPLY
	rig_poweroff "$SVC_DIR" "$old" || fail "cannot power it off"
	recover "$old" node
	off=$old
}

# --- the two demos ----------------------------------------------------------

start_cluster() {
	say "Two nodes with Corosync, Pacemaker and a fence device, in namespaces"
	svc_up --token 1000 || fail "no cluster"
	rig_until 60 svc_healthy ||
		fail "the service does not come up: see $SVC_DIR/log"
	svc_primary
	say "The game runs on $REPLY; its spare is whole. Address: $RIG_VIP:4000"
}

scripted() {
	local summary

	svc_client "$work/summary" "$HS_BUILD/tests/rig/client_tetris" \
		-s 4 -o "$seen" "$RIG_VIP" 4000
	rig_until 30 grep -qs STATE "$seen" || fail "no answer through $RIG_VIP"
	say "A scripted player plays, and checks every tick"
	sleep 3
	kill_process
	wait_healthy
	say "  $old_text"
	sleep 2
	kill_node
	rig_poweron "$SVC_DIR" "$off" || fail "$off does not boot"
	wait_healthy
	say "  $off is back, and a whole spare again."
	sleep 1
	svc_client_end
	summary=$?
	SVC_CLIENT=''
	say
	if [ "$summary" != 0 ]; then
		cat "$work/summary"
		fail "the player saw a game that does not go on"
	fi
	say "The player saw $(grep -o '"ticks": [0-9]*' "$work/summary" |
		tr -dc 0-9) ticks: each follows from the one before, over both deaths."
}

# act K|P|O: what the player's capital letters ask for.
act() {
	case $1 in
	K)	svc_primary && svc_signal KILL "$REPLY" service ;;
	P)	[ -z "$off" ] && svc_primary && off=$REPLY &&
			rig_poweroff "$SVC_DIR" "$off" ;;
	O)	[ -n "$off" ] && rig_poweron "$SVC_DIR" "$off" && off='' ;;
	esac
}

play_along() {
	local key actor tty

	exec {tty}<&0
	mkfifo -m 600 "$SVC_DIR/keys"
	while read -r key; do
		act "$key"
	done <>"$SVC_DIR/keys" >>"$work/acts" 2>&1 &
	actor=$!
	terminal=$(stty -g)
	# In the background: so that a signal to this script is served at once.
	rig_client "$SVC_DIR" "$HS_BUILD/tests/rig/client_play" \
		-c "$SVC_DIR/keys" "$RIG_VIP" 4000 <&"$tty" &
	wait $!
	kill "$actor"
	wait "$actor" 2>/dev/null
}

old_text="The old node is a whole spare already: nothing had to be copied."
off=''
start_cluster
if [ "$play" = yes ]; then
	play_along
else
	scripted
fi
failed=0
finish
