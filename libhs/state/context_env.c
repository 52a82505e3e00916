/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "state/context_env.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/digest.h"
#include "base/why.h"
#include "state/procfile.h"

/* Of an argument in a message. */
#define SHOWN 60

/* ---- arguments ---- */

static int
read_argv(char **out, size_t *len)
{
	return hs_procfile_whole("/proc/self/cmdline", HS_CONTEXT_MOST_BYTES,
	    out, len);
}

int
hs_context_env_query_argv(struct hs_wr *w)
{
	char *args;
	size_t len;
	int rc;

	rc = read_argv(&args, &len);
	if (rc < 0)
		return rc;
	hs_wr_bytes(w, args, len);
	free(args);
	return 0;
}

static unsigned
count_args(const char *args, size_t len)
{
	unsigned n = 0;

	for (size_t i = 0; i < len; i++)
		n += args[i] == '\0';
	return n;
}

/* Both are lists of terminated strings, and differ. */
static int
tell_args(const char *there, size_t nthere, const char *here, size_t nhere)
{
	const unsigned n = count_args(there, nthere);
	const unsigned m = count_args(here, nhere);

	for (unsigned i = 0; i < n && i < m; i++) {
		if (strcmp(there, here) != 0)
			return hs_why(HS_EINCOMPATIBLE,
			    "argument %u is '%.*s' on the primary, and '%.*s' "
			    "here: configure the service alike on all nodes",
			    i, SHOWN, there, SHOWN, here);
		there += strlen(there) + 1;
		here += strlen(here) + 1;
	}
	return hs_why(HS_EINCOMPATIBLE,
	    "the primary was started with %u arguments, and this one with %u: "
	    "configure the service alike on all nodes",
	    n, m);
}

int
hs_context_env_compare_argv(struct hs_rd *r)
{
	const size_t nthere = r->left;
	const uint8_t *there = hs_rd_bytes(r, nthere);
	size_t nhere = 0;
	char *here = NULL;
	int rc;

	hs_rd_require(r, there != NULL && there[nthere - 1] == '\0');
	if (hs_rd_end(r) < 0 || there == NULL)
		return HS_ECORRUPT;
	rc = read_argv(&here, &nhere);
	if (rc < 0 || here == NULL)
		return rc;
	if (nthere != nhere || memcmp(there, here, nhere) != 0)
		rc = tell_args((const char *)there, nthere, here, nhere);
	free(here);
	return rc;
}

/* ---- environment ---- */

/* What the cluster, systemd or a shell set anew for each start or node. */
static const char *const prefixes[] = { "HOTSPARE_", "OCF_", "HA_", "PCMK_",
	"LISTEN_", "SSH_", "SYSTEMD_", "WATCHDOG_", "XDG_" };
static const char *const singles[] = { "_", "HOSTNAME", "INVOCATION_ID",
	"JOURNAL_STREAM", "MAINPID", "MANAGERPID", "NOTIFY_SOCKET", "OLDPWD",
	"PWD", "SHLVL" };

struct var {
	const char *name;	/* not terminated */
	size_t len;
	uint8_t value[HS_DIGEST_BYTES];
};

static bool
is_ignored(const char *name, size_t len)
{
	for (size_t i = 0; i < sizeof(prefixes) / sizeof(prefixes[0]); i++) {
		const size_t n = strlen(prefixes[i]);

		if (len >= n && memcmp(name, prefixes[i], n) == 0)
			return true;
	}
	for (size_t i = 0; i < sizeof(singles) / sizeof(singles[0]); i++)
		if (len == strlen(singles[i]) &&
		    memcmp(name, singles[i], len) == 0)
			return true;
	return false;
}

static int
compare_vars(const void *a, const void *b)
{
	const struct var *v = a, *w = b;
	const size_t n = v->len < w->len ? v->len : w->len;
	const int rc = memcmp(v->name, w->name, n);

	return rc != 0 ? rc : (v->len > w->len) - (v->len < w->len);
}

/* The variables of this process: their names are in *block. */
struct env {
	char *block;
	struct var *var;	/* ascending */
	size_t n;
};

static void
free_env(struct env *e)
{
	free(e->block);
	free(e->var);
}

