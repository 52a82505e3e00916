#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# badinput.sh [SCENARIO...]: what should have no effect has none, on a real
# cluster with the counter on it, kept busy by the client that checks every
# answer.  Speaks TAP; the last line is 'N passed, N failed'.
#
#   rogue    a stranger in the group forges, replays and damages
#   refuse   services that cannot work: one line each, nothing lost
#   faults   the primary's and the spare's own calls fail, one after another
#   sync     deaths in the midst of the transfer of a large image
#
# Wants a build with --enable-faults: HS_BUILD, and HS_ROOT installed from it
# (tests/suite badinput makes both).

# shellcheck disable=SC2317	# functions are called by rig_until

set -u
here=$(cd "$(dirname "$0")" && pwd -P)
: "${HS_BUILD:=${here%/tests/rig}/build/faults}"
: "${HS_ROOT:=$HS_BUILD/root}"
# shellcheck source-path=SCRIPTDIR source=service.sh
. "$here/service.sh"
# shellcheck source-path=SCRIPTDIR source=tap.sh
. "$here/tap.sh"
SVC_NAME=counter
SVC_PROGRAM=faulty
SVC_ARGS=''
SVC_PARAMS='min_spares=1'	# so that every answer is a held one
RIG_NODES='' RIG_VIP=''
ANSWER_S=40	# until somebody answers again, at most
HEALTHY_S=60	# until there is a whole spare again, at most
AGENT=/usr/lib/ocf/resource.d/hotspare/service
PROGRAMS=/usr/libexec/hotspare
ROUNDS=${HS_ROUNDS:-2}

end_run() {
	svc_client_kill
	[ -z "${SVC_DIR-}" ] || rig_down "$SVC_DIR"
	rm -rf "$work/root"
}
tap_begin badinput end_run

# --- the rig and what is laid over it ---------------------------------------

# Programs by which faults are armed: those that /run/fault-NAME names, if it is
# there when the process starts.
wrap() {
	cat >"$1" <<-END
	#!/bin/sh
	unset HS_FAULT	# the agent's is not its child's
	if [ -s /run/fault-$3 ]; then
		HS_FAULT=\$(cat /run/fault-$3)
		export HS_FAULT
	fi
	exec $2 "\$@"
	END
	chmod 755 "$1"
}

lay_root() {
	local libexec=$work/root$PROGRAMS

	cp -a "$HS_ROOT" "$work/root" &&
	mv "$work/root/usr/sbin/hs-agent" "$libexec/hs-agent" &&
	wrap "$work/root/usr/sbin/hs-agent" "$PROGRAMS/hs-agent" agent &&
	wrap "$libexec/faulty" "$PROGRAMS/counter" service &&
	wrap "$libexec/game" "$PROGRAMS/tetris" game &&
	cp "$HS_BUILD/tests/fault/squat" "$HS_BUILD/tests/rig/rogue" "$libexec" &&
	printf '#!/bin/sh\nkill -SEGV $$\n' >"$libexec/crash" &&
	printf 'no program\n' >"$libexec/plain" &&
	chmod 755 "$libexec/crash" && chmod 644 "$libexec/plain" &&
	HS_ROOT=$work/root
}

client_start() {
	svc_client "$work/client.$1" "$HS_BUILD/tests/rig/client_counter" \
		-s 7 -g 300 -o "$SVC_DIR/report" "$RIG_VIP" 4001
}

# $1 new answers (200): so many cannot have been on their way.
answers_again() {
	svc_answers_again "${1:-200}"
}

# PRIMARY and SPARE, of two nodes.
who() {
	svc_primary || return 1
	PRIMARY=$REPLY
	case $REPLY in
	n1)	SPARE=n2 ;;
	*)	SPARE=n1 ;;
	esac
}

start() {
	local name=$1

	shift
	note "scenario $name"
	SVC_DIR=$work/$name
	must svc_up "$@" || return 1
	must svc_whole || return 1
	client_start "$name"
	rig_until "$ANSWER_S" svc_answers_above 100
	verdict $? "$name: the service answers"
	who
}

