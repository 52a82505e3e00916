# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# What a rig sees of the host's files: everything, read-only, but
#   /usr, /etc	with the tree under test and the rig's own laid over
#   /run, /dev/shm	empty and its own
#   /tmp	the host's as it is, with changes kept to itself
#   /var	a node's own disk
#   DIR		as it is, at its own path, and writable
# So nothing that runs in a rig can leave a file on the host outside DIR.

# mount_private PLACE TYPE OPTIONS: like mount, but DIR stays where it is when
# it lies below PLACE.
mount_private() {
	local place=$1

	case $DIR/ in
	"$place"/*)
		mount -t "$2" -o "$3" rig "$DIR/mnt" &&
		mkdir -p "$DIR/mnt/${DIR#"$place"/}" &&
		mount --bind "$DIR" "$DIR/mnt/${DIR#"$place"/}" &&
		mount --rbind "$DIR/mnt" "$place" ;;
	*)
		mount -t "$2" -o "$3" rig "$place" ;;
	esac
}

mount_volatile() {
	mount_private /run tmpfs mode=755,size=256m &&
	mkdir -m 1777 /run/lock &&
	mkdir -p /run/tmp/new /run/tmp/work && chmod 1777 /run/tmp/new &&
	mount_private /dev/shm tmpfs mode=1777,size=1g
}

mount_tmp() {
	mount_private /tmp overlay \
		lowerdir=/tmp,upperdir=/run/tmp/new,workdir=/run/tmp/work
}

mask_file() {
	[ ! -e "$1" ] || mount --bind /dev/null "$1"
}

mount_outer() {
	local usr=$RIG_HOME/overlay/usr:/usr etc=$DIR/etc:/etc

	if [ -n "$ROOT" ]; then
		[ ! -d "$ROOT/usr" ] || usr=$RIG_HOME/overlay/usr:$ROOT/usr:/usr
		[ ! -d "$ROOT/etc" ] || etc=$DIR/etc:$ROOT/etc:/etc
	fi
	mount --make-rprivate / &&
	mount --bind "$DIR" "$DIR" &&
	mount -t overlay -o "ro,lowerdir=$usr" rig /usr &&
	mount -t overlay -o "ro,lowerdir=$etc" rig /etc &&
	mount -o remount,bind,ro / &&
	mount_volatile &&
	mask_file /dev/log
}

# The panic of pacemaker goes by sysrq, which would hit the host; its second
# way, reboot(2), ends just the node.
mount_node() {
	local disk=$DIR/$1

	mount_volatile && mount_tmp &&
	mount --bind "$disk/var" /var &&
	mount --bind "$DIR/log/$1" /var/log &&
	mount --bind "$disk/etc/corosync" /etc/corosync &&
	mount --bind "$disk/etc/hostname" /etc/hostname &&
	mount -t proc proc /proc &&
	mount -t sysfs sysfs /sys &&
	mask_file /proc/sysrq-trigger &&
	mask_file /proc/sys/kernel/sysrq
}

mount_client() {
	mount_volatile && mount_tmp &&
	mount -t proc proc /proc &&
	mount -t sysfs sysfs /sys
}
