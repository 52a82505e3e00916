#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# ocf.sh: the resource agent in the hands of its users: what they do with pcs
# works and loses nothing, and what they get wrong is refused with one line
# that says what to do, while the service beside it goes on.
# Speaks TAP; the last line is 'N passed, N failed'.

# shellcheck disable=SC2317	# functions are called by rig_until

set -u
here=$(cd "$(dirname "$0")" && pwd -P)
# shellcheck source-path=SCRIPTDIR source=service.sh
. "$here/service.sh"
# shellcheck source-path=SCRIPTDIR source=tap.sh
. "$here/tap.sh"
SVC_NAME=db
SVC_PROGRAM=counter
SVC_ARGS='-p 4001 -m 4M'
SVC_PARAMS=''
RIG_NODES='' RIG_VIP=''
WAIT_S=60
left=''

if ! rig_check_host || ! svc_check_built client_counter; then
	printf '0 passed, 1 failed\n'
	exit 1
fi
end_run() {
	rig_down "$SVC_DIR"
}
tap_begin ocf end_run
SVC_DIR=$work/rig

on() {
	local node=$1

	shift
	rig_run "$SVC_DIR" "$node" "$@"
}

pcs() {
	on n1 pcs "$@" >>"$work/pcs" 2>&1
}

# --- the service, seen from outside -------------------------------------------

# One request through the virtual IP; its answer in REPLY.
ask() {
	# shellcheck disable=SC2016	# expanded there
	REPLY=$(rig_client "$SVC_DIR" timeout 2 bash -c '
		exec 3<>"/dev/tcp/$0/4001" && echo "$1" >&3 &&
		    IFS= read -r line <&3 && echo "$line"' "$RIG_VIP" "$1" \
		2>/dev/null)
	[ -n "$REPLY" ]
}

total_is() {
	ask 'SHOW c' && [ "$REPLY" = "LAST c $1" ]
}

# add NO AMOUNT: counted once it is answered.
added() {
	ask "ADD c $1 $2" && [ "${REPLY%% *}" = OK ]
}

# The attribute NAME of NODE as crm_mon has it, in REPLY.
attribute() {
	REPLY=$(on n1 crm_mon --output-as=xml -1A |
		sed -n "/<node name=\"$2\">/,/<\/node>/s/.*name=\"$1\" value=\"\([^\"]*\)\".*/\1/p")
}

attribute_is() {
	attribute "$1" "$2"
	[ "$REPLY" = "$3" ]
}

# The one at work and its spare, in $primary and $spare.
roles() {
	svc_primary || return 1
	primary=$REPLY
	case $primary in
	n1)	spare=n2 ;;
	*)	spare=n1 ;;
	esac
}

primary_is() {
	roles && [ "$primary" = "$1" ]
}

processes() {
	local n

	for n in $RIG_NODES; do
		on "$n" cat "/run/hotspare/$SVC_NAME.pids"
	done 2>&1
}

# Also the spare's next one, which its agent starts a second after a takeover.
all_run() {
	local n

	for n in $RIG_NODES; do
		on "$n" grep -q '^service ' "/run/hotspare/$SVC_NAME.pids" ||
			return 1
	done
}

# monitor_is CODE NODE: the first seconds of a role are not called degraded.
monitor_is() {
	on "$2" hsctl -r "$SVC_NAME" monitor 2>"$work/err"
	[ $? = "$1" ]
}

healthy() {
	rig_until "$WAIT_S" svc_healthy && roles
}

status_has() {
	on "$1" hsctl -r "$SVC_NAME" status --json | tr -d ' \n' | grep -q "$2"
}

# --- what users do --------------------------------------------------------------

