# shellcheck shell=sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Sourced by every lint.  A lint reads $top_srcdir, and $top_builddir where it
# looks at objects; prints file:line: text for each violation through `bad',
# and ends with `verdict'.  Exit status as automake's: 0, 1, 77 (skip).
: "${top_srcdir:=$(cd "$(dirname "$0")/../.." && pwd)}"
if [ -z "${top_builddir-}" ]; then
	top_builddir=$top_srcdir
	[ -d "$top_srcdir/build/default" ] &&
		top_builddir=$top_srcdir/build/default
fi
: "${CC:=cc}" "${NM:=nm}" "${OBJDUMP:=objdump}"
top_srcdir=$(cd "$top_srcdir" && pwd) || exit 1
top_builddir=$(cd "$top_builddir" && pwd) || exit 1
violations=$(mktemp) || exit 1
trap 'rm -f "$violations"' EXIT

bad()
{
	echo "$*" | tee -a "$violations"
}

# Reads violations, one a line, from a pipe: a loop in a pipe is a subshell,
# so what it finds has to travel by this file.
bad_lines()
{
	tee -a "$violations"
}

verdict()
{
	[ ! -s "$violations" ]
	exit
}

skip()
{
	echo "$*"
	exit 77
}

# need TOOL PACKAGE
need()
{
	command -v "$1" >/dev/null || skip "no $1 here; apt-get install $2"
}

# Files of the project below DIR..., relative to the top, whatever made the
# tree: a clone, a tarball, a tree that was built in place.
# project_files DIR... [-- FIND-EXPRESSION]
project_files()
{
	(
		cd "$top_srcdir" || exit 1
		dirs=
		while [ $# -gt 0 ] && [ "$1" != -- ]; do
			[ ! -e "$1" ] || dirs="$dirs $1"
			shift
		done
		[ $# -eq 0 ] || shift
		[ -n "$dirs" ] || exit 0
		# shellcheck disable=SC2086
		find $dirs \( -name .git -o -name build -o -name 'build-*' \
		    -o -name autom4te.cache -o -name '.deps' -o -name '.libs' \
		    -o -name 'hotspare-[0-9]*' \) -prune -o -type f "$@" -print |
			sed 's|^\./||' | sort
	)
}

# The C files that people wrote.
c_files()
{
	project_files libhs agent examples tests kernel -- \
	    \( -name '*.c' -o -name '*.h' \)
}
