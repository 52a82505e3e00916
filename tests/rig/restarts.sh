# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Sourced by failover.sh: the scenario of services that go on where they died
# (local_restarts), and of all that may come in between.
# shellcheck disable=SC2154	# work and SVC_* are of failover.sh

RESTART_KILLS=20

# local_agent NODE PATTERN: how many lines of its agent's log match.
local_agent() {
	grep -cE "$2" "$SVC_DIR/log/$1/hs-agent.log"
}

# Whatever Pacemaker did to the service and to its address, on all nodes.
local_actions() {
	cat "$SVC_DIR"/log/n[1-3]/pacemaker/pacemaker.log |
		grep -cE "Initiating (start|stop|promote|demote) operation ($SVC_NAME|vip)_"
}

# Pacemaker remembers no failure of the service.
local_unfailed() {
	rig_run "$SVC_DIR" "$1" timeout 10 cibadmin --query --xpath \
		"//nvpair[starts-with(@name,'fail-count-$SVC_NAME')]" \
		>"$work/failcount" 2>&1
	[ $? = 105 ] || {
		sed 's/^/# /' "$work/failcount"
		return 1
	}
}

# The process that waits beside the service of NODE, in REPLY.
local_waiting() {
	local kind pid rest n=0

	REPLY=
	while read -r kind pid rest; do
		[ "$kind" != service ] || n=$((n + 1))
		[ "$n" != 2 ] || REPLY=$pid
	done < <(rig_run "$SVC_DIR" "$1" cat "/run/hotspare/$SVC_NAME.pids")
	[ -n "$REPLY" ]
}

local_set() {
	rig_run "$SVC_DIR" "$1" timeout 20 \
		pcs resource update "$SVC_NAME" "local_restarts=$2" >/dev/null 2>&1
	rig_until 10 eval "svc_number $1 limit && [ \"\$REPLY\" = $2 ]"
}

# A restart on NODE that does not come to its end: the one that waits is stopped
# (no process answers to SIGSTOP), and then the one that serves is killed.
local_hang() {
	local before

	must rig_until 10 local_waiting "$1" || return 1
	# It has to be in hsinit() by now.
	sleep 0.5
	rig_run "$SVC_DIR" "$1" kill -STOP "$REPLY"
	before=$(local_agent "$1" 'service [0-9]+ killed')
	must svc_signal KILL "$1" service || return 1
	rig_until 5 eval \
		"[ \"\$(local_agent $1 'service [0-9]+ killed')\" -gt $before ]"
}

local_kills() {
	local old=$1 spare=$2 i fallen actions

	fallen=$(local_agent "$spare" 'READY ->')
	actions=$(local_actions)
	for ((i = 1; i <= RESTART_KILLS; i++)); do
		svc_nap 700
		must svc_signal KILL "$old" service || return 1
		if ! svc_answers_again 100 || ! svc_primary ||
		    [ "$REPLY" != "$old" ]; then
			break
		fi
	done
	[ "$i" -gt "$RESTART_KILLS" ]
	verdict $? "local: $RESTART_KILLS deaths, each survived on $old" ||
		svc_tell
	is "$RESTART_KILLS" "$(local_agent "$old" 'restarted here')" \
		"local: as often it was restarted"
	local_unfailed "$old"
	verdict $? "local: Pacemaker counted no failure"
	# Until what hs-agent tells late has been told, and thought about.
	rig_until 10 eval "[ \"\$(local_attribute $old restarts)\" = $RESTART_KILLS ]"
	verdict $? "local: crm_mon says how often"
	sleep 1
	is "$actions" "$(local_actions)" "local: Pacemaker did nothing"
	is "$fallen" "$(local_agent "$spare" 'READY ->')" \
		"local: the spare was one all the time"
	grep -aoE 'epoch [0-9]+ after [0-9.]+ ms$' \
		"$SVC_DIR/log/$old/hs-agent.log" |
		sort -k 4 -n | awk '{ v[NR] = $4 } END { printf \
		"# running again after %s ms (%s to %s)\n", \
		v[int((NR + 1) / 2)], v[1], v[NR] }'
}

local_attribute() {
	rig_run "$SVC_DIR" "$1" timeout 5 attrd_updater --query --node "$1" \
		--name "hs-$SVC_NAME-$2" 2>/dev/null |
		sed -n 's/.*value="\([^"]*\)".*/\1/p'
}

# One more than the limit.
local_limit() {
	must local_set "$1" 2 || return 1
	must svc_signal KILL "$1" service || return 1
	survived "local: the limit is used up" "$1" other
	[ "$(local_agent "$1" 'not restarted here: that was done')" = 1 ]
	verdict $? "local: hs-agent says so"
	must healthy
}

# The move finds no process that serves, and kills the one that was to.
local_move() {
	local to

	svc_spare && to=$REPLY
	must rig_until 20 is_scored "$to" && must local_hang "$1" || return 1
	rig_run "$SVC_DIR" "$1" timeout 60 pcs resource move \
		"$SVC_NAME-clone" "$to" --promoted >"$work/move" 2>&1
	verdict $? "local: moved in the middle of a restart" ||
		sed 's/^/# /' "$work/move"
	survived "local: moved in the middle of a restart" "$1" other
	must healthy
}

local_stop() {
	must local_hang "$1" || return 1
	rig_run "$SVC_DIR" "$1" timeout 60 pcs node standby "$1"
	survived "local: stopped in the middle of a restart" "$1" other
	rig_run "$SVC_DIR" "$1" timeout 60 pcs node unstandby "$1"
	must healthy
}

local_bound() {
	must local_hang "$1" || return 1
	survived "local: a restart that hangs is given up" "$1" other
	must healthy
}

local_all() {
	local old

	svc_primary && old=$REPLY && svc_spare && local_kills "$old" "$REPLY" &&
		die_node "local: death of the node after restarts" &&
		svc_primary && local_move "$REPLY" &&
		svc_primary && local_bound "$REPLY" &&
		svc_primary && local_stop "$REPLY" &&
		svc_primary && old=$REPLY && must svc_signal KILL "$old" service &&
		survived "local: restarted once more" "$old" same &&
		local_limit "$old"
}

scenario_local() {
	# shellcheck disable=SC2034	# service.cib's
	SVC_PARAMS="ping_timeout=5s local_restarts=1000"
	start 'local' || return
	local_all
	verdict $? "local: all of it took place"
	stop 'local'
}
