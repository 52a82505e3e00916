/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "state/context.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/rd.h"
#include "base/why.h"
#include "state/context_env.h"
#include "state/procfile.h"

#define VERSION 1
/* Of the line in /proc/self/status, the second one. */
#define STATUS_BYTES 256
/* A longer name of a working directory is refused. */
#define CWD_BYTES 2048

struct part {
	enum hs_ctx what;
	const char *name;
	/* What this process has, after the version; hs_why() tells a failure */
	int (*query)(struct hs_wr *w);
	int (*restore)(struct hs_rd *r);
	bool fixed;		/* never changes in the life of a process */
};

/* ---- working directory ---- */

static int
query_cwd(struct hs_wr *w)
{
	char *path = getcwd(NULL, 0);
	int e = errno;
	size_t len;

	if (path == NULL)
		return hs_why(-e,
		    "the working directory cannot be named (%s): chdir() to "
		    "one that exists on all nodes",
		    strerrordesc_np(e));
	len = strlen(path);
	hs_wr_bytes(w, path, len);
	free(path);
	if (len < CWD_BYTES)
		return 0;
	return hs_why(-ENAMETOOLONG,
	    "the path of the working directory has %zu bytes, above %d: "
	    "chdir() to one with a shorter name",
	    len, CWD_BYTES - 1);
}

static int
restore_cwd(struct hs_rd *r)
{
	const size_t len = r->left;
	const uint8_t *bytes = hs_rd_bytes(r, len);
	char path[CWD_BYTES];

	hs_rd_require(r,
	    bytes != NULL && bytes[0] == '/' && len < sizeof(path) &&
		memchr(bytes, '\0', len) == NULL);
	if (hs_rd_end(r) < 0 || bytes == NULL)
		return HS_ECORRUPT;
	memcpy(path, bytes, len);
	path[len] = '\0';
	if (chdir(path) == 0)
		return 0;
	return hs_why(-errno,
	    "cannot enter %s, the primary's working directory: %s; create it "
	    "on this node, for the service's user",
	    path, strerrordesc_np(errno));
}

/* ---- umask ---- */

/* To ask umask(2) is to change it, under the feet of other threads. */
static int
query_umask(struct hs_wr *w)
{
	char buf[STATUS_BYTES];
	const char *line;
	unsigned mask;
	int rc;

	rc = hs_procfile_head("/proc/self/status", buf, sizeof(buf));
	if (rc < 0)
		return rc;
	line = strstr(buf, "\nUmask:");
	if (line == NULL || sscanf(line, "\nUmask: %o", &mask) != 1)
		return hs_why(-ENOSYS,
		    "/proc/self/status does not tell the umask: this kernel is "
		    "older than 4.7; leave out HS_CTX_UMASK");
	hs_wr_u32(w, mask);
	return 0;
}

static int
restore_umask(struct hs_rd *r)
{
	const uint32_t mask = hs_rd_u32(r);

	hs_rd_require(r, mask <= 0777);
	if (hs_rd_end(r) < 0)
		return HS_ECORRUPT;
	(void)umask((mode_t)mask);
	return 0;
}

/* ---- limits ---- */

static const char *const limit_names[RLIM_NLIMITS] = {
	[RLIMIT_CPU] = "RLIMIT_CPU",
	[RLIMIT_FSIZE] = "RLIMIT_FSIZE",
	[RLIMIT_DATA] = "RLIMIT_DATA",
	[RLIMIT_STACK] = "RLIMIT_STACK",
	[RLIMIT_CORE] = "RLIMIT_CORE",
	[RLIMIT_RSS] = "RLIMIT_RSS",
	[RLIMIT_NPROC] = "RLIMIT_NPROC",
	[RLIMIT_NOFILE] = "RLIMIT_NOFILE",
	[RLIMIT_MEMLOCK] = "RLIMIT_MEMLOCK",
	[RLIMIT_AS] = "RLIMIT_AS",
	[RLIMIT_LOCKS] = "RLIMIT_LOCKS",
	[RLIMIT_SIGPENDING] = "RLIMIT_SIGPENDING",
	[RLIMIT_MSGQUEUE] = "RLIMIT_MSGQUEUE",
	[RLIMIT_NICE] = "RLIMIT_NICE",
	[RLIMIT_RTPRIO] = "RLIMIT_RTPRIO",
	[RLIMIT_RTTIME] = "RLIMIT_RTTIME",
};

static int
query_limits(struct hs_wr *w)
{
	hs_wr_u8(w, RLIM_NLIMITS);
	for (unsigned i = 0; i < RLIM_NLIMITS; i++) {
		struct rlimit l = { .rlim_cur = RLIM_INFINITY };

		/* Cannot fail: the kernel has all that its header has. */
		(void)getrlimit(i, &l);
		hs_wr_u64(w, l.rlim_cur);
		hs_wr_u64(w, l.rlim_max);
	}
	return 0;
}

/* Raising a hard limit is a privilege: the soft one is what counts. */
static int
set_limit(unsigned i, const struct rlimit *want)
{
	struct rlimit have;

	if (getrlimit(i, &have) < 0)
		return -errno;
	if ((have.rlim_cur == want->rlim_cur &&
		have.rlim_max == want->rlim_max) ||
	    setrlimit(i, want) == 0)
		return 0;
	have.rlim_cur = want->rlim_cur;
	if (have.rlim_cur <= have.rlim_max && setrlimit(i, &have) == 0)
		return 0;
	return hs_why(-EPERM,
	    "%s is %llu on the primary, and at most %llu here: raise the limit "
	    "for hs-agent and the service's user on this node",
	    limit_names[i], (unsigned long long)want->rlim_cur,
	    (unsigned long long)have.rlim_max);
}

