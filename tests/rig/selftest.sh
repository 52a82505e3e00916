#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# selftest.sh: the rig tested by itself, with real clusters.  Speaks TAP; the
# last line is 'N passed, N failed'.  Takes about two minutes.

# shellcheck disable=SC2317	# functions are called by ok

set -u
here=$(cd "$(dirname "$0")" && pwd -P)
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$here/lib.sh"
# shellcheck source-path=SCRIPTDIR source=tap.sh
. "$here/tap.sh"

rig_check_host || exit 1
end_run() {
	for d in "$a" "$b" "$c"; do
		rig_down "$d"
	done
}
tap_begin selftest end_run
a=$work/a
b=$work/b
c=$work/c

# ok TEXT CMD...: passed when CMD is true
ok() {
	local text=$1

	shift
	"$@"
	verdict $? "$text"
}

quiet() {
	"$@" >/dev/null 2>&1
}

not() {
	! "$@"
}

now_ms() {
	local t=$EPOCHREALTIME

	printf '%s\n' $((${t/./} / 1000))
}

# --- what the tests look at ------------------------------------------------

# A refused connection is an answer: the address is up and somebody has it.
answers() {
	[[ $(rig_client "$1" timeout 1 bash -c "</dev/tcp/$2/9" 2>&1) = \
		*refused* ]]
}

# The nodes that hold the VIP, and those where the clone is promoted.
vip_on() {
	local n

	for n in n1 n2; do
		rig_run "$1" "$n" ip -o addr show to "$RIG_VIP" 2>/dev/null |
			grep -q . && printf '%s\n' "$n"
	done
}

promoted_on() {
	local n xml

	for n in n1 n2; do
		xml=$(rig_run "$1" "$n" timeout 5 crm_mon -1 \
			--output-as=xml 2>/dev/null) &&
			break
	done
	grep -A1 '<resource id="st".*role="Promoted".*active="true"' \
		<<<"$xml" | sed -n 's/.*<node name="\([^"]*\)".*/\1/p'
}

serves_on() {
	[ "$(vip_on "$1")" = "$2" ] && [ "$(promoted_on "$1")" = "$2" ] &&
		answers "$1" "$RIG_VIP"
}

other() {
	[ "$1" = n1 ] && echo n2 || echo n1
}

state_is() {
	rig_status "$1" | grep -qx "$2 $3"
}

all_joined() {
	# shellcheck disable=SC2046
	rig_formed "$1" $(rig_conf "$1" NODES)
}

spare_on() {
	rig_run "$1" "$2" timeout 5 crm_mon -1 2>/dev/null |
		grep -q "Unpromoted: \[ $2 \]"
}

# --- what a rig left behind ------------------------------------------------

# Processes of the rig in DIR, by their environment.
processes_of() {
	grep -lzxF "RIG_DIR=$1" /proc/[0-9]*/environ 2>/dev/null
}

# What on the host could be a rig's: links, and files of the cluster's.
host_traces() {
	ip -br link | awk '{ print $1 }'
	find /dev/shm /run /tmp -maxdepth 1 -name 'qb-*' -o \
		-maxdepth 1 -name 'crm' -o -maxdepth 1 -name 'resource-agents' \
		-o -maxdepth 1 -name 'corosync*' -o -maxdepth 1 -name 'rig' \
		-o -maxdepth 1 -name 'selftest-*'
	find /etc/corosync /var/lib/corosync /var/lib/pacemaker /var/lib/pcsd \
		/var/log/corosync /var/log/pacemaker 2>/dev/null
}

traces_before=$(host_traces)

