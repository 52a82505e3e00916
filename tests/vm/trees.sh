#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# tests/vm/trees.sh [SERIES FLAVOUR]...
#
# Gets Debian's kernels and their header trees into a cache, installing nothing,
# and prints a line for each:
#
#	SERIES FLAVOUR DIR		DIR/kdir, vmlinuz, drivers, release
#	SERIES FLAVOUR - REASON		it cannot be had
#
# FLAVOUR is Debian's name, or `source', which is not among those that are meant
# by none: DIR has linux-source-SERIES.tar.xz, scripts/checkpatch.pl and release.
# DIR/drivers has those of the kernel's own modules that the tests use, and
# what they need; DIR/drivers/list names them in the order to load them in.
#
# The newest of each series that the archive of the machine's own sources has:
# older versions vanish from it.  A tree that was checked within a day is taken
# as it is; without network, so is any that is there.
#
# HS_VM_CACHE	the cache; build/vm/cache
set -u
cd "$(dirname "$0")/../.." || exit 1
cache=${HS_VM_CACHE:-$PWD/build/vm/cache}
mkdir -p "$cache/apt/lists/partial" "$cache/apt/cache/archives/partial" \
	"$cache/deb" || exit 1
cache=$(cd "$cache" && pwd)
# A block device; a network card; the host's files.  In the order to load them.
drivers='brd failover net_failover virtio_net '
drivers=$drivers'fscache netfs 9pnet 9pnet_virtio 9p overlay'
keyring=/usr/share/keyrings/debian-archive-keyring.gpg

[ $# -gt 0 ] || set -- 6.1 amd64 6.1 cloud-amd64 6.12 amd64 6.12 cloud-amd64

exec 9>"$cache/lock"
flock 9
trap 'rm -rf "$cache"/deb/* "$cache"/*.new' EXIT
trap 'exit 130' INT TERM HUP

# The host's own archives, and the backports beside its release: a private
# list, in a private place.
write_sources() {
	local codename signed='' uri suite
	# shellcheck source=/dev/null
	codename=$(. /etc/os-release && echo "${VERSION_CODENAME-}")
	[ -n "$codename" ] || return 1
	[ ! -e "$keyring" ] || signed="[signed-by=$keyring] "
	apt-get update --print-uris 2>/dev/null |
		sed -n "s|^'\([^']*\)/dists/\([^/']*\)/InRelease'.*|\1 \2|p" |
		while read -r uri suite; do
			case $suite in
			"$codename")
				echo "deb $signed$uri $suite main"
				echo "deb $signed$uri $suite-backports main"
				echo "deb-src $signed$uri $suite main" ;;
			"$codename"-updates | "$codename"-security)
				echo "deb $signed$uri $suite main" ;;
			esac
		done >"$cache/apt/sources.list"
	[ -s "$cache/apt/sources.list" ]
}

open_archive() {
	[ -z "${APT_CONFIG-}" ] || return 0
	write_sources || {
		why='no Debian archive among the sources of this machine'
		return 1
	}
	cat >"$cache/apt/conf" <<-END
	Dir::Etc::sourcelist "$cache/apt/sources.list";
	Dir::Etc::sourceparts "-";
	Dir::State::lists "$cache/apt/lists";
	Dir::Cache "$cache/apt/cache";
	APT::Sandbox::User "root";
	Acquire::Languages "none";
	Acquire::Retries "2";
	Acquire::http::Timeout "20";
	END
	APT_CONFIG=$cache/apt/conf
	export APT_CONFIG
	if ! apt-get -qq update >"$cache/apt/log" 2>&1 ||
		grep -q '^[WE]:' "$cache/apt/log"; then
		unset APT_CONFIG
		why='the archive does not answer'
		return 1
	fi
}

# newest_release SERIES FLAVOUR: of what the meta packages of the release, of its
# backports and of the series stand for; of source, its version.
newest_release() {
	if [ "$2" = source ]; then
		apt-cache show "linux-source-$1" 2>/dev/null |
			sed -n 's/^Version: //p' | sort -V | tail -n 1
		return
	fi
	apt-cache show "linux-headers-$2" "linux-headers-$1-$2" 2>/dev/null |
		awk -v series="$1" '
		/^Version: / { v = $2 }
		/^Depends: / && index(v, series ".") == 1 { print v, $2 }' |
		sort -V | sed -n '$s/.* linux-headers-//p'
}