# The service's own process dies; the state goes on at the spare.
takeover() {
	local old

	must who || return 1
	old=$PRIMARY
	must svc_signal KILL "$old" service || return 1
	answers_again && who && [ "$PRIMARY" != "$old" ]
	verdict $? "$1: afterwards the spare takes over, $old -> $PRIMARY"
	must svc_whole
}

stop() {
	local rc

	svc_client_end
	rc=$?
	SVC_CLIENT=''
	sed 's/^/# client: /' "$work/client.$1"
	verdict "$rc" "$1: no answer missing, none twice, none out of order"
	rig_down "$SVC_DIR"
	SVC_DIR=''
}

# How often NODE refused for REASON, in REPLY.
refused() {
	svc_number "$1" "$2" || REPLY=0
}

# The text of member KEY of NODE's status, in REPLY.
member() {
	REPLY=$(rig_run "$SVC_DIR" "$1" timeout 5 \
		hsctl -r "${3:-$SVC_NAME}" status --json 2>/dev/null |
		sed -n "s/^ *\"$2\": *\"\\(.*\\)\",*\$/\\1/p" | head -n 1)
}

is_state() {
	member "$1" state
	[ "$REPLY" = "$2" ]
}

# --- rogue ------------------------------------------------------------------

# rogue_says NODE REASON COUNT KIND...: said on NODE, it is refused by both for
# REASON, COUNT times at least, and changes nothing.
rogue_says() {
	local node=$1 reason=$2 count=$3 term rc=0 n
	local -A before=()

	shift 3
	svc_number "$PRIMARY" term
	term=$REPLY
	for n in $RIG_NODES; do
		refused "$n" "$reason"
		before[$n]=$REPLY
	done
	rig_run "$SVC_DIR" "$node" timeout 20 "$PROGRAMS/rogue" "$SVC_NAME" \
		"$@" >"$work/heard" 2>&1 || rc=1
	[ "$rc" = 0 ] || sed 's/^/# /' "$work/heard"
	answers_again || rc=1
	for n in $RIG_NODES; do
		[ "$count" -gt 0 ] || break
		refused "$n" "$reason"
		[ "$REPLY" -ge $((before[$n] + count)) ] && continue
		note "$n: refused $((REPLY - before[$n])) times for $reason"
		rc=1
	done
	svc_number "$PRIMARY" term && [ "$REPLY" = "$term" ] || rc=1
	is_state "$PRIMARY" PRIMARY && is_state "$SPARE" READY || rc=1
	verdict "$rc" "rogue: $* from $node"
}

# One line of the log for each reason, at least.
logged() {
	local n reason rc=0

	for n in $RIG_NODES; do
		for reason in damaged version old-term sender; do
			grep -q "refused .*($reason): .* so far" \
				"$SVC_DIR/log/$n/hs-agent.log" && continue
			note "$n: no line for $reason"
			rc=1
		done
	done
	verdict "$rc" 'rogue: each reason was logged'
}

scenario_rogue() {
	local n

	SVC_ARGS='-p 4001 -m 4M -d 4'
	start rogue || return
	for n in "$PRIMARY" "$SPARE"; do
		rogue_says "$n" damaged 4 cut flip noise cut
		rogue_says "$n" version 2 version version
		rogue_says "$n" old-term 1 old
		rogue_says "$n" sender 3 sender forge sender
		rogue_says "$n" sender 2 ack term
		rogue_says "$n" '' 0 image
	done
	logged
	takeover rogue
	stop rogue
}

# --- refuse -----------------------------------------------------------------

# ocf NODE NAME ACTION [PARAMETER=VALUE...]: what it said is in $work/said.
ocf() {
	local node=$1 name=$2 action=$3 p
	local -a vars=()

	shift 3
	for p; do
		vars+=("OCF_RESKEY_$p")
	done
	rig_run "$SVC_DIR" "$node" env OCF_ROOT=/usr/lib/ocf \
		OCF_RESOURCE_INSTANCE="$name:0" OCF_RESOURCE_PROVIDER=hotspare \
		OCF_RESOURCE_TYPE=service OCF_RESKEY_CRM_meta_timeout=9000 \
		OCF_RESKEY_CRM_meta_promoted_max=1 \
		OCF_RESKEY_CRM_meta_master_max=1 "${vars[@]}" \
		timeout 40 "$AGENT" "$action" >"$work/said" 2>&1
}

