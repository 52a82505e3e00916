#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# failover.sh [SCENARIO...]: the counter on a real cluster, kept busy by a client
# that checks every answer, while what it runs on dies at random instants.
# Speaks TAP; the last line is 'N passed, N failed'.
#
#   two      two nodes: 20 deaths of the service and 6 of its node, shuffled
#   cut      two nodes: the spare cut off, the primary cut off, a fence race
#   agent    two nodes: hs-agent killed, stopped, hung; the service moved
#   three    three nodes, min_spares=1
#   local    two nodes: the service restarted where it died (restarts.sh)
#
# HS_SEED=N repeats the instants of the run that printed it.  Nothing here
# bounds how quick a takeover is, but that it happens; bench measures.

# shellcheck disable=SC2317	# functions are called by rig_until

set -u
here=$(cd "$(dirname "$0")" && pwd -P)
# shellcheck source-path=SCRIPTDIR source=service.sh
. "$here/service.sh"
# shellcheck source-path=SCRIPTDIR source=tap.sh
. "$here/tap.sh"
# shellcheck source-path=SCRIPTDIR source=restarts.sh
. "$here/restarts.sh"
SVC_NAME=counter
SVC_PROGRAM=counter
SVC_ARGS='-p 4001 -m 4M -d 4'
SVC_PARAMS='ping_timeout=5s'
RIG_NODES='' RIG_VIP=''
ANSWER_S=40	# until somebody answers again, at most
HEALTHY_S=60	# until there is a whole spare again, at most

if ! rig_check_host || ! svc_check_built client_counter; then
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
tap_begin failover end_run

# --- the client -------------------------------------------------------------

client_start() {
	svc_client "$work/client.$1" "$HS_BUILD/tests/rig/client_counter" \
		-r 150 -s $((RANDOM + 1)) -o "$SVC_DIR/report" "$RIG_VIP" 4001
}

# The client's own verdict: it asks for every account once more.
client_finish() {
	local rc

	svc_client_end
	rc=$?
	SVC_CLIENT=''
	sed 's/^/# client: /' "$work/client.$1"
	verdict "$rc" "$1: no answer missing, none twice, none out of order"
}

# --- what happens to the service --------------------------------------------

# So many answers cannot have been on their way.
answers_again() {
	svc_answers_again 600
}

healthy() {
	if ! svc_answers; then
		note "the client has ended or found a breach"
		return 1
	fi
	svc_whole
}

# survived TEXT OLD WHERE: answers came again, from OLD ("same") or from another
# node ("other"); "any" does not mind.
survived() {
	local text=$1 old=$2 where=$3 rc=0 new=none

	if ! answers_again; then
		note "no answers within $ANSWER_S s"
		svc_tell
		rc=1
	elif svc_primary; then
		new=$REPLY
		case $where in
		same)	[ "$new" = "$old" ] || rc=1 ;;
		other)	[ "$new" != "$old" ] || rc=1 ;;
		esac
	else
		rc=1
	fi
	verdict "$rc" "$text: $old -> $new"
}

# A step that cannot be done is a failure, and ends its scenario.
must() {
	"$@" && return 0
	verdict 1 "$*"
	return 1
}

die_service() {
	local old

	must svc_primary || return 1
	old=$REPLY
	svc_nap 1500
	must svc_signal KILL "$old" service || return 1
	survived "$1" "$old" other
	must healthy
}

die_node() {
	local old

	must svc_primary || return 1
	old=$REPLY
	svc_nap 1500
	must rig_poweroff "$SVC_DIR" "$old" || return 1
	survived "$1" "$old" other
	svc_nap 1000
	must rig_poweron "$SVC_DIR" "$old" || return 1
	must healthy
}

# The other node of two.
svc_spare() {
	svc_primary || return 1
	case $REPLY in
	n1)	REPLY=n2 ;;
	*)	REPLY=n1 ;;
	esac
}

svc_is_elsewhere() {
	svc_primary && [ "$REPLY" != "$1" ]
}

node_is_off() {
	! rig_recorded "$SVC_DIR/$1.pid"
}

