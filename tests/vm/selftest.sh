#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# What a guest could do to look healthy, and boot.sh is to call a failure.
# HS_VM_CACHE as in trees.sh.
set -u
cd "$(dirname "$0")" || exit 1
# shellcheck source=../rig/tap.sh
. ../rig/tap.sh
tap_begin vm-selftest :

# A verdict that never came is none that was good.
(relay sh -c 'echo "ok 1 - fine"; exit 1') >"$work/said"
grep -q '^not ok 2 ' "$work/said"
verdict $? 'a script that dies after its last verdict fails' ||
	sed 's/^/# /' "$work/said"

read -r _ _ tree why < <(./trees.sh 6.12 amd64)
if [ "$tree" = - ]; then
	skip "boot.sh finds what goes wrong" "$why"
	finish
fi

# guest WANT TEXT [OPTION]... NAME: WANT is a line that it is to say.
guest() {
	local want=$1 text=$2
	shift 2
	if ./boot.sh -k "$tree" "$@" >"$work/said"; then
		verdict 1 "$text"
	else
		grep -q "^not ok .*$want" "$work/said"
		verdict $? "$text" || sed 's/^/# /' "$work/said"
	fi
}

# program NAME: a shell script of the guest's, from standard input.
program() {
	{
		echo '#!/bin/sh'
		cat
	} >"$work/$1"
	chmod +x "$work/$1"
}

program good <<'END'
echo 'ok 1 - fine'; echo 1..1
END
program panic <<'END'
echo 'ok 1 - fine'; echo 1..1; echo c >/proc/sysrq-trigger
END
program hang <<'END'
echo 'ok 1 - fine'; sleep 1000
END
program short <<'END'
echo 1..2; echo 'ok 1 - fine'
END
program mute <<'END'
exit 0
END
program dies <<'END'
echo 1..1; echo 'ok 1 - fine'; kill -SEGV $$
END
program bad <<'END'
echo 'not ok 1 - broken'; echo 1..1
END
program grumbles <<'END'
echo '<4>WARNING: CPU: 0 PID: 1 at here' >/dev/kmsg; echo 'ok 1 - fine'; echo 1..1
END

./boot.sh -k "$tree" "$work/good" >"$work/said"
verdict $? "a healthy guest passes" || sed 's/^/# /' "$work/said"
guest 'comes to its end' 'a panic fails' "$work/panic"
guest 'complains of nothing' 'what the kernel grumbles fails' "$work/grumbles"
guest 'hang ends within its time' 'a hanging program fails' -l 2 "$work/hang"
guest 'is done within' 'a hanging guest fails' -t 8 "$work/hang"
guest 'runs its 2 tests' 'a plan that is not kept fails' "$work/short"
guest 'has a plan' 'a program without a plan fails' "$work/mute"
guest 'exits with status 0' 'a program that dies fails' "$work/dies"
guest 'broken' 'a failed test fails' "$work/bad"
printf 'no module\n' >"$work/hscpt.ko"
guest 'the module loads' 'a module that does not load fails' \
	-m "$work/hscpt.ko" "$work/good"
finish
