#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# tests/vm/cluster.sh BUILD: a cluster of two virtual machines.  Each boots
# Debian's kernel, has the module, a corosync and a pacemaker of its own, and
# the counter with its checkpoint memory in the module's device.  A client that
# checks every answer keeps it busy, and in turn
#
#	the service is killed, and goes on where it died, in the memory that the
#	device kept;
#	it is killed again, and goes on in the device of the other machine;
#	the machine that it is on is frozen, fenced, and the other one goes on;
#	the frozen one boots anew, and is a whole spare again;
#	both shut down in order, unload the module, and power off.
#
# BUILD is what HS_ROOT (build/root) was installed from: `tests/suite build'
# makes both.  HS_VM_CACHE as in trees.sh.  Five minutes on two processors.

# shellcheck disable=SC2317	# functions are called by rig_until

set -u
[ $# = 1 ] && HS_BUILD=$(cd "$1" && pwd) || exit 2
cd "$(dirname "$0")/../.." || exit 1
# shellcheck source=../rig/service.sh
. tests/rig/service.sh
# shellcheck source=../rig/tap.sh
. tests/rig/tap.sh
SVC_NAME=counter
SVC_PROGRAM=counter
SVC_ARGS='-p 4001 -m 4M -d 4'
SVC_PARAMS='min_spares=0 local_restarts=1'
SVC_SLOW=5		# emulated, two of them, on a machine that others use
export RIG_UP_SECONDS=240
HEALTHY_S=180
ANSWER_S=120
TOKEN_MS=10000
RIG_NODES='' RIG_VIP=''

end_run() {
	svc_client_kill
	[ -z "${SVC_DIR-}" ] || rig_down "$SVC_DIR"
}
tap_begin vm-cluster end_run

# --- the machine ------------------------------------------------------------

# Kernel, and first file system: cluster-init loads the drivers of the list.
make_machine() {
	local root=$work/initrd machine=$work/machine
	mkdir -p "$machine" "$root"/{bin,dev,host,over,root} &&
		cp "$(command -v busybox)" "$root/bin/busybox" &&
		cp tests/vm/cluster-init "$root/init" &&
		cp -r "$tree/drivers" "$root/drivers" &&
		make -s -C kernel KDIR="$tree/kdir" BUILD="$work/module" &&
		cp "$work/module/hscpt.ko" "$root/drivers" &&
		echo "$(cat "$tree/drivers/list") hscpt" >"$root/drivers/list" &&
		cp "$tree/vmlinuz" "$machine/kernel" || return 1
	(cd "$root" && find . | cpio -o -H newc --quiet) >"$machine/initrd"
}

# --- looking ----------------------------------------------------------------

# The checkpoint memory of NODE's service is a mapping of the device.
in_device() {
	svc_pid "$1" service &&
		rig_run "$SVC_DIR" "$1" grep -q '^20000.*hscpt' \
			"/proc/$REPLY/maps"
}

tracker_is_kmod() {
	rig_run "$SVC_DIR" "$1" timeout 5 hsctl -r "$SVC_NAME" status |
		grep -q 'tracker kmod'
}

# PRIMARY and SPARE
who() {
	svc_primary || return 1
	PRIMARY=$REPLY
	SPARE=n1
	[ "$PRIMARY" != n1 ] || SPARE=n2
}

is_off() {
	! rig_recorded "$SVC_DIR/$1.pid"
}

# last_said NODE LOG PATTERN: the instant of the last such line, in REPLY; both
# logs write it alike, by the same clock.
last_said() {
	REPLY=$(grep -E "$3" "$SVC_DIR/log/$1/$2" | tail -n 1)
	REPLY=${REPLY:0:19}
	[ -n "$REPLY" ]
}

fenced_first() {
	local fenced
	last_said "$1" pacemaker/pacemaker.log \
		"Peer $2 was terminated .*: OK" &&
		fenced=$REPLY &&
		last_said "$1" hs-agent.log ' -> PRIMARY ' || return 1
	note "fenced at $fenced, promoted at $REPLY"
	[[ ! $fenced > $REPLY ]]
}

# --- what happens -----------------------------------------------------------

begin() {
	note 'two machines boot'
	SVC_DIR=$work/rig
	must svc_up --machine "$work/machine" --token $TOKEN_MS &&
		must svc_whole && must who || return 1
	tracker_is_kmod n1 && tracker_is_kmod n2
	verdict $? 'both nodes track writes by the module'
	svc_client "$work/client" "$HS_BUILD/tests/rig/client_counter" \
		-k 4 -r 5 -a 5000 -g $((HEALTHY_S + ANSWER_S)) \
		-o "$SVC_DIR/report" "$RIG_VIP" 4001
	rig_until "$ANSWER_S" svc_answers_above 100
	verdict $? 'the service answers through the VIP' || return 1
	in_device "$PRIMARY"
	verdict $? "the primary's memory is the device's"
	svc_whole
	verdict $? 'and the spare is READY and holds it'
}

# moved TEXT OLD: somebody answers again, at the other node, from its device.
moved() {
	svc_answers_again 100 && who && [ "$PRIMARY" != "$2" ]
	verdict $? "$1: the other node goes on" || {
		svc_tell
		return 1
	}
	in_device "$PRIMARY"
	verdict $? "$1: in memory of its own device"
}

# What hs-agent of NODE says of kept memory; REPLY is all of its last line.
took_up() {
	REPLY=$(grep -E 'service: (warm|cold):' "$SVC_DIR/log/$1/hs-agent.log" |
		tail -n 1)
	[[ $REPLY == *': warm: '*' pages rolled back'* ]]
}

# The agent's own: local_restarts allows one.
restart_service() {
	local old=$PRIMARY
	note "the service on $old is killed"
	must svc_signal KILL "$old" service || return 1
	svc_answers_again 100 && who && [ "$PRIMARY" = "$old" ]
	verdict $? 'restarted: the same node goes on' || {
		svc_tell
		return 1
	}
	took_up "$old"
	verdict $? 'restarted: in the memory that the device kept'
	note "${REPLY##*service: }"
	in_device "$PRIMARY"
	verdict $? "restarted: which is the device's"
	svc_whole
	verdict $? 'restarted: and the spare holds it'
}

kill_service() {
	local old=$PRIMARY
	note "the service on $old is killed once more"
	must svc_signal KILL "$old" service &&
		moved 'killed' "$old" || return 1
	svc_whole
	verdict $? "killed: $old is a whole spare again"
}

freeze_machine() {
	local old=$PRIMARY RIG_PID fencings from answers
	note "the machine $old is frozen"
	rig_recorded "$SVC_DIR/$old.pid" || return 1
	fencings=$(rig_fencings "$SVC_DIR" "$SPARE" "$old")
	kill -STOP "$RIG_PID"
	sleep 1		# what was on its way has arrived
	must svc_answers || return 1
	from=$REPLY
	rig_until "$ANSWER_S" svc_answers_above "$from"
	answers=$?
	is_off "$old"
	verdict $((answers + $?)) 'frozen: nobody answers until it is off' ||
		svc_tell
	moved 'frozen' "$old" || return 1
	rig_until 20 rig_fenced_more "$SVC_DIR" "$PRIMARY" "$old" "$fencings"
	verdict $? 'frozen: Pacemaker has fenced it'
	fenced_first "$PRIMARY" "$old"
	verdict $? 'frozen: promoted after fencing was confirmed, not before'
	must rig_poweron "$SVC_DIR" "$old" && svc_whole
	verdict $? "frozen: $old boots anew and is a whole spare" || return 1
	tracker_is_kmod "$old"
	verdict $? 'frozen: of the device again'
}

# In the order in which systemd would.
# shellcheck disable=SC2016
stop_node='
kill "$(pidof pacemakerd)" && while pidof pacemakerd; do sleep 0.2; done
kill "$(pidof corosync)" && while pidof corosync; do sleep 0.2; done
pidof hs-agent counter && exit 1
rmmod hscpt && ! grep hscpt /proc/modules'

# shut_down NODE
shut_down() {
	rig_run "$SVC_DIR" "$1" bash -c "$stop_node" >"$work/stopped" 2>&1
	verdict $? "$1 stops, and lets go of the module" ||
		sed 's/^/# /' "$work/stopped"
	rig_run "$SVC_DIR" "$1" busybox poweroff -f
	rig_until 20 is_off "$1" &&
		grep -q 'reboot: Power down' "$SVC_DIR/log/$1.console"
	verdict $? "$1 powers off"
}

end() {
	local rc
	svc_client_end
	rc=$?
	SVC_CLIENT=''
	grep -v '^gap ' "$work/client" | sed 's/^/# client: /'
	verdict "$rc" 'no answer missing, none twice, none out of order'
	who && shut_down "$SPARE" && shut_down "$PRIMARY"
}

# What the kernels said, from the first boot on.
check_consoles() {
	local n console
	for n in n1 n2; do
		console=$SVC_DIR/log/$n.console
		! tests/vm/complaints "$console" >"$work/complained" &&
			[ -s "$console" ]
		verdict $? "the kernel of $n complains of nothing" ||
			sed 's/^/# /' "$work/complained"
	done
}

read -r _ _ tree why < <(tests/vm/trees.sh 6.12 amd64)
if [ "$tree" = - ]; then
	skip 'two virtual machines' "$why"
	finish
elif [ ! -c /dev/net/tun ]; then
	skip 'two virtual machines' 'no /dev/net/tun'
	finish
fi
if ! must rig_check_host || ! must svc_check_built client_counter; then
	finish
fi
make_machine >"$work/log" 2>&1
verdict $? 'the module builds for the kernel' || {
	sed 's/^/# /' "$work/log"
	finish
}
begin && restart_service && kill_service && freeze_machine && end
[ ! -d "$SVC_DIR/log" ] || check_consoles
finish
