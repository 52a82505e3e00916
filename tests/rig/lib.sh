# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# The rig's shell functions: the verbs of tests/rig/rig, to be sourced by the
# tests, the demo and the benchmarks, which so save a process a call.
#
#   . tests/rig/lib.sh
#   rig_up "$dir" --root "$destdir" --cib ./resources
#   rig_run "$dir" n1 crm_mon -1
#   rig_down "$dir"
#
# DIR is an absolute path, or the caller stays where it is.
# Every function answers 0 or the status of what it ran; what went wrong is
# one line on stderr.  None changes the caller's options, traps or directory.

case ${BASH_SOURCE[0]} in
*/*) RIG_HOME=$(cd "${BASH_SOURCE[0]%/*}" && pwd -P) ;;
*) RIG_HOME=$(pwd -P) ;;
esac
RIG_PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
RIG_NET=10.77.0		# the same in every rig: each has its own network
RIG_MAC=52:54:00:77:00	# of machines
RIG_UP_SECONDS=${RIG_UP_SECONDS:-60}
RIG_RUN_SECONDS=60	# for a command in a machine

rig_say() {
	printf 'rig: %s\n' "$*" >&2
}

# The start time of process PID in REPLY; it tells PID from a later process of
# the same number.  False when there is none.
rig_started() {
	local stat

	{ read -r stat <"/proc/$1/stat"; } 2>/dev/null || return 1
	stat=${stat##*) }
	# shellcheck disable=SC2086
	set -- $stat
	[ "$1" != Z ] || return 1
	REPLY=${20}
}

# True while the process that FILE records ("PID STARTED") runs; its pid is
# in RIG_PID then.
rig_recorded() {
	local pid='' started='' REPLY

	{ read -r pid started <"$1"; } 2>/dev/null
	[ -n "$pid" ] && rig_started "$pid" && [ "$REPLY" = "$started" ] ||
		return 1
	RIG_PID=$pid
}

# True once CMD is; tried every 20 ms, for SECONDS at most.
rig_until() {
	local end=$((SECONDS + $1 + 1))

	shift
	until "$@"; do
		[ "$SECONDS" -lt "$end" ] || return 1
		sleep 0.02
	done
}

# rig_fencings DIR NODE OTHER: how often OTHER was fenced, as NODE knows.  With
# fewer words, stonith_admin leaves out all but the last of those that are alike.
rig_fencings() {
	rig_run "$1" "$2" timeout 10 stonith_admin --history "$3" --verbose \
		2>/dev/null | grep -c "of $3 successful"
}

# rig_fenced_more DIR NODE OTHER COUNT: it is more than that.
rig_fenced_more() {
	[ "$(rig_fencings "$1" "$2" "$3")" -gt "$4" ]
}

rig_is_up() {
	rig_recorded "$1/outer.pid"
}

# One request to the outer pid 1; its answer in RIG_ANSWER, true if it is "ok".
rig_ask() {
	local dir=$1 reply="host.$BASHPID" fd end=$((SECONDS + 30))

	shift
	RIG_ANSWER=
	rig_is_up "$dir" || { rig_say "no rig runs in $dir"; return 1; }
	rm -f "$dir/reply/$reply"
	mkfifo -m 600 "$dir/reply/$reply" || return 1
	exec {fd}<>"$dir/reply/$reply"
	printf '%s host %s\n' "$reply" "$*" 1<>"$dir/ctl"
	until read -r -t 0.5 -u "$fd" RIG_ANSWER; do
		if ! rig_is_up "$dir" || [ "$SECONDS" -ge "$end" ]; then
			RIG_ANSWER="no answer to: $*"
			break
		fi
	done
	exec {fd}>&-
	rm -f "$dir/reply/$reply"
	[ "${RIG_ANSWER%% *}" = ok ]
}

rig_order() {
	rig_ask "$@" && return 0
	[ -z "$RIG_ANSWER" ] || rig_say "$RIG_ANSWER"
	return 1
}

rig_poweroff() { rig_order "$1" off "$2"; }
rig_poweron() { rig_order "$1" on "$2"; }

rig_cut() {
	case ${3-} in
	''|--keep-fence) rig_order "$1" cut "$2" "${3-}" ;;
	*) rig_say "cut: what is $3?"; return 2 ;;
	esac
}

rig_heal() { rig_order "$1" heal "$2"; }

# rig_ask_machine DIR NODE CMD...: machine-init at the other end runs one CMD
# after the other, each for RIG_RUN_SECONDS at most.  It may have to boot first.
rig_ask_machine() (
	dir=$1 node=$2 id=$BASHPID.$EPOCHREALTIME part='' line=''
	end=$((SECONDS + 2 * RIG_RUN_SECONDS))
	shift 2
	exec {lock}>>"$dir/$node/lock"
	flock -w "$RIG_RUN_SECONDS" "$lock" || exit 125
	exec {in}<>"$dir/$node/cmd.in" {out}<>"$dir/$node/cmd.out"
	printf '%s %s\n' "$id" "${*@Q}" >&"$in"
	while rig_recorded "$dir/$node.pid" && [ "$SECONDS" -lt "$end" ]; do
		IFS= read -r -t 0.5 -u "$out" part
		got=$?
		line+=$part
		[ "$got" = 0 ] || continue
		case $line in
		"$id out "*) printf '%s\n' "${line#"$id out "}" ;;
		"$id err "*) printf '%s\n' "${line#"$id err "}" >&2 ;;
		"$id end "*) exit "${line#"$id end "}" ;;
		esac	# or of an asker that did not wait
		line=''
	done
	exit 125
)

# rig_run DIR NODE CMD...: CMD inside the node; it dies with its caller (but in
# a machine) and with the node.  NODE may be "client".
rig_run() {
	local dir=$1 node=$2 RIG_PID

	shift 2
	rig_recorded "$dir/$node.pid" ||
		{ rig_say "$node does not run"; return 125; }
	if [ -p "$dir/$node/cmd.in" ]; then
		rig_ask_machine "$dir" "$node" "$@"
		return
	fi
	PATH=$RIG_PATH ${RIG_EXEC-} nsenter -t "$RIG_PID" -m -u -i -n -p -- \
		setpriv --pdeathsig KILL -- "$@"
}

rig_client() {
	local dir=$1

	shift
	rig_run "$dir" client "$@"
}

# rig_wait DIR SECONDS [NODE|client] CMD...: until CMD is true; on the host
# when no node is named.  A CMD in the rig that hangs is ended with the wait.
rig_wait() {
	local dir=$1 seconds=$2 node=$3

	shift 2
	case $node in
	n[1-3]|client)
		shift
		rig_until "$seconds" rig_run "$dir" "$node" \
			timeout -k 1 "$seconds" "$@" ;;
	*)	rig_until "$seconds" "$@" ;;
	esac
}

rig_status() {
	rig_ask "$1" status ||
		{ printf 'down\n'; return 1; }
	# shellcheck disable=SC2086
	set -- ${RIG_ANSWER#ok}
	printf '%s\n' "$@" | tr '=' ' '
}

# The value of KEY in DIR/conf.
rig_conf() {
	sed -n "s/^$2='\(.*\)'\$/\1/p" "$1/conf"
}

rig_env() {
	local i nodes=''

	[ -r "$1/conf" ] || { rig_say "no rig runs in $1"; return 1; }
	for i in $(rig_conf "$1" NODES); do
		nodes="$nodes $i"
		printf 'RIG_%s=%s.%s\n' "${i^^}" "$RIG_NET" "${i#n}"
	done
	printf 'RIG_NODES="%s"\n' "${nodes# }"
	printf 'RIG_CLIENT=%s.100\n' "$RIG_NET"
	printf 'RIG_VIP=%s.200\nRIG_VIP_PREFIX=24\n' "$RIG_NET"
}

# Removes all that the rig made in DIR, but DIR/log.
rig_sweep() (
	cd "$1" &&
	rm -rf ./conf ./ctl ./boot ./idle ./owner ./reply ./mnt ./etc \
		./error ./cib.xml ./authkey ./*.pid ./*.go ./n[1-3]
)

# Ends the rig, whatever its state; the logs stay.
rig_down() {
	local dir=$1 RIG_PID

	[ -d "$dir" ] || return 0
	if rig_recorded "$dir/outer.pid"; then
		kill -KILL "$RIG_PID" 2>/dev/null || :
	fi
	if rig_recorded "$dir/keeper.pid"; then
		printf 'end\n' 1<>"$dir/idle"
		rig_until 10 rig_gone "$dir/keeper.pid" ||
			{ rig_say "the rig in $dir does not end"; return 1; }
	fi
	[ ! -e "$dir/conf" ] || rig_sweep "$dir"
}

rig_gone() {
	! rig_recorded "$1"
}

rig_check_host() {
	local prog

	[ "$(id -u)" = 0 ] || { rig_say "must be run by root"; return 1; }
	for prog in corosync pacemakerd cibadmin crm_mon ip unshare nsenter \
	    setpriv setsid; do
		PATH=$RIG_PATH command -v "$prog" >/dev/null || {
			rig_say "$prog is missing: apt-get install" \
				"corosync pacemaker pacemaker-cli-utils iproute2"
			return 1
		}
	done
}

rig_path() {
	realpath -qe -- "$1" || { rig_say "up: there is no $1"; return 1; }
}

# What rig_up was asked for, as DIR/conf.
rig_write_conf() {
	local dir=$1 nodes='n1 n2' root='' cib='' token=1000 mtu=1500
	local crypto=0 reboot=0 delay='' owner=0 machine=''

	shift
	while [ $# -gt 0 ]; do
		case $1 in
		--crypto) crypto=1; shift; continue ;;
		--reboot) reboot=1; shift; continue ;;
		esac
		[ $# -ge 2 ] || { rig_say "up: what is $1?"; return 2; }
		case $1 in
		--nodes)
			case $2 in
			2) nodes='n1 n2' ;;
			3) nodes='n1 n2 n3' ;;
			*) rig_say "up: --nodes is 2 or 3"; return 2 ;;
			esac ;;
		--root) root=$(rig_path "$2") || return 2 ;;
		--cib) cib=$(rig_path "$2") || return 2 ;;
		--machine) machine=$(rig_path "$2") || return 2 ;;
		--token) token=$2 ;;
		--mtu) mtu=$2 ;;
		--fence-delay) delay=$2 ;;
		--owner) owner=$2 ;;
		*) rig_say "up: what is $1?"; return 2 ;;
		esac
		shift 2
	done
	case $token.$mtu.$owner in
	*[!0-9.]*|*..*|.*|*.)
		rig_say "up: --token, --mtu and --owner are numbers"
		return 2 ;;
	esac
	case $dir$root$machine$RIG_HOME in
	*[:,\\\ ]*) rig_say "up: no colon, comma, blank or backslash in a" \
		"directory, please"; return 2 ;;
	esac
	[ -z "$cib" ] || [ -x "$cib" ] ||
		{ rig_say "up: $cib is not executable"; return 2; }
	printf "%s='%s'\n" NODES "$nodes" ROOT "$root" CIB "$cib" \
		TOKEN "$token" MTU "$mtu" CRYPTO "$crypto" \
		REBOOT "$reboot" FENCE_DELAY "$delay" MACHINE "$machine" \
		>"$dir/conf"
}

# True when pacemakerd runs everywhere and all nodes joined one DC.
rig_formed() {
	local dir=$1 n xml

	shift
	rig_is_up "$dir" || return 0	# rig_up looks again
	for n in "$@"; do
		[ -s "$dir/$n.pid" ] || return 1
	done
	xml=$(rig_run "$dir" "$1" timeout 5 crm_mon -1 --output-as=xml \
		2>/dev/null) || return 1
	case $xml in
	*'<current_dc present="true"'*) ;;
	*) return 1 ;;
	esac
	[ "$(grep -c '<node name=.* online="true"' <<<"$xml")" = $# ]
}

# A line for DIR/owner: the rig ends when process PID does.
rig_owner() {
	local REPLY=0	# no start time: it has ended already

	[ -n "$1" ] || return 0
	rig_started "$1" || :
	printf '%s %s\n' "$1" "$REPLY"
}

# rig_option NAME WORDS...: the word after NAME
rig_option() {
	local name=$1

	shift
	while [ $# -gt 1 ]; do
		[ "$1" != "$name" ] || printf '%s\n' "$2"
		shift
	done
}

# The end of a start that failed, or was ended by SIGNAL.
rig_abort() {
	trap '' INT TERM HUP
	trap - EXIT
	rig_down "$1"
	trap - INT TERM HUP
	[ -z "${2-}" ] || kill "-$2" "$BASHPID"
	exit 1
}

# Empties DIR of an earlier rig, and of nothing else.
rig_prepare() {
	local name

	if [ ! -e "$1/log/rig.log" ]; then
		for name in log conf reply mnt etc n1 n2 n3; do
			[ ! -e "$1/$name" ] || {
				rig_say "up: $1/$name is not a rig's"
				return 1
			}
		done
	fi
	rig_sweep "$1" && rm -rf "$1/log" && mkdir "$1/log" &&
		: >"$1/log/rig.log"
}

# rig_up DIR [--nodes 2|3] [--root DESTDIR] [--cib SCRIPT] [--token MS]
#	[--mtu N] [--crypto] [--reboot] [--fence-delay SPEC] [--owner PID]
#	[--machine DIR]
# In a subshell, for its traps and its end are its own.
rig_up() (
	rig_start "$@"
)

rig_start() {
	local dir REPLY why nodes
	dir=$1

	set +e
	rig_check_host || exit 1
	mkdir -p "$dir" && dir=$(cd "$dir" && pwd -P) || exit 1
	shift
	if rig_recorded "$dir/keeper.pid"; then
		rig_say "a rig runs in $dir already"
		exit 1
	fi
	rig_prepare "$dir" || exit 1
	rig_write_conf "$dir" "$@" || { rm -f "$dir/conf"; exit 2; }
	trap 'rig_abort "$dir"' EXIT
	trap 'rig_abort "$dir" INT' INT
	trap 'rig_abort "$dir" TERM' TERM
	trap 'rig_abort "$dir" HUP' HUP
	mkdir -p "$dir/reply" "$dir/mnt" "$dir/etc"
	mkfifo -m 600 "$dir/ctl" "$dir/boot" "$dir/idle" || exit 1
	# until it has started, its starter owns it
	{ rig_owner $$ && rig_owner "$BASHPID"; } >"$dir/owner"

	RIG_DIR=$dir setsid "$RIG_HOME/keeper" "$dir" \
		</dev/null >>"$dir/log/rig.log" 2>&1 &
	disown
	rig_until 10 test -s "$dir/outer.pid" -o -s "$dir/error"
	read -ra nodes <<<"$(rig_conf "$dir" NODES)"
	rig_until "$RIG_UP_SECONDS" rig_formed "$dir" "${nodes[@]}" ||
		why="no cluster within $RIG_UP_SECONDS s"
	rig_is_up "$dir" || why="the rig ended"
	[ ! -s "$dir/error" ] || why=$(cat "$dir/error")
	if [ -n "${why-}" ]; then
		rig_say "up: $why; logs are in $dir/log"
		exit 1
	fi
	rig_owner "$(rig_option --owner "$@")" >"$dir/owner.new" &&
		mv "$dir/owner.new" "$dir/owner"
	trap - EXIT INT TERM HUP
}
