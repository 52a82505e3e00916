# SPDX-License-Identifier: GPL-2.0-or-later
# The cluster in namespaces: scripts only, run by quickstart and bench.
#EXTRA_DIST += tests/rig/rig tests/rig/lib.sh
