#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Makes ./configure from configure.ac in a fresh clone.
set -eu
cd "$(dirname "$0")"

for tool in autoreconf:autoconf automake:automake libtoolize:libtool \
    pkg-config:pkg-config; do
	if ! command -v "${tool%%:*}" >/dev/null 2>&1; then
		echo "autogen.sh: ${tool%%:*} is missing;" \
		    "apt-get install ${tool##*:}" >&2
		exit 1
	fi
done
exec autoreconf --install --force
