#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# revive.sh [SCENARIO...]: services that check all of their state by themselves
# (turns.h), killed at random instants on a cluster of two nodes: each time the
# other node goes on.  KILLS=N kills each that often.  Speaks TAP; the last line is
# 'N passed, N failed'.
#
#   memory   static data and malloc()'s memory, registered
#   fixed    pointers to code, in a program at a fixed address
#   refs     references to code, in a position-independent program
#   placed   pointers to code in one, with aslr=off
#   threads  eight threads over three locks, half of them registered
#   moved    the same as placed, but the spare's libraries are elsewhere: refused
#
# HS_SEED=N repeats the instants of the run that printed it.

# shellcheck disable=SC2317	# functions are called by rig_until

set -u
here=$(cd "$(dirname "$0")" && pwd -P)
# shellcheck source-path=SCRIPTDIR source=service.sh
. "$here/service.sh"
# shellcheck source-path=SCRIPTDIR source=tap.sh
. "$here/tap.sh"
PROGRAMS=/usr/libexec/hotspare
SVC_NAME=revived
SVC_PROGRAM='' SVC_ARGS='' SVC_PARAMS=''
RIG_NODES=''
: "${KILLS:=10}"
TURN_S=40	# until turns are taken again, at most
HEALTHY_S=60	# until there is a whole spare again, at most

rig_check_host || {
	printf '0 passed, 1 failed\n'
	exit 1
}
: "${HS_SEED:=$((EPOCHSECONDS % 32768))}"
RANDOM=$HS_SEED
printf '# HS_SEED=%s\n' "$HS_SEED"
end_run() {
	[ -z "${SVC_DIR-}" ] || rig_down "$SVC_DIR"
	[ -z "$work" ] || rm -rf "$work/root"
}
tap_begin revive end_run

# What is not installed goes over what is.
lay_root() {
	local p

	cp -a "$HS_ROOT" "$work/root" || return 1
	for p in svc_memory svc_code_fixed svc_code_pie svc_threads; do
		cp "$HS_BUILD/tests/rig/$p" "$work/root$PROGRAMS/" || return 1
	done
	# A large stack moves the libraries.
	cat >"$work/root$PROGRAMS/svc_moved" <<-END
		#!/bin/sh
		[ "\$(uname -n)" != n2 ] || ulimit -s 1000000
		exec $PROGRAMS/svc_code_pie "\$@"
	END
	chmod 755 "$work/root$PROGRAMS/svc_moved"
	HS_ROOT=$work/root
}

# The last turn that was held, in REPLY.
turn() {
	REPLY=0
	[ ! -s "$SVC_DIR/turn" ] ||
		REPLY=$(od -An -td8 -N8 "$SVC_DIR/turn" | tr -d ' ')
}

turn_above() {
	turn
	[ "$REPLY" -gt "$1" ]
}

# Turns are taken: so many cannot have been on their way.
takes_turns() {
	turn
	rig_until "$TURN_S" turn_above $((REPLY + 20))
}

state() {
	local n

	for n in $RIG_NODES; do
		rig_run "$SVC_DIR" "$n" timeout 5 hsctl -r "$SVC_NAME" status
		tail -n 5 "$SVC_DIR/log/$n/hotspare/$SVC_NAME.log"
	done 2>&1 | sed 's/^/# /'
}

nothing_wrong() {
	! grep -h '^wrong' "$SVC_DIR"/log/n?/hotspare/"$SVC_NAME.log" |
		sed 's/^/# /' | grep .
}

# start NAME PROGRAM ARGS [PARAMS]
start() {
	note "scenario $1"
	SVC_DIR=$work/$1
	SVC_PROGRAM=$2
	SVC_ARGS="$3 $SVC_DIR/turn"
	SVC_PARAMS=${4-}
	must svc_up
}

stop() {
	must rig_down "$SVC_DIR"
	SVC_DIR=''
}

kill_one() {
	local old ms=$((RANDOM % 500))

	svc_primary || return 1
	old=$REPLY
	sleep "0.$(printf %03d "$ms")"
	svc_signal KILL "$old" service && takes_turns && svc_primary &&
		[ "$REPLY" != "$old" ] && rig_until "$HEALTHY_S" svc_healthy
}

# revive NAME PROGRAM ARGS [PARAMS]
revive() {
	local i

	start "$@" || return
	must rig_until "$HEALTHY_S" svc_healthy && must takes_turns || return
	for ((i = 0; i < KILLS; i++)); do
		kill_one || break
		nothing_wrong || break
	done
	[ "$i" = "$KILLS" ]
	verdict $? "$1: all of the state is there, from node to node, $i times" ||
		state
	stop
}

# The state of the node that is no primary, in REPLY.
spare_state() {
	local n

	svc_primary || return 1
	case $REPLY in
	n1)	n=n2 ;;
	*)	n=n1 ;;
	esac
	svc_look "$n"
	spare=$n
	[ "$SVC_STATE" = "$1" ]
}

is_shown() {
	rig_run "$SVC_DIR" "$spare" crm_mon -1A |
		grep -q "hs-$SVC_NAME-state[[:space:]]*: $1"
}

moved() {
	local text

	start moved svc_moved plain aslr=off || return
	rig_until "$HEALTHY_S" spare_state INCOMPATIBLE
	verdict $? 'moved: the spare is INCOMPATIBLE' || state
	text=$(rig_run "$SVC_DIR" "$spare" hsctl -r "$SVC_NAME" status)
	grep -q 'code is not where the primary has it: .*stack limit' \
		<<<"$text"
	verdict $? 'moved: hsctl says why' || note "$text"
	# Written late, on purpose.
	rig_until 60 is_shown INCOMPATIBLE
	verdict $? 'moved: crm_mon shows it' ||
		rig_run "$SVC_DIR" "$spare" crm_mon -1A | sed 's/^/# /'
	svc_primary && svc_look "$REPLY" &&
		[ "$SVC_PROTECTION" = unprotected ]
	verdict $? 'moved: the primary says that nothing is held' || state
	stop
}

memory() {
	revive memory svc_memory ''
}

fixed() {
	revive fixed svc_code_fixed plain
}

refs() {
	revive refs svc_code_pie refs
}

placed() {
	revive placed svc_code_pie plain aslr=off
}

threads() {
	revive threads svc_threads ''
}

[ $# -gt 0 ] || set -- memory fixed refs placed threads moved
must lay_root || finish
for scenario; do
	"$scenario"
done
finish
