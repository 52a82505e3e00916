# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Services that check their own state (turns.h), killed at random instants below
# hs-agent --standalone, without a cluster.  Sourced after tap.sh:
#
#   kills_start NAME [AGENT OPTION...] -- PROGRAM [ARG...]
#   kills_one		kill what serves; true once its spare serves
#   kills_end		end hs-agent; its status
#   kills_run TEXT ...	all of it, $KILLS times, and a verdict
#
# What the service prints is in $work/NAME.log.
# shellcheck disable=SC2154	# work is tap.sh's

: "${KILLS:=5}"
KILLS_AGENT='' KILLS_LOG='' KILLS_SERVED=0

# For cleaning up: its services die with it.
kills_clean() {
	[ -z "$KILLS_AGENT" ] || {
		kill -KILL "$KILLS_AGENT"
		wait "$KILLS_AGENT"
	} 2>/dev/null
	KILLS_AGENT=
}

# The n-th process that serves has said so; its id in REPLY.
kills_serves() {
	local line

	line=$(grep '^serves ' "$KILLS_LOG" | sed -n "$1p")
	read -r _ REPLY _ <<<"$line"
	[ -n "$REPLY" ]
}

# kills_wait N: for up to 20 s, as long as hs-agent lives.
kills_wait() {
	local i

	for ((i = 0; i < 1000; i++)); do
		kills_serves "$1" && return 0
		kill -0 "$KILLS_AGENT" 2>/dev/null || return 1
		sleep 0.02
	done
	return 1
}

kills_start() {
	KILLS_LOG=$work/$1.log
	KILLS_SERVED=1
	shift
	agent/hs-agent --standalone --run-dir "$work" --state-dir "$work" \
		"$@" >"$KILLS_LOG" 2>&1 </dev/null &
	KILLS_AGENT=$!
	kills_wait 1
}

# hs-agent gives a program up whose fifth death in a row comes before it has
# served for two seconds.
kills_one() {
	local pid ms=$((RANDOM % 100))

	kills_serves "$KILLS_SERVED" || return 1
	pid=$REPLY
	[ $((KILLS_SERVED % 4)) != 0 ] || ms=$((ms + 2050))
	sleep "$((ms / 1000)).$(printf %03d $((ms % 1000)))"
	kill -KILL "$pid" || return 1
	KILLS_SERVED=$((KILLS_SERVED + 1))
	kills_wait "$KILLS_SERVED"
}

kills_end() {
	local rc

	kill -TERM "$KILLS_AGENT" 2>/dev/null
	wait "$KILLS_AGENT"
	rc=$?
	KILLS_AGENT=
	return $rc
}

kills_run() {
	local text=$1 i

	shift
	kills_start "$@"
	for ((i = 1; i <= KILLS; i++)); do
		kills_one || break
	done
	[ "$i" -gt "$KILLS" ] && ! grep -q '^wrong' "$KILLS_LOG"
	verdict $? "$text: $((i - 1)) kills" ||
		tail -n 5 "$KILLS_LOG" | sed 's/^/# /'
	kills_end
}