# fetch_package NAME ROOT [PATTERN]...: all of it, or these members.
fetch_package() {
	local name=$1 to=$2
	shift 2
	(cd "$cache/deb" && apt-get -q download "$name") >>"$cache/apt/log" 2>&1 ||
		return 1
	dpkg-deb --fsys-tarfile "$cache"/deb/"$name"_*.deb |
		tar -x -C "$to" --wildcards "${@:-*}" || return 1
	rm -f "$cache"/deb/"$name"_*.deb
}

# take_drivers RELEASE DIR: and the kernel itself.  Not all of them are there in
# every kernel.
take_drivers() {
	local name file
	mkdir "$2/all" "$2/drivers" &&
		fetch_package "linux-image-$1" "$2/all" './boot/vmlinuz-*' \
			'*/drivers/block/*' '*/drivers/net/*' '*/kernel/fs/*' \
			'*/kernel/net/*' || return 1
	mkdir "$2/boot" && mv "$2/all/boot/vmlinuz-$1" "$2/boot" || return 1
	for name in $drivers; do
		file=$(find "$2/all/lib/modules" -name "$name.ko*")
		case $file in
		'') continue ;;
		*.xz) unxz -c "$file" >"$2/drivers/$name.ko" ;;
		*) cp "$file" "$2/drivers/$name.ko" ;;
		esac || return 1
	done
	echo "$drivers" >"$2/drivers/list"
	rm -rf "$2/all"
}

# build_tree RELEASE DIR: what an image and a build of modules for it need.
build_tree() {
	local headers=linux-headers-$1 new=$2.new p
	rm -rf "$new" && mkdir -p "$new" || return 1
	for p in "$headers" $(apt-cache depends "$headers" |
		sed -n 's/^ *Depends: \(linux-headers-.*\|linux-kbuild-.*\)/\1/p')
	do
		fetch_package "$p" "$new" || return 1
	done
	take_drivers "$1" "$new" || return 1
	# Its Makefile names the place it would be installed to.
	sed -i "s#^include /usr/src/#include $2/usr/src/#" \
		"$new/usr/src/$headers/Makefile" || return 1
	ln -s "usr/src/$headers" "$new/kdir" &&
		ln -s "boot/vmlinuz-$1" "$new/vmlinuz" &&
		echo "$1" >"$new/release" &&
		rm -rf "$2" && mv "$new" "$2"
}

# build_source SERIES RELEASE DIR
build_source() {
	local new=$3.new tar=linux-source-$1.tar.xz
	rm -rf "$new" && mkdir -p "$new/scripts" || return 1
	fetch_package "linux-source-$1" "$new" "./usr/src/$tar" || return 1
	mv "$new/usr/src/$tar" "$new/$tar" &&
		rm -rf "${new:?}/usr" || return 1
	tar -xJf "$new/$tar" -C "$new" --strip-components=1 --wildcards \
		'*/scripts/checkpatch.pl' '*/scripts/spelling.txt' \
		'*/scripts/const_structs.checkpatch' || return 1
	echo "$2" >"$new/release" && rm -rf "$3" && mv "$new" "$3"
}

# build SERIES FLAVOUR RELEASE DIR
build() {
	case $2 in
	source) build_source "$1" "$3" "$4" ;;
	*) build_tree "$3" "$4" ;;
	esac
}

# is_whole FLAVOUR DIR: made by a trees.sh that wanted these drivers as well.
is_whole() {
	[ "$1" = source ] ||
		[ "$(cat "$2/drivers/list" 2>/dev/null)" = "$drivers" ]
}

# get_tree SERIES FLAVOUR: sets dir, or why.
get_tree() {
	local link=$cache/$1-$2 release
	dir=$link
	if [ -n "$(find "$link" -maxdepth 0 -mmin -1440 2>/dev/null)" ] &&
		is_whole "$2" "$link"; then
		return 0
	fi
	why=''
	if open_archive; then
		release=$(newest_release "$1" "$2")
		if [ -z "$release" ]; then
			why="the archive has no $2 of Linux $1"
		elif ! { [ "$(cat "$link/release" 2>/dev/null)" = "$release" ] &&
			is_whole "$2" "$link"; } &&
			! build "$1" "$2" "$release" "$link"; then
			why="packages of $release cannot be had"
		fi
	fi
	[ -e "$link/release" ] && is_whole "$2" "$link" || return 1
	[ -n "$why" ] || touch "$link"
}

while [ $# -ge 2 ]; do
	if get_tree "$1" "$2"; then
		echo "$1 $2 $dir"
	else
		echo "$1 $2 - $why"
	fi
	shift 2
done
