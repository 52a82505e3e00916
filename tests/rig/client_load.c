/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tests/rig/client_load.h"

#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "tests/rig/client_link.h"

#define SECOND_NS (1000 * LINK_MS)
#define REPORT_NS (100 * LINK_MS)

static volatile sig_atomic_t stopped;

static void
on_signal(int sig)
{
	(void)sig;
	stopped = 1;
}

void
load_catch(void)
{
	struct sigaction sa = { .sa_handler = on_signal };

	(void)sigaction(SIGTERM, &sa, NULL);
	(void)sigaction(SIGINT, &sa, NULL);
}

bool
load_is_over(const struct client_load *l, uint64_t now_ns)
{
	return stopped || (l->end_ns != 0 && now_ns >= l->end_ns);
}

int
load_number(const char *s, uint64_t min, uint64_t max, uint64_t *out)
{
	char *end;
	uint64_t v;

	errno = 0;
	v = strtoull(s, &end, 10);
	if (errno != 0 || *s < '0' || *s > '9' || *end != '\0' || v < min ||
	    v > max)
		return -1;
	*out = v;
	return 0;
}

static int
read_scaled(const char *s, uint64_t max, uint64_t unit_ns, uint64_t *out_ns)
{
	const int rc = load_number(s, 1, max, out_ns);

	*out_ns *= rc == 0 ? unit_ns : 1;
	return rc;
}

int
load_option(struct client_load *l, int o, const char *value)
{
	uint64_t n = 0;
	int rc = 0;

	switch (o) {
	case 'a':
		return read_scaled(value, 60000, LINK_MS, &l->answer_ns);
	case 'g':
		return read_scaled(value, 3600, SECOND_NS, &l->give_up_ns);
	case 'k':
		rc = load_number(value, 1, l->conns_max, &n);
		l->nconns = (unsigned)n;
		return rc;
	case 'o':
		l->report = value;
		return 0;
	case 'r':
		rc = load_number(value, 0, 1000000, &n);
		l->interval_ns = n == 0 ? 0 : SECOND_NS / n;
		return rc;
	case 's':
		return load_number(value, 1, UINT64_MAX, &l->seed);
	case 't':
		rc = read_scaled(value, 86400, SECOND_NS, &n);
		l->end_ns = link_now_ns() + n;
		return rc;
	default:
		return -1;
	}
}

void
load_report(struct client_load *l, uint64_t now_ns, const char *fmt, ...)
{
	char tmp[1024];
	va_list ap;
	FILE *f;

	l->report_ns = now_ns + REPORT_NS;
	if (l->report == NULL)
		return;
	(void)snprintf(tmp, sizeof(tmp), "%s.new", l->report);
	f = fopen(tmp, "w");
	if (f == NULL)
		return;
	va_start(ap, fmt);
	(void)vfprintf(f, fmt, ap);
	va_end(ap);
	if (fclose(f) == 0)
		(void)rename(tmp, l->report);
}
