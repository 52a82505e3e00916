dnl SPDX-License-Identifier: GPL-2.0-or-later
dnl HS_CFLAG(VARIABLE, FLAG)
dnl Appends FLAG to VARIABLE when the compiler knows it.  clang accepts
dnl unknown -W flags with a warning, so the test makes warnings fatal.
AC_DEFUN([HS_CFLAG], [
	AS_VAR_PUSHDEF([cache], [hs_cv_cflag_$2])
	AC_CACHE_CHECK([whether $CC takes $2], [cache], [
		hs_save_cflags=$CFLAGS
		CFLAGS="$CFLAGS -Werror $2"
		AC_COMPILE_IFELSE([AC_LANG_PROGRAM()],
			[AS_VAR_SET([cache], [yes])],
			[AS_VAR_SET([cache], [no])])
		CFLAGS=$hs_save_cflags
	])
	AS_VAR_IF([cache], [yes], [AS_VAR_APPEND([$1], [" $2"])])
	AS_VAR_POPDEF([cache])
])

dnl HS_WARNINGS
dnl HS_WARN_CFLAGS: the warnings this tree is kept free of.  They are fatal
dnl in CI only: a compiler newer than ours must not stop a user's build.
AC_DEFUN([HS_WARNINGS], [
	AC_ARG_ENABLE([fatal-warnings],
		[AS_HELP_STRING([--enable-fatal-warnings],
			[make every compiler warning an error])],
		[], [enable_fatal_warnings=no])
	HS_WARN_CFLAGS=
	m4_foreach_w([flag],
		[-Wall -Wextra -Wshadow -Wconversion -Wstrict-prototypes
		 -Wmissing-prototypes -Wvla -Wundef -Wcast-align
		 -Wframe-larger-than=4096],
		[HS_CFLAG([HS_WARN_CFLAGS], flag)])
	AS_IF([test "x$enable_fatal_warnings" = xyes],
		[AS_VAR_APPEND([HS_WARN_CFLAGS], [" -Werror"])])
	AC_SUBST([HS_WARN_CFLAGS])

	HS_BASE_CFLAGS="-std=gnu11 -fvisibility=hidden"
	AC_SUBST([HS_BASE_CFLAGS])
])

dnl HS_SANITIZERS
dnl --with-sanitizers=asan,ubsan,tsan: any set that the compiler can link.
AC_DEFUN([HS_SANITIZERS], [
	AC_ARG_WITH([sanitizers],
		[AS_HELP_STRING([--with-sanitizers=LIST],
			[build with asan, ubsan, tsan: a comma-separated list])],
		[], [with_sanitizers=no])
	HS_SAN_CFLAGS=
	AS_CASE([$with_sanitizers], [no], [], [
		hs_sans=
		for s in `echo "$with_sanitizers" | tr , ' '`; do
			AS_CASE([$s],
				[asan], [hs_sans=${hs_sans:+$hs_sans,}address],
				[ubsan], [hs_sans=${hs_sans:+$hs_sans,}undefined],
				[tsan], [hs_sans=${hs_sans:+$hs_sans,}thread],
				[AC_MSG_ERROR([--with-sanitizers knows asan, ubsan and tsan, not '$s'])])
		done
		HS_SAN_CFLAGS="-fsanitize=$hs_sans -fno-omit-frame-pointer -g"
		AS_CASE([$hs_sans], [*undefined*],
			[HS_SAN_CFLAGS="$HS_SAN_CFLAGS -fno-sanitize-recover=undefined"])
		# Redzones make every frame larger than it is in a real build.
		HS_SAN_CFLAGS="$HS_SAN_CFLAGS -Wno-frame-larger-than"
		hs_save_cflags=$CFLAGS
		CFLAGS="$CFLAGS $HS_SAN_CFLAGS"
		AC_MSG_CHECKING([whether $CC links with -fsanitize=$hs_sans])
		AC_LINK_IFELSE([AC_LANG_PROGRAM()], [AC_MSG_RESULT([yes])],
			[AC_MSG_RESULT([no])
			 AC_MSG_ERROR([$CC cannot link -fsanitize=$hs_sans])])
		CFLAGS=$hs_save_cflags
	])
	AC_SUBST([HS_SAN_CFLAGS])
	AM_CONDITIONAL([SANITIZED], [test "x$with_sanitizers" != xno])
])

dnl HS_FUZZING
dnl --enable-fuzzing: libFuzzer targets (clang), with ASan and UBSan.
AC_DEFUN([HS_FUZZING], [
	AC_ARG_ENABLE([fuzzing],
		[AS_HELP_STRING([--enable-fuzzing],
			[build the libFuzzer targets of tests/fuzz (needs clang)])],
		[], [enable_fuzzing=no])
	HS_FUZZ_CFLAGS=
	HS_FUZZ_LDFLAGS=
	AS_IF([test "x$enable_fuzzing" = xyes], [
		AS_IF([test "x$with_sanitizers" != xno],
			[AC_MSG_ERROR([--enable-fuzzing brings its own sanitizers; drop --with-sanitizers])])
		hs_fuzz_common="address,undefined -fno-sanitize-recover=undefined"
		HS_FUZZ_CFLAGS="-fsanitize=fuzzer-no-link,$hs_fuzz_common -g -Wno-frame-larger-than"
		HS_FUZZ_LDFLAGS="-fsanitize=fuzzer,$hs_fuzz_common"
		hs_save_cflags=$CFLAGS
		CFLAGS="$CFLAGS $HS_FUZZ_LDFLAGS"
		AC_MSG_CHECKING([whether $CC links libFuzzer])
		AC_LINK_IFELSE([AC_LANG_SOURCE([[
			#include <stddef.h>
			#include <stdint.h>
			int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);
			int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
			{ return p == NULL && n != 0; }]])],
			[AC_MSG_RESULT([yes])],
			[AC_MSG_RESULT([no])
			 AC_MSG_ERROR([$CC has no libFuzzer; configure with CC=clang (apt-get install clang)])])
		CFLAGS=$hs_save_cflags
	])
	AC_SUBST([HS_FUZZ_CFLAGS])
	AC_SUBST([HS_FUZZ_LDFLAGS])
	AM_CONDITIONAL([ENABLE_FUZZING], [test "x$enable_fuzzing" = xyes])
])