# refuses CODE PATTERN TEXT [PARAMETER=VALUE...]: start does, with one reason,
# and leaves nothing.
refuses() {
	local code=$1 pattern=$2 text=$3 rc=0 got

	shift 3
	ocf n1 bad start "$@"
	got=$?
	[ "$got" = "$code" ] || rc=1
	[ "$(grep -c '^ocf-exit-reason:' "$work/said")" = 1 ] || rc=1
	grep -Eq "^ocf-exit-reason:.*$pattern" "$work/said" || rc=1
	ocf n1 bad monitor "$@"
	[ $? = 7 ] || { note 'something is left running'; rc=1; }
	verdict "$rc" "refuse: $text" && return 0
	note "start ended with $got"
	sed 's/^/# /' "$work/said"
	return 1
}

# With no room for one more ring buffer of libqb.
full_shm() {
	local mb

	mb=$(rig_run "$SVC_DIR" n1 df -m --output=used /dev/shm | tail -n 1)
	must rig_run "$SVC_DIR" n1 mount -o "remount,size=$((mb + 1))m" \
		/dev/shm || return
	refuses 1 '/dev/shm' 'a full /dev/shm' program="$PROGRAMS/counter"
	rig_run "$SVC_DIR" n1 mount -o remount,size=1g /dev/shm
}

said_why() {
	ocf n1 perm monitor
	[ $? = 191 ] && grep -q '^ocf-exit-reason:.*uidgid' "$work/said"
}

# The service's user is not admitted to corosync: nothing can be held, and
# whoever looks is told why.
no_permission() {
	local rc=0 lines

	ocf n1 perm start program="$PROGRAMS/counter" user=nobody \
		arguments='-p 4009' logfile=/tmp/perm.log \
		agent_options="--agent-log /run/perm.log" &&
	rig_until 10 ocf n1 perm promote
	sleep 2
	# Each role begins with plain answers.
	rig_until 20 said_why || rc=1
	verdict "$rc" 'refuse: no permission: monitor says what to do' ||
		sed 's/^/# /' "$work/said"
	lines=$(rig_run "$SVC_DIR" n1 grep -c 'service says' /run/perm.log)
	[ "$lines" = 1 ]
	verdict $? 'refuse: no permission: logged once' ||
		note "$lines lines in 2 s"
	rig_run "$SVC_DIR" n1 hsctl -r perm status --json 2>/dev/null |
		grep -q '"epoch_held": *[1-9]'
	[ $? = 1 ]
	verdict $? 'refuse: no permission: nothing is held'
	ocf n1 perm stop
	verdict $? 'refuse: no permission: it can be stopped'
}

# The same, as Pacemaker shows it.
shown_by_pacemaker() {
	rig_run "$SVC_DIR" n1 timeout 30 pcs resource create never \
		ocf:hotspare:service program=/bin/sleep arguments=1000 \
		op start timeout=9s promotable >"$work/pcs" 2>&1
	rig_until 30 pacemaker_shows "did not call hsinit() within"
	verdict $? 'refuse: crm_mon shows why a start failed' || {
		rig_run "$SVC_DIR" n1 crm_mon -1 | sed 's/^/# /'
	}
	rig_run "$SVC_DIR" n1 timeout 30 pcs resource delete never --force \
		>>"$work/pcs" 2>&1
}

pacemaker_shows() {
	rig_run "$SVC_DIR" n1 crm_mon -1 2>/dev/null | grep -qF "$1"
}