static int
restore_limits(struct hs_rd *r)
{
	struct rlimit want[RLIM_NLIMITS];
	int rc;

	hs_rd_require(r, hs_rd_u8(r) == RLIM_NLIMITS);
	for (unsigned i = 0; i < RLIM_NLIMITS; i++) {
		want[i].rlim_cur = hs_rd_u64(r);
		want[i].rlim_max = hs_rd_u64(r);
		hs_rd_require(r, want[i].rlim_cur <= want[i].rlim_max);
	}
	rc = hs_rd_end(r);
	if (rc < 0)
		return HS_ECORRUPT;
	for (unsigned i = 0; i < RLIM_NLIMITS && rc == 0; i++)
		rc = set_limit(i, &want[i]);
	return rc;
}

/* ---- all of them ---- */

/* In the order of their restore: what is compared comes first. */
static const struct part parts[] = {
	{ HS_CTX_ARGV, "arguments", hs_context_env_query_argv,
	    hs_context_env_compare_argv, true },
	{ HS_CTX_ENV, "environment", hs_context_env_query,
	    hs_context_env_compare, true },
	{ HS_CTX_LIMITS, "limits", query_limits, restore_limits, false },
	{ HS_CTX_UMASK, "umask", query_umask, restore_umask, false },
	{ HS_CTX_CWD, "working directory", query_cwd, restore_cwd, false },
};

#define NPARTS (sizeof(parts) / sizeof(parts[0]))
#define HS_CTX_ALL                                                             \
	((unsigned)(HS_CTX_CWD | HS_CTX_UMASK | HS_CTX_LIMITS | HS_CTX_ARGV |  \
	    HS_CTX_ENV))

static bool
has_part(const struct hs_store *s, const struct part *p)
{
	struct hs_store_rec rec;

	return hs_store_get(s, HS_STORE_CONTEXT, p->what, &rec) != -ENOENT;
}

static int
put_part(struct hs_store *s, const struct part *p)
{
	const size_t size = p->fixed ? HS_CONTEXT_MOST_BYTES : PATH_MAX + 1;
	uint8_t *buf = malloc(size);
	struct hs_wr w;
	int rc;

	if (buf == NULL)
		return hs_why(-ENOMEM, "no memory to ask for the %s", p->name);
	hs_wr_init(&w, buf, size);
	hs_wr_u8(&w, VERSION);
	rc = p->query(&w);
	if (rc == 0)
		rc = hs_wr_end(&w);
	if (rc == -EMSGSIZE)
		rc = hs_why(-E2BIG,
		    "the %s has more than %zu bytes: leave it out of "
		    "hsctxreg()",
		    p->name, size);
	if (rc >= 0)
		rc =
		    hs_store_put(s, HS_STORE_CONTEXT, p->what, buf, (size_t)rc);
	free(buf);
	return rc;
}

int
hs_context_keep(struct hs_store *s, unsigned what)
{
	unsigned added = 0;
	int rc = 0;

	if ((what & ~HS_CTX_ALL) != 0)
		return hs_why(HS_EMISUSE,
		    "hsctxreg: unknown part %#x: see enum hs_ctx",
		    what & ~HS_CTX_ALL);
	for (size_t i = 0; i < NPARTS && rc == 0; i++) {
		const struct part *p = &parts[i];

		if ((what & p->what) == 0 || has_part(s, p))
			continue;
		rc = put_part(s, p);
		if (rc == 0)
			added |= p->what;
	}
	for (size_t i = 0; i < NPARTS; i++) {
		const unsigned gone = rc < 0 ? added : ~what;

		if ((gone & parts[i].what) != 0)
			(void)hs_store_del(s, HS_STORE_CONTEXT, parts[i].what);
	}
	return rc;
}

static int
query_context(struct hs_store *s)
{
	int rc = 0;

	for (size_t i = 0; i < NPARTS && rc == 0; i++)
		if (!parts[i].fixed && has_part(s, &parts[i]))
			rc = put_part(s, &parts[i]);
	return rc;
}

static int
restore_part(const struct hs_store *s, const struct part *p)
{
	struct hs_store_rec rec;
	struct hs_rd r;
	int rc;

	rc = hs_store_get(s, HS_STORE_CONTEXT, p->what, &rec);
	if (rc < 0)
		return rc == -ENOENT ? 0 : rc;
	hs_rd_init(&r, rec.bytes, rec.len);
	hs_rd_require(&r, hs_rd_u8(&r) == VERSION);
	rc = p->restore(&r);
	if (rc == HS_ECORRUPT)
		return hs_why(rc,
		    "the record of the %s is not valid: it was written by "
		    "another version of libhotspare, or damaged",
		    p->name);
	return rc;
}

static int
restore_context(struct hs_store *s)
{
	int rc = 0;

	for (size_t i = 0; i < NPARTS && rc == 0; i++)
		rc = restore_part(s, &parts[i]);
	return rc;
}

const struct hs_section_ops hs_context_section = {
	.abi = HS_SECTION_ABI,
	.name = "context",
	.query = query_context,
	.restore = restore_context,
};