look() {
	local n rc

	on n1 pcs resource describe ocf:hotspare:service |
		grep -q '^  program (required)'
	verdict $? 'pcs resource describe explains the parameters'
	for n in PRIMARY:1000:"$primary" READY:100:"$spare"; do
		IFS=: read -r state score node <<<"$n"
		rig_until 10 attribute_is "hs-db-state" "$node" "$state"
		verdict $? "crm_mon shows $state"
		attribute_is "master-db" "$node" "$score"
		verdict $? "crm_mon shows the score $score"
	done
	on "$spare" pcs resource debug-monitor db >>"$work/pcs" 2>&1
	is 0 $? 'debug-monitor of a spare says so'
	on "$primary" pcs resource debug-monitor db >>"$work/pcs" 2>&1
	is 8 $? 'debug-monitor of a primary says so'
	on "$primary" hsctl status | grep -q 'PRIMARY, protected'
	verdict $? 'hsctl status needs no name where one agent runs'
	on "$primary" hsctl status |
		grep -Eq 'node [0-9]: READY, term [1-9][0-9]*, epoch [1-9]'
	verdict $? 'and how far the spare is'
	on "$spare" hsctl status |
		grep -Eq 'node [0-9]: PRIMARY, term [1-9][0-9]*, epoch [1-9]'
	verdict $? 'and how far the primary is'
	on "$primary" setpriv --reuid=65534 --regid=65534 --clear-groups \
		hsctl -r db status 2>"$work/err"
	rc=$?
	is 4 "$rc" 'a stranger may not look'
	grep -q 'be root or in group hotspare' "$work/err"
	verdict $? 'and is told who may'
	on n1 env OCF_ROOT=/usr/lib/ocf OCF_CHECK_LEVEL=10 \
		OCF_RESOURCE_INSTANCE=db \
		OCF_RESKEY_program=/usr/libexec/hotspare/counter \
		/usr/lib/ocf/resource.d/hotspare/service validate-all \
		>"$work/err" 2>&1
	verdict $? 'validate-all at level 10 likes the node'
	grep -q 'in clear: set crypto_cipher' "$work/err"
	verdict $? 'and warns that checkpoints are not encrypted'
}

move() {
	local from=$primary to=$spare

	pcs resource move db-clone "$to" --promoted --wait=40
	verdict $? 'pcs resource move --promoted'
	healthy && primary_is "$to"
	verdict $? "it is promoted there, and $from is a spare"
	rig_until "$WAIT_S" total_is "2 12"
	verdict $? 'and goes on where it was'
}

standby() {
	local from=$primary to=$spare

	pcs node standby "$from" --wait=40
	rig_until "$WAIT_S" primary_is "$to" && rig_until 20 total_is "2 12"
	verdict $? 'standby of the primary: the spare goes on'
	monitor_is 7 "$from"
	verdict $? 'nothing runs on a node in standby'
	rig_until 10 attribute_is master-db "$from" ''
	verdict $? 'it has no score'
	attribute_is hs-db-state "$from" ''
	verdict $? 'and no state'
	rig_until 20 monitor_is 191 "$to"
	verdict $? 'the primary without a spare is degraded'
	pcs node unstandby "$from" --wait=40
	healthy
	verdict $? 'unstandby: it gets the image and is a spare again'
	pcs resource cleanup db-clone
	sleep 1
	on n1 crm_mon -1 | grep -q 'Failed Resource Actions'
	is 1 $? 'cleanup leaves no failed action behind'
}

maintenance() {
	local before

	before=$(processes)
	pcs property set maintenance-mode=true
	sleep 1
	pcs property set maintenance-mode=false
	sleep 2
	is "$before" "$(processes)" 'maintenance touches no process'
	healthy && primary_is "$primary"
	verdict $? 'and no role'
}

pacemaker_is_gone() {
	! on "$1" pgrep -x pacemakerd >/dev/null
}

is_online() {
	on "$1" crm_mon -1 2>/dev/null | grep -q "Online: .*$1"
}

# Pacemaker ends on NODE, its resources do not, and it begins anew.
restart_pacemaker() {
	local pid

	pid=$(on "$1" pgrep -xo pacemakerd) && on "$1" kill "$pid"
	rig_until 30 pacemaker_is_gone "$1" || return 1
	on "$1" setsid pacemakerd -f </dev/null >/dev/null 2>&1 &
	rig_until 30 is_online "$1"
}

# What it has forgotten it is told again, before it decides anything.
restart() {
	local before to=$spare n

	before=$(processes)
	pcs property set maintenance-mode=true
	for n in $RIG_NODES; do
		restart_pacemaker "$n"
		verdict $? "maintenance: Pacemaker restarted on $n" || return
	done
	rig_until 30 attribute_is master-db "$primary" 1000 &&
		rig_until 30 attribute_is master-db "$spare" 100
	verdict $? 'it learns the scores again'
	pcs property set maintenance-mode=false
	sleep 3
	is "$before" "$(processes)" 'the end of maintenance touches no process'
	svc_signal KILL "$primary" service
	rig_until 20 primary_is "$to"
	verdict $? 'and the next death of the service is a takeover'
	healthy && rig_until 20 total_is "2 12"
	verdict $? 'that loses nothing'
}

