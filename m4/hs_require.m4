dnl SPDX-License-Identifier: GPL-2.0-or-later
dnl HS_REQUIRE(VARIABLE-PREFIX, MODULE, DEBIAN-PACKAGE)
dnl A library we cannot build without.  Its absence is one line that says
dnl what to install.
AC_DEFUN([HS_REQUIRE], [
	PKG_CHECK_MODULES([$1], [$2], [],
		[AC_MSG_ERROR([$2 is missing; apt-get install $3])])
])
