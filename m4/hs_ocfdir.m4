dnl SPDX-License-Identifier: GPL-2.0-or-later
dnl HS_OCFDIR
dnl Sets ocfdir, the directory that holds the providers of OCF agents.
dnl Pacemaker looks at one place only, whatever our prefix is, so the default
dnl comes from resource-agents and not from $prefix.
AC_DEFUN([HS_OCFDIR], [
	AC_ARG_WITH([ocfdir],
		[AS_HELP_STRING([--with-ocfdir=DIR],
			[where OCF providers live @<:@resource-agents' resource.d@:>@])],
		[ocfdir=$withval],
		[ocfroot=`$PKG_CONFIG --variable=ocfrootdir resource-agents 2>/dev/null`
		 ocfdir=${ocfroot:-/usr/lib/ocf}/resource.d])
	AS_CASE([$ocfdir], [/*|'$'*], [],
		[AC_MSG_ERROR([--with-ocfdir needs an absolute path])])
	AC_MSG_NOTICE([OCF agent goes to $ocfdir/hotspare])
	AC_SUBST([ocfdir])
])