scenario_refuse() {
	SVC_ARGS='-p 4001 -m 4M -d 4'
	start refuse || return
	refuses 5 "no program $PROGRAMS/none here" 'a wrong program path' \
		program="$PROGRAMS/none"
	refuses 4 'is not executable' 'a program that is not executable' \
		program="$PROGRAMS/plain"
	refuses 1 'exited with 0 before it called hsinit' \
		'a program that ends at once' program=/bin/true
	refuses 1 'killed by SIGSEGV before it called hsinit' \
		'a program that crashes' program="$PROGRAMS/crash"
	refuses 1 'did not call hsinit\(\) within . s: is it linked' \
		'a program that never calls hsinit' \
		program=/bin/sleep arguments=1000
	refuses 1 'arena address .* taken by' 'a taken arena address' \
		program="$PROGRAMS/squat" arguments=arena
	refuses 1 'userfaultfd is not permitted' 'no userfaultfd' \
		program="$PROGRAMS/squat" 'arguments=EPERM wpa'
	full_shm
	rig_client "$SVC_DIR" env timeout 20 hs-agent --resource bad \
		--state-dir /run/bad -- "$PROGRAMS/counter" >"$work/said" 2>&1
	[ $? = 1 ] && [ "$(grep -c '' "$work/said")" = 1 ] &&
		grep -q corosync "$work/said"
	verdict $? 'refuse: no corosync' || sed 's/^/# /' "$work/said"
	no_permission
	shown_by_pacemaker
	must svc_whole && takeover refuse
	stop refuse
}

# --- faults -----------------------------------------------------------------

# arm NODE agent|service|game FAULTS: for processes that start from now on.
arm() {
	# shellcheck disable=SC2016
	rig_run "$SVC_DIR" "$1" sh -c 'printf "%s" "$2" >"/run/fault-$1"' \
		sh "$2" "$3"
}

other_pid() {
	svc_pid "$1" "$2" && [ "$REPLY" != "$3" ]
}

# The process that waits at the spare is started anew.
renew_spare() {
	local old

	# A spare is whole some time before its next process is started.
	must rig_until 15 svc_pid "$SPARE" service || return 1
	must svc_pid "$SPARE" service || return 1
	old=$REPLY
	must svc_signal KILL "$SPARE" service || return 1
	must rig_until 15 other_pid "$SPARE" service "$old" &&
		must rig_until 15 is_waiting
}

is_waiting() {
	member "$SPARE" phase
	[ "$REPLY" = waiting ]
}

counted() {
	refused "$1" "$2"
	[ "$REPLY" -gt "$3" ]
}

# A primary whose libhs goes wrong at its 150th chunk.
faulty_primary() {
	local fault=$1 reason=$2 n rc=0
	local -A before=()

	must who || return 1
	must arm "$SPARE" service "$fault" || return 1
	must renew_spare || return 1
	must arm "$SPARE" service '' || return 1
	must svc_whole || return 1
	for n in $RIG_NODES; do
		refused "$n" "${reason:-none}"
		before[$n]=$REPLY
	done
	must svc_signal KILL "$PRIMARY" service || return 1
	answers_again 1500 || rc=1
	for n in $RIG_NODES; do
		[ -n "$reason" ] || break
		rig_until 10 counted "$n" "$reason" "${before[$n]}" && continue
		note "$n refused nothing for $reason"
		rc=1
	done
	must svc_whole || rc=1
	verdict "$rc" "faults: $fault at the primary"
	takeover "faults: $fault"
}

# A spare whose agent goes wrong.
faulty_spare() {
	local fault=$1 reason=$2 old rc=0

	must who || return 1
	must svc_pid "$SPARE" agent || return 1
	old=$REPLY
	must arm "$SPARE" agent "$fault" || return 1
	must svc_signal KILL "$SPARE" agent || return 1
	must rig_until 30 other_pid "$SPARE" agent "$old" || return 1
	must arm "$SPARE" agent '' || return 1
	if [ -n "$reason" ]; then
		rig_until 30 counted "$SPARE" "$reason" 0 || {
			note "$SPARE refused nothing for $reason"
			rc=1
		}
	fi
	answers_again 1000 || rc=1
	must svc_whole || rc=1
	verdict "$rc" "faults: $fault at the spare"
	takeover "faults: $fault"
}

game_ticks() {
	SVC_NAME=game svc_number n1 epoch_held && [ "$REPLY" -gt 100 ]
}

