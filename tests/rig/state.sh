#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# state.sh [--kills N]: svc_state on a real cluster of two nodes, from node to
# node: what it runs on dies N times (12) at random instants, every sixth time the
# node by its power, else the service by SIGKILL.  After each death the other
# node's process finds all registered descriptors as they were at the last held
# checkpoint: numbers, options, contents and what was not read; one verdict a
# kind.  Speaks TAP; the last line is 'N passed, N failed'.
#
# HS_SEED=N repeats the instants of the run that printed it.

# shellcheck disable=SC2317	# functions are called by rig_until

set -u
here=$(cd "$(dirname "$0")" && pwd -P)
# shellcheck source-path=SCRIPTDIR source=service.sh
. "$here/service.sh"
# shellcheck source-path=SCRIPTDIR source=tap.sh
. "$here/tap.sh"
SVC_NAME=state
SVC_PROGRAM=counter		# is installed; what runs is SVC_PATH
SVC_PATH=$HS_BUILD/tests/rig/svc_state
SVC_PARAMS=''
RIG_NODES=''
SERVES_S=40	# until somebody serves again, at most
HEALTHY_S=60	# until there is a whole spare again, at most
NODE_EVERY=6	# deaths: one is of the node
kills=12

case ${1-} in
--kills) kills=${2:?how many} ;;
'') ;;
*)	printf 'usage: state.sh [--kills N]\n' >&2
	exit 2 ;;
esac
if ! rig_check_host || ! svc_check_built svc_state; then
	printf '0 passed, 1 failed\n'
	exit 1
fi
: "${HS_SEED:=$((EPOCHSECONDS % 32768))}"
RANDOM=$HS_SEED
printf '# HS_SEED=%s\n' "$HS_SEED"
keeper=''
end_run() {
	[ -z "$keeper" ] || kill "$keeper" 2>/dev/null
	[ -z "${SVC_DIR-}" ] || rig_down "$SVC_DIR"
}
tap_begin state end_run

# How often a service has begun to serve, in REPLY; false if one was wrong.
count_services() {
	REPLY=$(grep -c '^serves ' "$log")
	! grep -q '^wrong' "$log"
}

serves_again() {
	count_services || return 2
	[ "$REPLY" -gt "$served" ]
}

look() {
	svc_tell
	tail -n 3 "$log" | sed 's/^/# log: /'
}

# die service|node: it dies, and another node goes on.
die() {
	local old

	svc_primary || return 1
	old=$REPLY
	svc_nap 1000
	count_services
	served=$REPLY
	case $1 in
	service) svc_signal KILL "$old" service ;;
	node)	rig_poweroff "$SVC_DIR" "$old" ;;
	esac || return 1
	rig_until "$SERVES_S" serves_again || return 1
	svc_primary && [ "$REPLY" != "$old" ] || return 1
	[ "$1" != node ] || { svc_nap 1000 && rig_poweron "$SVC_DIR" "$old"; } ||
		return 1
	rig_until "$HEALTHY_S" svc_healthy
}

SVC_DIR=$work/rig
log=$SVC_DIR/said
# A terminal that outlives the services.  /run is each node's own: the files
# there came with the checkpoint or not at all.
"$SVC_PATH" --terminal "$work/terminal" &
keeper=$!
must rig_until 5 test -s "$work/terminal" || finish
read -r terminal <"$work/terminal"
SVC_ARGS="$SVC_DIR/turn /run $log $terminal"
must svc_up || finish
must rig_until "$HEALTHY_S" svc_healthy || finish
for ((i = 1; i <= kills; i++)); do
	kind=service
	[ $((i % NODE_EVERY)) != 0 ] || kind=node
	die $kind || break
done
[ "$i" -gt "$kills" ] && ! grep -q '^wrong' "$log"
verdict $? "$((i - 1)) deaths of $kills: another node goes on" || look
while read -r kind; do
	n=$(grep -cxF "same $kind" "$log")
	[ "$n" = "$kills" ]
	verdict $? "$kind: the same after $n takeovers"
done < <(sed -n 's/^same //p' "$log" | sort -u)
finish
