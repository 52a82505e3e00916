/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "api/self.h"
#include "base/why.h"

#define STRING(x) #x
#define VERSION(major, minor, patch)                                           \
	STRING(major) "." STRING(minor) "." STRING(patch)

const char *
hsstrerror(int rc)
{
	return hs_err_text(rc);
}

const char *
hsmessage(void)
{
	return hs_why_line();
}

const char *
hsversion(void)
{
	return VERSION(HS_VERSION_MAJOR, HS_VERSION_MINOR, HS_VERSION_PATCH);
}