# Each tick of tetris waits for the one before, by polling: none may wait for
# ever when the messaging breaks under it.
game_goes_on() {
	local n rc=0

	must arm n1 game xport_send:50 || return 1
	for n in $RIG_NODES; do
		must ocf "$n" game start program="$PROGRAMS/game" \
			arguments='-p 4002 -t 20' logfile=/tmp/game.log \
			agent_options='--agent-log /run/game.log' || return 1
	done
	must rig_until 10 ocf n1 game promote || return 1
	rig_until 15 game_ticks || rc=1
	verdict "$rc" "faults: xport_send:50 in tetris: it goes on" ||
		note "epoch $REPLY is held, and no more"
	for n in n1 n2; do
		must ocf "$n" game stop || return 1
	done
}

scenario_faults() {
	SVC_ARGS='-p 4001 -m 4M -d 4'
	if ! grep -q HS_FAULT "$HS_ROOT$PROGRAMS/hs-agent"; then
		verdict 1 'faults: a build with --enable-faults'
		return
	fi
	start faults || return
	faulty_primary chunk_corrupt:150 damaged &&
		faulty_primary chunk_drop:150 gap &&
		faulty_primary xport_send:150 '' &&
		faulty_primary ack_drop:150 '' &&
		game_goes_on &&
		faulty_spare memfd_create:1,image_fallocate:300,chunk_drop:900 \
			memory &&
		faulty_spare stage_alloc:20,ack_drop:50 memory
	verdict $? 'faults: all of them took place'
	stop faults
}

# --- sync -------------------------------------------------------------------

# The spare's agent is killed; REPLY is known to be SYNCING when this returns.
resync() {
	must who || return 1
	must svc_signal KILL "$SPARE" agent || return 1
	must rig_until 40 is_state "$SPARE" SYNCING
}

agent_rss() {
	local pid

	svc_pid "$1" agent || return 1
	pid=$REPLY
	REPLY=$(rig_run "$SVC_DIR" "$1" sed -n 's/^RssAnon:[^0-9]*\([0-9]*\).*/\1/p' \
		"/proc/$pid/status")
	[ -n "$REPLY" ]
}

# The one at the primary serves, the one at the spare is new each time.
rounds() {
	local i first last rc=0

	for ((i = 0; i < ROUNDS; i++)); do
		resync || return 1
		sleep "0.$((RANDOM % 10))"
		must svc_signal KILL "$SPARE" agent || return 1
		must svc_whole && must answers_again || return 1
		agent_rss "$PRIMARY" || return 1
		last=$REPLY
		[ "$i" -gt 0 ] || first=$last
		note "round $i: agent of the primary has $last KiB of its own"
	done
	[ "$last" -lt $((first + 16384)) ] || rc=1
	verdict "$rc" "sync: $((2 * ROUNDS)) transfers, half of them broken, leak nothing"
}

scenario_sync() {
	local old before

	SVC_ARGS='-p 4001 -m 120M -d 16'
	start sync || return
	must resync && must rig_poweroff "$SVC_DIR" "$SPARE" || return
	svc_answers
	before=$REPLY
	sleep 2
	svc_answers && [ "$REPLY" = "$before" ]
	verdict $? 'sync: the spare powered off in its midst: nothing is answered'
	# One that boots before the fencing is done would be shot again.
	must rig_until 30 grep -q 'is fenced' \
		"$SVC_DIR/log/$PRIMARY/hs-agent.log" &&
		must rig_poweron "$SVC_DIR" "$SPARE" && must svc_whole || return
	resync || return
	old=$PRIMARY
	must svc_signal KILL "$PRIMARY" service || return
	answers_again && who && [ "$PRIMARY" = "$old" ]
	verdict $? "sync: the primary died in its midst: $old -> $PRIMARY"
	must svc_whole && rounds && takeover sync
	stop sync
}

# In a function: bash reads a script as it goes, and this one runs for minutes.
main() {
	local scenario began

	rig_check_host || exit 1
	SVC_PROGRAM=counter svc_check_built rogue || exit 1
	lay_root || exit 1
	[ $# -gt 0 ] || set -- rogue refuse faults sync
	for scenario; do
		case $scenario in
		rogue|refuse|faults|sync) ;;
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
}

main "$@"