static int
digest_value(const char *value, uint8_t out[HS_DIGEST_BYTES])
{
	struct hs_digest *d;
	int rc;

	rc = hs_digest_create(&d);
	if (rc < 0)
		return rc;
	hs_digest_add(d, value, strlen(value));
	hs_digest_get(d, out);
	hs_digest_destroy(d);
	return 0;
}

static int
add_var(struct env *e, const char *text)
{
	const size_t len = strcspn(text, "=");
	struct var *v = &e->var[e->n];
	int rc;

	if (len == 0 || len > UINT16_MAX || is_ignored(text, len))
		return 0;
	v->name = text;
	v->len = len;
	rc = digest_value(text + len + (text[len] == '='), v->value);
	if (rc == 0)
		e->n++;
	return rc;
}

static int
read_env(struct env *e)
{
	size_t len = 0;
	int rc;

	*e = (struct env){ .n = 0 };
	rc = hs_procfile_whole("/proc/self/environ", HS_CONTEXT_MOST_BYTES,
	    &e->block, &len);
	if (rc < 0 || e->block == NULL)
		return rc;
	/* The last one may lack its end: the block is terminated. */
	e->var = calloc(count_args(e->block, len) + 1, sizeof(*e->var));
	if (e->var == NULL) {
		free_env(e);
		(void)hs_why(-ENOMEM, "no memory to read the environment");
		return -ENOMEM;
	}
	for (size_t at = 0; at < len && rc == 0;
	     at += strlen(e->block + at) + 1)
		rc = add_var(e, e->block + at);
	if (rc < 0) {
		free_env(e);
		return rc;
	}
	if (e->n > 0)
		qsort(e->var, e->n, sizeof(*e->var), compare_vars);
	return 0;
}

int
hs_context_env_query(struct hs_wr *w)
{
	struct env e;
	int rc;

	rc = read_env(&e);
	if (rc < 0)
		return rc;
	hs_wr_u32(w, (uint32_t)e.n);
	for (size_t i = 0; i < e.n; i++) {
		hs_wr_u16(w, (uint16_t)e.var[i].len);
		hs_wr_bytes(w, e.var[i].name, e.var[i].len);
		hs_wr_bytes(w, e.var[i].value, sizeof(e.var[i].value));
	}
	free_env(&e);
	return 0;
}

static bool
next_var(struct hs_rd *r, struct var *v)
{
	v->len = hs_rd_u16(r);
	v->name = (const char *)hs_rd_bytes(r, v->len);
	hs_rd_copy(r, v->value, sizeof(v->value));
	return r->err == 0;
}

static int
tell_var(const struct var *v, const char *what)
{
	return hs_why(HS_EINCOMPATIBLE,
	    "the environment variable %.*s %s: start the service alike on all "
	    "nodes",
	    (int)(v->len < SHOWN ? v->len : SHOWN), v->name, what);
}

/* Of n variables in r, and those of e: both ascend. */
static int
compare_env(struct hs_rd *r, uint32_t n, const struct env *e)
{
	size_t k = 0;

	for (uint32_t i = 0; i < n; i++) {
		struct var v;
		int order;

		if (!next_var(r, &v))
			return HS_ECORRUPT;
		order = k < e->n ? compare_vars(&v, &e->var[k]) : -1;
		if (order < 0)
			return tell_var(&v,
			    "is set on the primary and not here");
		if (order > 0)
			return tell_var(&e->var[k],
			    "is set here and not on the primary");
		if (memcmp(v.value, e->var[k].value, sizeof(v.value)) != 0)
			return tell_var(&v,
			    "has another value here than on the primary");
		k++;
	}
	if (hs_rd_end(r) < 0)
		return HS_ECORRUPT;
	return k == e->n
	    ? 0
	    : tell_var(&e->var[k], "is set here and not on the primary");
}

int
hs_context_env_compare(struct hs_rd *r)
{
	const uint32_t n = hs_rd_u32(r);
	struct env e;
	int rc;

	if (r->err != 0)
		return HS_ECORRUPT;
	rc = read_env(&e);
	if (rc < 0)
		return rc;
	rc = compare_env(r, n, &e);
	free_env(&e);
	return rc;
}
