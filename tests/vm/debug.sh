#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# tests/vm/debug.sh: builds a kernel that looks for what stock kernels hide
# (KASAN, lockdep, checks of page tables, leaks, injected faults) from Debian's
# source, once for each version of it, and prints a line as trees.sh does.
# A quarter of an hour on two cores.  HS_VM_CACHE as in trees.sh.
set -u
cd "$(dirname "$0")/../.." || exit 1
cache=${HS_VM_CACHE:-$PWD/build/vm/cache}
series=6.12

read -r _ _ source why < <(tests/vm/trees.sh $series source)
if [ "${source:--}" = - ]; then
	echo "$series debug - ${why:-the source cannot be had}"
	exit 0
fi
cache=$(cd "$cache" && pwd)
dir=$cache/$series-debug
id="$(cat "$source/release") $(sha256sum <tests/vm/debug.config)"

exec 9>"$cache/lock.debug"
flock 9
if [ "$(cat "$dir/release" 2>/dev/null)" = "$id" ]; then
	echo "$series debug $dir"
	exit 0
fi

# What a merge left out is noticed: a check that is off finds nothing.
check_config() {
	grep '=y$' tests/vm/debug.config | while read -r option; do
		grep -qx "$option" "$dir/kdir/.config" || echo "$option"
	done
}

build_kernel() {
	rm -rf "$dir" && mkdir -p "$dir/kdir" &&
		tar -xJf "$source/linux-source-$series.tar.xz" -C "$dir/kdir" \
			--strip-components=1 || return 1
	# Drivers select it; here it is asked for.
	sed -i '/^config MAPPING_DIRTY_HELPERS/,/^$/s/bool$/bool "helpers"/' \
		"$dir/kdir/mm/Kconfig" || return 1
	make -s -C "$dir/kdir" tinyconfig &&
		cat tests/vm/debug.config >>"$dir/kdir/.config" &&
		make -s -C "$dir/kdir" olddefconfig || return 1
	lacking=$(check_config)
	if [ -n "$lacking" ]; then
		echo "not in the configuration: $lacking"
		return 1
	fi
	nice make -s -C "$dir/kdir" -j"$(nproc)" bzImage modules_prepare &&
		make -s -C "$dir/kdir" modules || return 1
	ln -s kdir/arch/x86/boot/bzImage "$dir/vmlinuz"
	find "$dir/kdir" -name '*.o' -not -path '*/scripts/*' \
		-not -path '*/tools/*' -delete
	rm -f "$dir/kdir/vmlinux.a"
	echo "$id" >"$dir/release"
}

if build_kernel >"$cache/debug.log" 2>&1; then
	echo "$series debug $dir"
else
	echo "$series debug - the kernel does not build: $cache/debug.log"
	exit 1
fi