# Cut NODE off; whoever stays on goes on, and the other comes back.
cut_node() {
	local text=$1 node=$2 old=$3 where=$4 keep=${5-} n

	svc_nap 1000
	must rig_cut "$SVC_DIR" "$node" ${keep:+"$keep"} || return 1
	if [ -n "$keep" ]; then
		# Either may win; the winner's cable is put back.
		rig_until 20 eval 'node_is_off n1 || node_is_off n2'
		for n in n1 n2; do
			node_is_off "$n" || rig_heal "$SVC_DIR" "$n"
		done
	fi
	survived "$text" "$old" "$where"
	rig_until 20 eval 'node_is_off n1 || node_is_off n2'
	verdict $? "$text: one node was fenced"
	must rig_heal "$SVC_DIR" "$node" || return 1
	for n in n1 n2; do
		must rig_poweron "$SVC_DIR" "$n" || return 1
	done
	must healthy
}

# --- scenarios --------------------------------------------------------------

# start NAME [RIG OPTION...]
start() {
	local name=$1

	shift
	note "scenario $name"
	SVC_DIR=$work/$name
	must svc_up "$@" || return 1
	must rig_until "$HEALTHY_S" svc_healthy || return 1
	client_start "$name"
	rig_until "$ANSWER_S" svc_answers_above 100
	verdict $? "$name: the service answers through the VIP"
}

stop() {
	client_finish "$1"
	rig_down "$SVC_DIR"
	SVC_DIR=''
}

shuffled() {
	local i j t
	local -a order=()

	for ((i = 0; i < 26; i++)); do
		order[i]=$([ "$i" -lt 20 ] && echo service || echo node)
	done
	for ((i = 25; i > 0; i--)); do
		j=$((RANDOM % (i + 1)))
		t=${order[i]}
		order[i]=${order[j]}
		order[j]=$t
	done
	ORDER=${order[*]}
}

scenario_two() {
	local kind i=0

	start two || return
	shuffled
	for kind in $ORDER; do
		i=$((i + 1))
		"die_$kind" "two: death $i of 26, of the $kind" || break
	done
	[ "$i" = 26 ]
	verdict $? "two: all 26 deaths took place"
	stop two
}

scenario_cut() {
	local old

	start cut --fence-delay 'n1:0s;n2:1s' || return
	svc_primary && old=$REPLY && svc_spare &&
		cut_node "cut: the spare" "$REPLY" "$old" same &&
		svc_primary && old=$REPLY &&
		cut_node "cut: the primary" "$old" "$old" other &&
		svc_primary && old=$REPLY &&
		cut_node "cut: the primary, with a fence race" "$old" "$old" \
			any --keep-fence
	verdict $? "cut: all three took place"
	stop cut
}

kill_agent() {
	local old service

	must svc_primary || return 1
	old=$REPLY
	must svc_pid "$old" service || return 1
	service=$REPLY
	svc_nap 1000
	must svc_signal KILL "$old" agent || return 1
	rig_until 2 eval "! rig_run '$SVC_DIR' $old kill -0 $service 2>/dev/null"
	verdict $? "agent: the service died with its agent"
	survived "agent: hs-agent killed" "$old" any
	must healthy
}

# With its agent stopped the spare acknowledges nothing: so nobody is answered.
stop_spare() {
	local primary spare before

	must svc_primary || return 1
	primary=$REPLY
	must svc_spare || return 1
	spare=$REPLY
	must svc_signal STOP "$spare" agent || return 1
	sleep 1
	svc_answers
	before=$REPLY
	sleep 2
	svc_answers
	[ "$REPLY" = "$before" ]
	verdict $? "agent: while the spare is stopped nothing is answered"
	must svc_signal CONT "$spare" agent || return 1
	survived "agent: the spare goes on" "$primary" same
	must healthy
}

# What the spare has not read yet is not held, so it was not answered; and what
# was held before is read before the spare may begin.
kill_while_spare_lags() {
	local old spare

	must svc_primary || return 1
	old=$REPLY
	must svc_spare || return 1
	spare=$REPLY
	must svc_signal STOP "$spare" agent || return 1
	svc_nap 500
	must svc_signal KILL "$old" service || return 1
	svc_nap 300
	must svc_signal CONT "$spare" agent || return 1
	survived "agent: the service dies while its spare lags" "$old" other
	must healthy
}

