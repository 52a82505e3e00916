# SPDX-License-Identifier: GPL-2.0-or-later
# Checks of the source and of the built objects.
