# shellcheck shell=sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Sourced by the lints that look at what was compiled.
: "${top_srcdir:?}" "${top_builddir:?}"

# The functions that hs.h declares, one a line.
public_functions()
{
	awk '
	# Comments out, whole declarations together.
	{ text = text $0 "\n" }
	END {
		gsub(/\\\n/, " ", text)
		while ((i = index(text, "/*")) > 0) {
			j = index(substr(text, i), "*/")
			text = substr(text, 1, i - 1) " " \
			    substr(text, i + j + 1)
		}
		n = split(text, line, "\n")
		text = ""
		for (k = 1; k <= n; k++)
			if (line[k] !~ /^[ \t]*#/)
				text = text line[k] " "
		n = split(text, decl, /[;{}]/)
		for (k = 1; k <= n; k++)
			if (match(decl[k], /[^A-Za-z0-9_]hs[a-z0-9]+[ \t]*\(/)) {
				name = substr(decl[k], RSTART + 1, RLENGTH - 2)
				sub(/[ \t]+$/, "", name)
				print name
			}
	}' "$top_srcdir/libhs/hs.h" | sort -u
}

# What hs.h declares between its two visibility pragmas, one a line.
private_names()
{
	sed -n '/^#pragma GCC visibility push/,/^#pragma GCC visibility pop/{
		s/^extern [a-z_ ]*\(hs_[a-z_]*\);$/\1/p
		s/^extern __thread struct [a-z_]* \(hs_[a-z_]*\)$/\1/p
		s/^[a-z]* \(hs_[a-z_]*\)(.*/\1/p
	}' "$top_srcdir/libhs/hs.h" | sort -u
}

# "OBJECT SOURCE" for each object below DIR..., by the .o files of the build:
# automake calls dir/x.c's object dir/x.o or dir/TARGET-x.o, libtool's are in
# dir/.libs.  An object whose source is gone is stale and passed over.
objects()
{
	for dir; do
		[ ! -d "$top_builddir/$dir" ] ||
			find "$top_builddir/$dir" -name '*.o'
	done | sort | while read -r obj; do
		rel=${obj#"$top_builddir"/}
		dir=$(dirname "$rel" | sed 's|/\.libs$||')
		name=$(basename "$rel" .o)
		for src in "$dir/$name.c" "$dir/${name#*-}.c"; do
			if [ -e "$top_srcdir/$src" ]; then
				echo "$obj $src"
				break
			fi
		done
	done
}

# A build without an object would make every lint of objects pass.
[ -n "$(objects libhs agent | head -n 1)" ] || {
	bad "no object file below $top_builddir: run make first"
	verdict
}