# A line for everything that is left of the rig in DIR.
leaks() {
	local name

	processes_of "$1"
	grep -F "$1" /proc/self/mountinfo
	diff <(printf '%s\n' "$traces_before") <(host_traces)
	for name in "$1"/*; do
		[ ! -e "$name" ] || [ "$name" = "$1/log" ] ||
			printf '%s\n' "$name"
	done
}

nothing_left() {
	local left

	left=$(leaks "$1")
	[ -z "$left" ]
}

vanishes() {
	rig_until 5 nothing_left "$1" && return 0
	leaks "$1" | sed 's/^/# left: /'
	return 1
}

# --- the tree under test ---------------------------------------------------

# A program, its library, an agent's place and a configuration file, as
# `make install DESTDIR=' would leave them.
make_root() {
	local root=$1 arch

	arch=$(gcc -print-multiarch)
	mkdir -p "$root/usr/lib/$arch" "$root/usr/bin" "$root/etc" \
		"$root/var/lib/selftest"
	printf 'int answer(void) { return 42; }\n' >"$work/lib.c"
	printf 'int answer(void);\nint main(void) { return answer(); }\n' \
		>"$work/prog.c"
	gcc -shared -fPIC -Wl,-soname,libselftest.so.0 "$work/lib.c" \
		-o "$root/usr/lib/$arch/libselftest.so.0" &&
	gcc "$work/prog.c" "$root/usr/lib/$arch/libselftest.so.0" \
		-o "$root/usr/bin/selftest-prog" &&
	: >"$root/etc/selftest.conf" && : >"$root/var/lib/selftest/seed"
}

status_is() {
	local want=$1 status

	shift
	{ "$@"; } >/dev/null 2>&1
	status=$?
	[ "$status" = "$want" ] || printf '# status %s\n' "$status"
	[ "$status" = "$want" ]
}

# --- tests -----------------------------------------------------------------

test_start() {
	local out pid

	ok 'a tree to lay over builds' make_root "$work/root"
	(out=$(rig_up "$b" --cib "$here/stateful.cib" --reboot --owner $$) &&
		[ -z "$out" ]) &
	pid=$!
	out=$("$here/rig" up "$a" --root "$work/root" \
		--cib "$here/stateful.cib" --owner $$)
	ok 'up returns to a caller that reads its output' [ $? = 0 ]
	ok 'and is silent' [ -z "$out" ]
	ok 'a second rig comes up beside it' wait "$pid"
	eval "$(rig_env "$a")"
	ok 'env names the nodes' [ "$RIG_NODES" = 'n1 n2' ]
	ok 'all nodes run' [ "$(rig_status "$a")" = $'n1 on\nn2 on' ]
	ok 'the first is a cluster' all_joined "$a"
	ok 'the second is a cluster' all_joined "$b"
	ok 'up refuses a directory in use' \
		status_is 1 rig_up "$a"
}

test_run() {
	local pid

	ok 'run passes the exit status on' \
		status_is 7 rig_run "$a" n1 sh -c 'exit 7'
	ok 'run passes a signal on' \
		status_is 137 "$here/rig" run "$a" n1 sh -c 'kill -9 $$'
	ok 'run passes stdin and stdout on' \
		[ "$(echo xyz | rig_run "$a" n2 tr x-z a-c)" = abc ]
	ok 'run is inside the node' [ "$(rig_run "$a" n2 uname -n)" = n2 ]
	ok 'client has its own address' \
		[ -n "$(rig_client "$a" ip -o addr show to "$RIG_CLIENT")" ]
	ok 'the client runs no cluster' \
		not quiet rig_client "$a" pgrep -x corosync
	ok 'a node does' quiet rig_run "$a" n1 pgrep -x corosync
	"$here/rig" run "$a" n1 sleep 4321 &
	pid=$!
	ok 'a command starts' rig_until 5 quiet rig_run "$a" n1 \
		pgrep -fx 'sleep 4321'
	kill -TERM "$pid"
	wait "$pid" 2>/dev/null
	ok 'and dies with its caller' rig_until 5 not quiet \
		rig_run "$a" n1 pgrep -fx 'sleep 4321'
	ok 'wait gives up in time' status_is 1 rig_wait "$a" 1 n1 false
	ok 'also on a command that hangs' \
		status_is 1 rig_wait "$a" 1 n1 sleep 1000
	ok 'an unknown node is refused' status_is 1 rig_poweroff "$a" n9
}

test_files() {
	ok 'the program of the tree runs, with its library' \
		status_is 42 rig_run "$a" n1 selftest-prog
	ok 'on the client too' status_is 42 rig_client "$a" selftest-prog
	ok 'not in the other rig' not quiet rig_run "$b" n1 which selftest-prog
	ok 'not on the host' not quiet command -v selftest-prog
	ok 'its /etc is there' rig_run "$a" n1 test -e /etc/selftest.conf
	ok 'its /var is there' rig_run "$a" n1 test -e /var/lib/selftest/seed
	ok 'the host cannot be written from a node' \
		not rig_run "$a" n1 sh -c ': >/root/selftest-x' 2>/dev/null
	ok '/tmp can' rig_run "$a" n1 sh -c ': >/tmp/selftest-x'
	ok 'and keeps it to itself' [ ! -e /tmp/selftest-x ]
	ok 'DIR is shared' rig_run "$a" n1 test -e "$a/log/rig.log"
	ok 'pcs sees the cluster' \
		rig_run "$a" n2 sh -c 'pcs status nodes | grep -q "Online: n1 n2"'
}

test_power() {
	local first spare t0 before

	ok 'an address that nobody has does not answer' \
		not answers "$a" "$RIG_NET.201"
	ok 'the VIP answers' rig_until 30 answers "$a" "$RIG_VIP"
	ok 'in the other rig too' rig_until 30 answers "$b" "$RIG_VIP"
	first=$(promoted_on "$a")
	spare=$(other "$first")
	ok 'one node is promoted, and has the VIP' \
		rig_until 10 serves_on "$a" "$first"
	ok 'the other is a spare' rig_until 10 spare_on "$a" "$spare"
	rig_run "$a" "$first" sh -c ': >/var/lib/keep; : >/run/lose; : >/tmp/lose'
	t0=$(now_ms)
	ok 'the promoted node is powered off' rig_poweroff "$a" "$first"
	printf '# powered off in %d ms\n' $(($(now_ms) - t0))
	ok 'and is off' state_is "$a" "$first" off
	ok 'nothing can be run on it' \
		status_is 125 rig_run "$a" "$first" true
	ok 'its address is silent' not answers "$a" "$RIG_NET.${first#n}"
	ok 'the spare is promoted and has the VIP' \
		rig_until 20 serves_on "$a" "$spare"
	printf '# VIP answers after %d ms\n' $(($(now_ms) - t0))
	ok 'fencing has confirmed it' rig_until 5 rig_run "$a" "$spare" sh -c \
		"stonith_admin --history $first | grep -q 'of $first successful'"
	ok 'without --reboot it stays off' state_is "$a" "$first" off
	ok 'it is powered on' rig_poweron "$a" "$first"
	ok 'rejoins' rig_until 30 all_joined "$a"
	ok 'as a spare' rig_until 20 spare_on "$a" "$first"
	ok 'its disk is as it was' rig_run "$a" "$first" test -e /var/lib/keep
	ok 'its memory is not' not rig_run "$a" "$first" \
		sh -c 'test -e /run/lose || test -e /tmp/lose'
	ok 'the other rig did not notice' \
		[ "$(rig_status "$b")" = $'n1 on\nn2 on' ]
	before=$(rig_fencings "$a" "$spare" "$first")
	kill -KILL "$(cut -d ' ' -f 1 "$a/$first.pid")"
	ok 'a node that ends by itself is off' \
		rig_until 5 state_is "$a" "$first" off
	# One that boots before the other has fenced it would be shot again.
	ok 'and is fenced' rig_until 20 \
		rig_fenced_more "$a" "$spare" "$first" "$before"
	ok 'and boots again' rig_poweron "$a" "$first"
	ok 'and rejoins' rig_until 30 all_joined "$a"
}

one_left() {
	[ "$(rig_status "$1" | grep -c ' off$')" = 1 ]
}

test_cut() {
	local first spare

	rig_until 30 answers "$b" "$RIG_VIP"
	first=$(promoted_on "$b")
	spare=$(other "$first")
	ok 'a device out of reach refuses' not fence_when_cut "$a" n1
	ok 'and works again after heal' \
		rig_run "$a" n1 fence_rig -o monitor
	ok 'the promoted node is cut off' rig_cut "$b" "$first"
	ok 'the other takes over' rig_until 20 serves_on "$b" "$spare"
	ok 'the fenced node was booted again (--reboot)' \
		rig_until 20 state_is "$b" "$first" cut
	ok 'the cable goes back' rig_heal "$b" "$first"
	ok 'and it rejoins' rig_until 40 all_joined "$b"

	ok 'split with the device in reach of both' \
		rig_cut "$a" n1 --keep-fence
	ok 'exactly one node is shot' rig_until 20 one_left "$a"
	sleep 3
	ok 'and only one' one_left "$a"
	rig_heal "$a" n1
}

# A moment too short for the cluster to notice.
fence_when_cut() {
	local status

	rig_cut "$1" "$2"
	rig_run "$1" "$2" fence_rig -o monitor 2>/dev/null
	status=$?
	rig_heal "$1" "$2"
	return "$status"
}

test_down() {
	ok 'what is left can be seen (checks the next checks)' \
		[ "$(processes_of "$a" | wc -l)" -gt 10 ]
	ok 'a running rig is something left' not nothing_left "$a"
	ok 'down' "$here/rig" down "$a"
	ok 'leaves nothing' vanishes "$a"
	ok 'but logs' [ -s "$a/log/n1/corosync/corosync.log" ]
	ok 'down again is no error' rig_down "$a"
	ok 'status says down' status_is 1 rig_status "$a"
	ok 'the other rig goes on' all_joined "$b"
	kill -KILL "$(cut -d ' ' -f 1 "$b/outer.pid")"
	ok 'a killed rig is seen as down' \
		rig_until 5 status_is 1 rig_status "$b"
	ok 'and is cleared by down' rig_down "$b"
	ok 'to nothing' vanishes "$b"
}

# A start in the background, that gets SIGNAL once its first node runs.
interrupted_up() {
	local pid

	env --default-signal=INT "$here/rig" up "$c" 2>"$work/interrupt" &
	pid=$!
	rig_until 10 test -s "$c/n1.pid" || return 1
	kill "-$1" "$pid"
	wait "$pid" 2>/dev/null
	[ $? -gt 128 ]
}

# A start whose keeper dies once the first node runs.
bereft_up() {
	local pid

	rig_up "$c" &
	pid=$!
	rig_until 10 test -s "$c/n1.pid" || return 0
	kill -KILL "$(cut -d ' ' -f 1 "$c/keeper.pid")"
	wait "$pid"
}

test_ends() {
	local pid

	ok '^C ends a start' interrupted_up INT
	ok 'and leaves nothing' vanishes "$c"
	ok 'SIGKILL ends a start' interrupted_up KILL
	ok 'and leaves nothing' vanishes "$c"
	ok 'a start whose keeper is killed fails' \
		not bereft_up 2>"$work/error"
	ok 'and says so in one line' \
		[ "$(wc -l <"$work/error")" = 1 ]
	ok 'and leaves nothing' vanishes "$c"
	printf '#!/bin/sh\necho no such thing >&2\nexit 1\n' >"$work/bad.cib"
	chmod +x "$work/bad.cib"
	ok 'a CIB that fails ends the start' \
		not rig_up "$c" --cib "$work/bad.cib" 2>"$work/error"
	ok 'with one line that says why' \
		grep -qx 'rig: up: .*no such thing.*' "$work/error"
	ok 'and only one' [ "$(wc -l <"$work/error")" = 1 ]
	ok 'and leaves nothing' vanishes "$c"
	sleep 1000 &
	pid=$!
	ok 'a rig with an owner, three nodes, crypto, large frames' \
		rig_up "$c" --owner "$pid" --nodes 3 --crypto --mtu 9000 --token 700
	ok 'has three nodes' [ "$(rig_status "$c" | grep -c ' on$')" = 3 ]
	ok 'has the token asked for' rig_run "$c" n3 sh -c \
		'corosync-cmapctl | grep -q "runtime.config.totem.token .*= 700$"'
	ok 'has crypto' rig_run "$c" n3 sh -c \
		'corosync-cmapctl | grep -q "totem.crypto_cipher .*= aes256"'
	ok 'has large frames' \
		[ "$(rig_run "$c" n2 cat /sys/class/net/eth0/mtu)" = 9000 ]
	ok 'loses a node' rig_poweroff "$c" n2
	ok 'and is quorate' rig_until 10 rig_run "$c" n1 sh -c \
		'corosync-quorumtool | grep -q "^Total votes: *2"'
	kill "$pid"
	wait "$pid" 2>/dev/null
	ok 'ends with its owner' vanishes "$c"
}

for t in start run files power cut down ends; do
	printf '# %s\n' $t
	"test_$t"
done
finish
