# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# What the first process of a node starts.  Sourced by node-init, where the node
# is a set of namespaces, and by machine-init, where it is a virtual machine.

# start_network ADDRESS
start_network() {
	ip -batch - <<-END
	link set lo up
	addr add $1/24 brd + dev eth0
	link set eth0 addrgenmode none up
	END
}

# In the order in which systemd would; returns when pacemakerd is started.
start_cluster() {
	install -d -o hacluster -g haclient -m 750 /run/crm
	mkdir -p /run/resource-agents
	corosync -f &
	until corosync-cfgtool -s >/dev/null 2>&1; do
		sleep 0.05
	done
	PCMK_logfile=/var/log/pacemaker/pacemaker.log PCMK_logfacility=none \
		pacemakerd -f &
}
