# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# What demo.sh and failover.sh share: a rig with one service on it, and looking
# at both.  To be sourced; the rig's directory is SVC_DIR.
#
#   svc_up [RIG OPTION...]	after SVC_NAME, SVC_PROGRAM, SVC_ARGS, SVC_PARAMS;
#				SVC_PATH is where a program is that is not
#				installed
#   svc_primary			the node where it is promoted
#   svc_healthy			one promoted, every other node a whole spare
#   svc_whole			... within HEALTHY_S

SVC_HOME=$(cd "${BASH_SOURCE[0]%/*}" && pwd -P)
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$SVC_HOME/lib.sh"

: "${HS_ROOT:=${SVC_HOME%/tests/rig}/build/root}"
: "${HS_BUILD:=$HS_ROOT/../default}"

# Milliseconds since the epoch.
svc_now() {
	local t=$EPOCHREALTIME

	REPLY=$((${t/[.,]/} / 1000))
}

svc_check_built() {
	local f

	for f in "$HS_ROOT/usr/libexec/hotspare/$SVC_PROGRAM" \
	    "$HS_ROOT/usr/sbin/hs-agent" "$HS_BUILD/tests/rig/$1"; do
		[ -x "$f" ] || {
			printf '%s: %s is missing: build first (tests/suite build)\n' \
				"${0##*/}" "$f" >&2
			return 1
		}
	done
}

svc_up() {
	export SVC_NAME SVC_PROGRAM SVC_ARGS SVC_PARAMS SVC_PATH=${SVC_PATH-}
	export SVC_SLOW=${SVC_SLOW:-1}
	rig_up "$SVC_DIR" --root "$HS_ROOT" --cib "$SVC_HOME/service.cib" \
		--owner $$ "$@" || return 1
	eval "$(rig_env "$SVC_DIR")"
}

# What the agent of NODE says of itself: SVC_STATE (READY, PRIMARY, ...; empty
# when it says nothing) and, of a primary, SVC_PROTECTION.
svc_look() {
	local json

	SVC_STATE='' SVC_PROTECTION=''
	svc_node_is_on "$1" || return 1
	json=$(rig_run "$SVC_DIR" "$1" timeout 5 \
		hsctl -r "$SVC_NAME" status --json 2>/dev/null) || return 1
	[[ $json =~ \"state\":\ *\"([A-Z]*)\" ]] || return 1
	SVC_STATE=${BASH_REMATCH[1]}
	[[ $json =~ \"protection\":\ *\"([a-z]*)\" ]] || return 0
	SVC_PROTECTION=${BASH_REMATCH[1]}
}

svc_node_is_on() {
	[ -s "$SVC_DIR/$1.pid" ]
}

# The node where the service is promoted and runs, in REPLY.
svc_primary() {
	local n

	for n in $RIG_NODES; do
		svc_look "$n"
		REPLY=$n
		[ "$SVC_STATE" != PRIMARY ] || return 0
	done
	REPLY=
	return 1
}

svc_healthy() {
	local n states=''

	for n in $RIG_NODES; do
		svc_look "$n" || return 1
		states="$states $SVC_STATE${SVC_PROTECTION:+-$SVC_PROTECTION}"
	done
	case "$states " in
	*' PRIMARY-protected '*)
		[ "$(tr ' ' '\n' <<<"$states" | grep -c READY)" = \
			$(($(wc -w <<<"$RIG_NODES") - 1)) ] ;;
	*)	return 1 ;;
	esac
}

# What the nodes say, as TAP's comments.
svc_tell() {
	local n

	for n in $RIG_NODES; do
		rig_run "$SVC_DIR" "$n" timeout 5 hsctl -r "$SVC_NAME" status
	done 2>&1 | sed 's/^/# /'
	rig_status "$SVC_DIR" | sed 's/^/# node /'
}

# A whole spare within HEALTHY_S, for what comes next is not to be a second
# failure; if not, it is told (tap.sh).
svc_whole() {
	rig_until "$HEALTHY_S" svc_healthy && return 0
	note "no whole spare within $HEALTHY_S s:"
	svc_tell
	return 1
}

# Up to $1 ms.
svc_nap() {
	local ms=$((RANDOM % $1))

	sleep "$((ms / 1000)).$(printf '%03d' $((ms % 1000)))"
}

# The first member KEY of NODE's status that is a number, in REPLY.
svc_number() {
	REPLY=$(rig_run "$SVC_DIR" "$1" timeout 5 \
		hsctl -r "$SVC_NAME" status --json 2>/dev/null |
		grep -oE "\"$2\": *[0-9.]+" | head -n 1)
	REPLY=${REPLY##*[: ]}
	[ -n "$REPLY" ]
}

# The process of NODE: "service" or "agent", in REPLY.
svc_pid() {
	local kind pid rest

	REPLY=
	while read -r kind pid rest; do
		[ "$kind" != "$2" ] || [ -n "$REPLY" ] || REPLY=$pid
	done < <(rig_run "$SVC_DIR" "$1" cat "/run/hotspare/$SVC_NAME.pids")
	[ -n "$REPLY" ]
}

# svc_signal SIGNAL NODE service|agent
svc_signal() {
	local REPLY

	svc_pid "$2" "$3" && rig_run "$SVC_DIR" "$2" kill "-$1" "$REPLY"
}

# svc_client FILE CMD...: CMD on the client, in the background, its output in
# FILE; its process in SVC_CLIENT.
svc_client() {
	local out=$1

	shift
	RIG_EXEC='exec' rig_client "$SVC_DIR" "$@" >"$out" 2>&1 </dev/null &
	SVC_CLIENT=$!
}

# SIGTERM to what runs there (nsenter, which is our child, passes none on), and
# its status.
svc_client_end() {
	local pid

	for pid in $(pgrep -P "$SVC_CLIENT"); do
		kill -TERM "$pid" 2>/dev/null
	done
	wait "$SVC_CLIENT"
}

# For cleaning up.
svc_client_kill() {
	[ -z "${SVC_CLIENT-}" ] || {
		kill -KILL "$SVC_CLIENT"
		wait "$SVC_CLIENT"
	} 2>/dev/null
	SVC_CLIENT=
}

# What a client counts that was told -o "$SVC_DIR/report": answers so far, in
# REPLY; false if it has ended or found a breach.
svc_answers() {
	local breaches

	REPLY=0
	[ -r "$SVC_DIR/report" ] || return 0
	# shellcheck disable=SC2046
	set -- $(cat "$SVC_DIR/report")
	REPLY=${1#answered=}
	breaches=${2#breaches=}
	[ "$breaches" = 0 ] && kill -0 "$SVC_CLIENT" 2>/dev/null
}

svc_answers_above() {
	svc_answers && [ "$REPLY" -gt "$1" ]
}

# $1 new ones within ANSWER_S.
svc_answers_again() {
	local from

	svc_answers || return 1
	from=$REPLY
	rig_until "$ANSWER_S" svc_answers_above $((from + $1))
}