# Pacemaker's monitor times out; the stop that follows must not.
hang_agent() {
	local old

	must svc_primary || return 1
	old=$REPLY
	must svc_signal STOP "$old" agent || return 1
	must rig_until "$HEALTHY_S" svc_is_elsewhere "$old" || return 1
	survived "agent: hs-agent hangs on the primary" "$old" other
	must healthy
}

# NODE may be promoted: its score follows READY by some seconds.
is_scored() {
	rig_run "$SVC_DIR" "$1" timeout 5 attrd_updater --query --node "$1" \
		--name "master-$SVC_NAME" 2>/dev/null |
		grep -q 'value="[1-9][0-9]*"'
}

move_service() {
	local old to

	must svc_primary || return 1
	old=$REPLY
	must svc_spare || return 1
	to=$REPLY
	must rig_until 20 is_scored "$to" || return 1
	rig_run "$SVC_DIR" "$old" timeout 60 pcs resource move \
		"$SVC_NAME-clone" "$to" --promoted >"$work/move" 2>&1
	verdict $? "agent: pcs resource move --promoted" ||
		sed 's/^/# /' "$work/move"
	survived "agent: moved" "$old" other
	must healthy
}

# What Pacemaker remembers of the agents' deaths must not cost a spare its image
# now: that is judged anew when its score follows.
keep_spare() {
	local old agent

	must svc_primary || return 1
	old=$REPLY
	must svc_pid "$old" agent || return 1
	agent=$REPLY
	must svc_signal KILL "$old" service || return 1
	survived "agent: the service dies where agents died" "$old" other
	must healthy && must rig_until 20 is_scored "$old" || return 1
	sleep 1
	svc_pid "$old" agent && [ "$REPLY" = "$agent" ]
	verdict $? "agent: it is kept as a spare"
	must healthy
}

scenario_agent() {
	start agent || return
	kill_agent && stop_spare && kill_while_spare_lags && hang_agent &&
		move_service && keep_spare && keep_spare
	verdict $? "agent: all seven took place"
	stop agent
}


# Nothing waits for the fencing here, as another spare holds: but a node that
# boots before it is done would be shot again.
die_spare() {
	local n primary before

	must svc_primary || return 1
	primary=$REPLY
	for n in $RIG_NODES; do
		[ "$n" = "$primary" ] || break
	done
	svc_nap 1000
	before=$(rig_fencings "$SVC_DIR" "$primary" "$n")
	must rig_poweroff "$SVC_DIR" "$n" || return 1
	survived "$1" "$primary" same
	must rig_until 20 \
		rig_fenced_more "$SVC_DIR" "$primary" "$n" "$before" || return 1
	must rig_poweron "$SVC_DIR" "$n" || return 1
	must healthy
}

cut_third() {
	local old

	must svc_primary || return 1
	old=$REPLY
	svc_nap 1000
	must rig_cut "$SVC_DIR" "$old" || return 1
	survived "$1" "$old" other
	rig_until 20 node_is_off "$old"
	verdict $? "$1: it was fenced"
	must rig_heal "$SVC_DIR" "$old" || return 1
	must rig_poweron "$SVC_DIR" "$old" || return 1
	must healthy
}

scenario_three() {
	SVC_PARAMS="$SVC_PARAMS min_spares=1"
	start three --nodes 3 || return
	die_service "three: death of the service" &&
		die_spare "three: death of a spare's node" &&
		die_node "three: death of the primary's node" &&
		cut_third "three: the primary cut off" &&
		die_service "three: death of the service again"
	verdict $? "three: all five took place"
	stop three
}

[ $# -gt 0 ] || set -- two cut agent three local
for scenario; do
	case $scenario in
	two|cut|agent|three|local) ;;
	*)	note "no scenario is called $scenario"
		failed=$((failed + 1))
		continue ;;
	esac
	began=$SECONDS
	"scenario_$scenario"
	note "$scenario took $((SECONDS - began)) s"
	svc_client_kill
	[ -z "$SVC_DIR" ] || rig_down "$SVC_DIR"
	SVC_DIR=''
done
finish
