# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Sourced by the tests of the OCF agent that need no cluster.  Prints TAP-like
# lines, "ok - what" or "not ok - what"; done_testing sets the exit status.
# shellcheck disable=SC2034 # for the one that sources this
top=${top_srcdir:-$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)}
builddir=${top_builddir:-$(pwd)}
builddir=$(cd "$builddir" && pwd) || exit 1
npass=0
nfail=0

pass()
{
	echo "ok - $1"
	npass=$((npass + 1))
}

flunk()
{
	echo "not ok - $1"
	nfail=$((nfail + 1))
}

# result STATUS WHAT: passes if the status is 0.
result()
{
	if [ "$1" -eq 0 ]; then pass "$2"; else flunk "$2"; fi
}

done_testing()
{
	echo "$npass passed, $nfail failed"
	[ "$nfail" -eq 0 ] && [ "$npass" -gt 0 ]
	exit
}

skip_all()
{
	echo "skipped: $*"
	exit 77
}
