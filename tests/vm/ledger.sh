#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
#
# tests/vm/ledger.sh KILLS MEGABYTES: in the guest, a service whose process is
# killed at any time goes on in the memory that the device kept of it.
kills=$1
megs=$2
count=0
status=0
verdict() {
	count=$((count + 1))
	if [ "$1" -eq 0 ]; then
		echo "ok $count - $2"
	else
		echo "not ok $count - $2"
		status=1
	fi
}

served() {
	busybox grep -c '^serving' /tmp/said
}

# Until `serving' was said $1 times, or 60 s.
await_served() {
	left=600
	while [ "$left" -gt 0 ] && [ "$(served)" -lt "$1" ] &&
		[ -e "/proc/$agent" ]; do
		busybox usleep 100000
		left=$((left - 1))
	done
	[ "$(served)" -ge "$1" ]
}

waits() {
	[ "$(busybox pidof ledger | busybox wc -w)" -ge 2 ]
}

echo 1..6
: >/tmp/said
mkdir -p /run /var/lib
./hs-agent --standalone --debug -- ./ledger "$megs" >/tmp/said 2>/tmp/log &
agent=$!
await_served 1
verdict $? 'the service has built its state'
killed=0
while [ "$killed" -lt "$kills" ] && await_served $((killed + 1)); do
	# shellcheck disable=SC3028
	busybox usleep $((RANDOM * 20))
	# Five deaths in a row within two seconds each, and it is given up.
	[ $((killed % 4)) -ne 3 ] || busybox usleep 2200000
	until waits; do
		busybox usleep 50000
	done
	kill -9 "$(busybox awk '/^serving/ { pid = $2 } END { print pid }' \
		/tmp/said)" || break
	killed=$((killed + 1))
done
await_served $((kills + 1))
verdict $? "killed $killed times, it went on each time"
! busybox grep '^wrong' /tmp/said
verdict $? 'every byte was as of one instant'
busybox awk '/^held/ { if ($2 > held) held = $2 }
	/^serving/ { if ($3 < held) bad = 1 }
	END { exit bad }' /tmp/said
verdict $? 'and nothing that was held is lost'
busybox awk -v kills="$kills" -v most=$((megs * 256 / 4)) '/^serving/ && n++ > 0 {
		if ($4 >= 0 && $4 < most)
			warm++
		sum += $4
	}
	END {
		printf "# %d of %d restarts warm, %d pages each\n", warm, n - 1,
		    sum / (n - 1)
		exit warm < kills
	}' /tmp/said
verdict $? 'the memory was there each time, but for few pages'
[ "$(busybox grep -c 'service: warm: ' /tmp/log)" -ge "$kills" ]
verdict $? "and hs-agent's log says so"
[ "$status" -eq 0 ] ||
	busybox tail -n 40 /tmp/log /tmp/said | busybox sed 's/^/# /'
kill "$agent"
wait
exit "$status"