# A restart of all instances, which is what Pacemaker does for parameters by
# default, would end the state.
parameters() {
	local before

	rig_until 20 all_run
	before=$(processes)
	pcs resource update db min_spares=1 ping_timeout=30s
	rig_until 10 status_has "$primary" '"min_spares":1,'
	verdict $? 'min_spares changes under the running service'
	pcs resource update db arguments="$SVC_ARGS -d 4"
	pcs resource update db min_spares=lots
	sleep 3
	is "$before" "$(processes)" 'no change of parameters restarts anything'
	status_has "$primary" '"min_spares":1,'
	verdict $? 'nonsense changes nothing'
	pcs resource update db min_spares=0 ping_timeout=0s
	rig_until 10 status_has "$primary" '"min_spares":0,'
	verdict $? 'and can be put right'
	pcs resource update db local_restarts=3
	rig_until 10 status_has "$primary" '"limit":3,'
	verdict $? 'so does local_restarts'
	pcs resource update db local_restarts=0
	rig_until 10 status_has "$primary" '"limit":0,'
	verdict $? 'and back'
	healthy && total_is "2 12"
	verdict $? 'all the while it is protected'
}

everywhere() {
	local n left=''

	pcs resource disable db-clone --wait=60
	for n in $RIG_NODES; do
		left+=$(on "$n" sh -c 'ls /run/hotspare | grep -v "\.lock$"
			pgrep -lx hs-agent; pgrep -lx counter')
	done
	is '' "$left" 'disabled, nothing is left of it on any node'
	attribute_is master-db "$primary" '' && attribute_is hs-db-state "$spare" ''
	verdict $? 'nor of its attributes'
	pcs resource enable db-clone
	healthy
	verdict $? 'enabled, it starts again: the cold start'
	rig_until 20 added 1 3 && total_is "1 3"
	verdict $? 'from nothing, for no node had it any more'
}

fenced_since() {
	local when

	when=$(on "$primary" hsctl fenced "$1") && [ "$when" -ge "$2" ] &&
		[ "$when" -le $((EPOCHSECONDS + 1)) ]
}

fencing() {
	local off=$spare id=${spare#n} began

	is 0 "$(on "$primary" hsctl fenced "$id")" 'the fencer has nothing on it'
	began=$EPOCHSECONDS
	rig_poweroff "$SVC_DIR" "$off"
	rig_until "$WAIT_S" fenced_since "$id" "$began"
	verdict $? 'a spare is powered off: hsctl fenced says when it was fenced'
	rig_until "$WAIT_S" status_has "$primary" '"lost":\[\]' &&
		rig_until 20 added 2 4 && total_is "2 7"
	verdict $? 'the primary waits for it no longer'
	on "$primary" hsctl -r db confirm 99 2>"$work/err"
	is 1 $? 'to confirm a node that is not waited for is an error'
	rig_poweron "$SVC_DIR" "$off"
	healthy
	verdict $? 'powered on, it is a spare again'
}

# --- what users get wrong -------------------------------------------------------

# agent WHERE ACTION [NAME=VALUE...]: a second resource, "bad", with these
# parameters, acted on by hand as Pacemaker would; sets $rc and $reason.
agent() {
	local where=$1 action=$2 run=(rig_run "$SVC_DIR" "$1")

	shift 2
	set -- "${@/#/OCF_RESKEY_}"
	[ "$where" != client ] || run=(rig_client "$SVC_DIR")
	"${run[@]}" timeout 60 env OCF_ROOT=/usr/lib/ocf HA_LOGD=no \
		OCF_RESOURCE_INSTANCE=bad OCF_RESKEY_program=/usr/bin/true \
		OCF_RESKEY_CRM_meta_timeout=10000 \
		OCF_RESKEY_CRM_meta_promotable=true "$@" \
		/usr/lib/ocf/resource.d/hotspare/service "$action" \
		>"$work/out" 2>"$work/err"
	rc=$?
	reason=$(sed -n 's/^ocf-exit-reason://p' "$work/err")
}

# What a failed start left on a node, in $left.
left_behind() {
	left=$(on "$1" sh -c 'ls /run/hotspare | grep ^bad | grep -v "\.lock$"
		pgrep -f "resource [b]ad"')
	[ -n "$left" ]
}

nothing_left() {
	! left_behind "$1"
}

# refused TEXT CODE PATTERN WHERE [NAME=VALUE...]: start fails in that way (both
# are regular expressions), and leaves nothing.
refused() {
	local text=$1 code=$2 pattern=$3 where=$4

	shift 4
	agent "$where" start "$@"
	[[ $rc =~ ^$code$ ]] && [[ $reason =~ $pattern ]] &&
		[ "${#reason}" -lt 128 ] && [ "$(wc -l <<<"$reason")" = 1 ]
	verdict $? "$text"
	printf '# %s: %s\n' "$rc" "$reason"
	[ "$where" = client ] && return
	# It says so first, and then goes.
	rig_until 3 nothing_left "$where" ||
		verdict 1 "$text: left behind: $left"
	agent "$where" stop "$@"
	[ "$rc" = 0 ] || verdict 1 "$text: stop fails: $reason"
}

mistakes() {
	local before

	before=$(processes)
	refused 'a program that is not there' 5 'no program /no/such' n1 \
		program=/no/such
	refused 'a program that is none' 4 'not executable' n1 \
		program=/etc/hosts
	on n1 sh -c 'echo nonsense >/tmp/nonsense; chmod +x /tmp/nonsense'
	refused 'a program that is damaged' 1 'before it called hsinit' n1 \
		program=/tmp/nonsense
	refused 'a program that ends at once' 1 'hsinit|ended' n1
	refused 'a program that never calls hsinit()' 1 'hsinit' n1 \
		program=/usr/bin/sleep arguments=1000
	refused 'an option that hs-agent has not' 6 'frobnicate' n1 \
		agent_options=--frobnicate
	refused 'a state directory that cannot be made' '[14]' . n1 \
		agent_options='--state-dir /proc/x'
	refused 'more memory than there are addresses' '[156]' . n1 \
		program=/usr/libexec/hotspare/counter \
		arguments='-p 4002 -m 200000000M'
	refused 'a machine without corosync' 1 'corosync' client \
		program=/usr/libexec/hotspare/counter logfile=/tmp/bad.log \
		agent_options='--run-dir /tmp/bad --state-dir /tmp/bad'
	on n1 sh -c 'fallocate -l 1G /dev/shm/full 2>/dev/null ||
		dd if=/dev/zero of=/dev/shm/full bs=1M 2>/dev/null'
	refused 'a full /dev/shm' 1 '/dev/shm' n1 \
		program=/usr/libexec/hotspare/counter arguments='-p 4002'
	on n1 rm -f /dev/shm/full
	is "$before" "$(processes)" 'the service beside all that was not touched'
	svc_healthy && total_is "2 7"
	verdict $? 'and has lost nothing'
}

# A service whose user corosync does not know, until it is told.
stranger() {
	local n

	rig_down "$SVC_DIR"
	SVC_DIR=$work/stranger
	SVC_PARAMS='user=nobody'
	svc_up --nodes 2 || return
	rig_until "$WAIT_S" roles && rig_until 20 attribute_is master-db \
		"$primary" 1000
	verdict $? 'a service that corosync does not know starts'
	rig_until 20 monitor_is 191 "$primary"
	verdict $? 'but it is not protected'
	grep -q 'uidgid.d and run corosync-cfgtool -R' "$work/err"
	verdict $? 'and is told what to do'
	added 1 5
	is 1 $? 'nothing is said to be held'
	for n in $RIG_NODES; do
		on "$n" sh -c 'printf "uidgid {\n\tuid: nobody\n}\n" \
			>/etc/corosync/uidgid.d/db; corosync-cfgtool -R' \
			>"$work/out"
	done
	rig_until "$WAIT_S" added 1 5 && rig_until "$WAIT_S" svc_healthy
	verdict $? 'once that is done, it is protected, without a restart'
}

# ---------------------------------------------------------------------------------

svc_up --nodes 2 || exit 1
healthy
verdict $? 'two nodes: one primary, one spare' || exit 1
rig_until 20 added 1 5 && added 2 7
verdict $? 'it counts' || exit 1
for part in look move standby maintenance restart parameters everywhere fencing \
    mistakes stranger; do
	printf '# %s\n' "$part"
	roles
	"$part"
done
finish
