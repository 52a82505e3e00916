#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# sqlite.sh [--kills N]: sqlited on a real cluster of two nodes, kept busy by
# four clients that move money between the accounts of two databases, while what
# it runs on dies N times (12) at random instants: one death of six is of the
# node, by its power, the others of the service, by SIGKILL; half of them with a
# write-ahead log and half with a rollback journal.  After each death: integrity_check is clean, the
# sum is what it was, every transfer that was answered is on record, and none by
# halves.  Speaks TAP; the last line is 'N passed, N failed'.
#
# HS_SEED=N repeats the instants of the run that printed it.

# shellcheck disable=SC2317	# functions are called by rig_until

set -u
here=$(cd "$(dirname "$0")" && pwd -P)
# shellcheck source-path=SCRIPTDIR source=service.sh
. "$here/service.sh"
# shellcheck source-path=SCRIPTDIR source=tap.sh
. "$here/tap.sh"
SVC_NAME=sqlite
SVC_PROGRAM=sqlited
SVC_PARAMS='ping_timeout=10s'
RIG_NODES='' RIG_VIP=''
ANSWER_S=40	# until somebody answers again, at most
HEALTHY_S=60	# until there is a whole spare again, at most
NODE_EVERY=6	# deaths: one is of the node
kills=12

case ${1-} in
--kills) kills=${2:?how many} ;;
'') ;;
*)	printf 'usage: sqlite.sh [--kills N]\n' >&2
	exit 2 ;;
esac
if ! rig_check_host || ! svc_check_built client_sqlite; then
	printf '0 passed, 1 failed\n'
	exit 1
fi
: "${HS_SEED:=$((EPOCHSECONDS % 32768))}"
RANDOM=$HS_SEED
printf '# HS_SEED=%s\n' "$HS_SEED"
end_run() {
	svc_client_kill
	[ -z "${SVC_DIR-}" ] || rig_down "$SVC_DIR"
}
tap_begin sqlite end_run

# What the client reports: ANSWERED, BREACHES, CHECKS; false if it has ended.
look() {
	ANSWERED=0 BREACHES=0 CHECKS=0
	[ -r "$report" ] || return 1
	# shellcheck disable=SC2046
	set -- $(cat "$report")
	ANSWERED=${1#*=} BREACHES=${2#*=} CHECKS=${3#*=}
	kill -0 "$SVC_CLIENT" 2>/dev/null
}

# So many answers cannot have been on their way; and the check has been done.
went_on() {
	look && [ "$ANSWERED" -gt $((before + 50)) ] &&
		[ "$CHECKS" -ge $((checked + 2)) ]
}

# die service|node: it dies, another node goes on and all is well.
die() {
	local old

	svc_primary || return 1
	old=$REPLY
	svc_nap 1000
	look
	before=$ANSWERED checked=$CHECKS
	case $1 in
	service) svc_signal KILL "$old" service ;;
	node)	rig_poweroff "$SVC_DIR" "$old" ;;
	esac || return 1
	if ! rig_until "$ANSWER_S" went_on || [ "$BREACHES" != 0 ]; then
		note "death of the $1: $ANSWERED answers, $BREACHES breaches"
		svc_tell
		return 1
	fi
	svc_primary && [ "$REPLY" != "$old" ] || return 1
	[ "$1" != node ] || { svc_nap 1000 && rig_poweron "$SVC_DIR" "$old"; } ||
		return 1
	svc_whole
}

# run_mode JOURNAL-MODE KILLS
run_mode() {
	local i kind services=0 offs=0 began=$SECONDS

	SVC_DIR=$work/$1
	SVC_ARGS="-p 4001 -j $1 file:a.db?vfs=hotspare file:b.db?vfs=hotspare"
	must svc_up || return
	must rig_until "$HEALTHY_S" svc_healthy || return
	report=$SVC_DIR/report
	# A connection to a machine without power says nothing for ever.
	svc_client "$work/client.$1" "$HS_BUILD/tests/rig/client_sqlite" \
		-d 2 -r 60 -a 1500 -s $((RANDOM + 1)) -o "$report" "$RIG_VIP" 4001
	before=0 checked=0
	rig_until "$ANSWER_S" went_on
	verdict $? "$1: four clients are answered through the VIP" || return
	for ((i = 1; i <= $2; i++)); do
		kind=service
		[ $((i % NODE_EVERY)) != 0 ] || kind=node
		die $kind || break
		[ $kind = node ] && offs=$((offs + 1)) ||
			services=$((services + 1))
	done
	[ $((services + offs)) = "$2" ]
	verdict $? "$1: $services deaths of the service and $offs of its node, of $2: all clean"
	svc_client_end
	verdict $? "$1: every answered transfer is on record, none by halves"
	SVC_CLIENT=''
	sed 's/^/# client: /' "$work/client.$1"
	note "$1 took $((SECONDS - began)) s"
	rig_down "$SVC_DIR"
	SVC_DIR=''
}

run_mode wal $(((kills + 1) / 2))
svc_client_kill
[ -z "${SVC_DIR-}" ] || rig_down "$SVC_DIR"
run_mode delete $((kills / 2))
finish
