/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "agent/hsctl/page.h"

#include <inttypes.h>
#include <stdbool.h>
#include <string.h>
#include <time.h>

#define LABEL "  %-10s"

/* NULL if there is no such member: of o, or of nothing. */
static struct json_object *
member(struct json_object *o, const char *key)
{
	struct json_object *v = NULL;

	return json_object_is_type(o, json_type_object) &&
		json_object_object_get_ex(o, key, &v)
	    ? v
	    : NULL;
}

static bool
has(struct json_object *o, const char *key)
{
	return member(o, key) != NULL;
}

static const char *
text_of(struct json_object *o, const char *key, const char *otherwise)
{
	struct json_object *v = member(o, key);

	return v != NULL ? json_object_get_string(v) : otherwise;
}

static int64_t
int_of(struct json_object *o, const char *key)
{
	struct json_object *v = member(o, key);

	return v != NULL ? json_object_get_int64(v) : 0;
}

static double
double_of(struct json_object *o, const char *key)
{
	struct json_object *v = member(o, key);

	return v != NULL ? json_object_get_double(v) : 0;
}

static void
print_bytes(FILE *f, int64_t bytes)
{
	static const char *const units[] = { "B", "KiB", "MiB", "GiB", "TiB" };
	double v = (double)bytes;
	size_t u = 0;

	while (v >= 1024 && u + 1 < sizeof(units) / sizeof(units[0])) {
		v /= 1024;
		u++;
	}
	(void)fprintf(f, u == 0 || v >= 100 ? "%.0f %s" : "%.1f %s", v,
	    units[u]);
}

static void
print_ns(FILE *f, int64_t ns)
{
	if (ns < 1000000)
		(void)fprintf(f, "%.1f us", (double)ns / 1e3);
	else if (ns < 1000000000)
		(void)fprintf(f, "%.2f ms", (double)ns / 1e6);
	else
		(void)fprintf(f, "%.2f s", (double)ns / 1e9);
}

static void
print_head(FILE *f, struct json_object *s)
{
	(void)fprintf(f, "%s", text_of(s, "resource", "?"));
	if (has(s, "node"))
		(void)fprintf(f, " on %s", text_of(s, "node", ""));
	if (has(s, "nodeid"))
		(void)fprintf(f, " (node %" PRId64 ")", int_of(s, "nodeid"));
	(void)fprintf(f, ": %s", text_of(s, "state", "?"));
	if (has(s, "protection"))
		(void)fprintf(f, ", %s", text_of(s, "protection", ""));
	(void)fprintf(f, "\n");
	if (*text_of(s, "why", "") != '\0')
		(void)fprintf(f, LABEL "%s\n", "because",
		    text_of(s, "why", ""));
	if (has(s, "term"))
		(void)fprintf(f, LABEL "%" PRId64 ", epoch %" PRId64 "\n",
		    "term", int_of(s, "term"), int_of(s, "epoch"));
	if (strcmp(text_of(s, "transport", ""), "unix") == 0)
		(void)fprintf(f, LABEL "none: standalone\n", "cluster");
	else if (has(s, "quorate"))
		(void)fprintf(f, LABEL "%s, over %s\n", "cluster",
		    int_of(s, "quorate") != 0 ? "quorate" : "NO QUORUM",
		    text_of(s, "transport", "?"));
}

static void
print_service(FILE *f, struct json_object *s)
{
	struct json_object *v = member(s, "service"), *i = member(s, "image");

	if (v != NULL) {
		(void)fprintf(f, LABEL "%s", "service",
		    text_of(v, "phase", "?"));
		if (int_of(v, "pid") != 0)
			(void)fprintf(f, ", pid %" PRId64, int_of(v, "pid"));
		if (*text_of(v, "tracker", "") != '\0')
			(void)fprintf(f, ", tracker %s",
			    text_of(v, "tracker", ""));
		if (*text_of(v, "version", "") != '\0')
			(void)fprintf(f, ", libhs %s",
			    text_of(v, "version", ""));
		if (*text_of(v, "text", "") != '\0')
			(void)fprintf(f, "; %s", text_of(v, "text", ""));
		(void)fprintf(f, "\n");
	}
	if (int_of(i, "arena_bytes") != 0) {
		(void)fprintf(f, LABEL, "image");
		print_bytes(f, int_of(i, "used_bytes"));
		(void)fprintf(f, " used of ");
		print_bytes(f, int_of(i, "arena_bytes"));
		(void)fprintf(f, ", ");
		print_bytes(f, int_of(i, "resident_bytes"));
		(void)fprintf(f, " in memory here\n");
	}
}

static void
print_peers(FILE *f, struct json_object *s)
{
	struct json_object *peers = member(s, "peers");
	size_t n = json_object_is_type(peers, json_type_array)
	    ? json_object_array_length(peers)
	    : 0;

	if (has(s, "spares"))
		(void)fprintf(f, LABEL "%" PRId64 " hold, %" PRId64 " needed\n",
		    "spares", int_of(s, "spares"), int_of(s, "min_spares"));
	for (size_t i = 0; i < n; i++) {
		struct json_object *p = json_object_array_get_idx(peers, i);

		(void)fprintf(f,
		    LABEL "node %" PRId64 ": %s, term %" PRId64
			  ", epoch %" PRId64 "%s\n",
		    i == 0 ? "peers" : "", int_of(p, "nodeid"),
		    text_of(p, "state", "?"), int_of(p, "term"),
		    int_of(p, "epoch"),
		    has(p, "quorate") && int_of(p, "quorate") == 0
			? ", no quorum"
			: "");
	}
}

/* What stands in the way, and what to do about it. */
static void
print_lost(FILE *f, struct json_object *s)
{
	struct json_object *lost = member(s, "lost");
	size_t n = json_object_is_type(lost, json_type_array)
	    ? json_object_array_length(lost)
	    : 0;

	for (size_t i = 0; i < n; i++) {
		int64_t id =
		    json_object_get_int64(json_object_array_get_idx(lost, i));

		(void)fprintf(f,
		    LABEL "node %" PRId64
			  " vanished: waiting for it to be fenced; if it"
			  " is certainly off, \"hsctl -r %s confirm %" PRId64
			  "\"\n",
		    i == 0 ? "lost" : "", id, text_of(s, "resource", "?"), id);
	}
}

static void
print_stats(FILE *f, struct json_object *s)
{
	struct json_object *t = member(s, "stats");

	if (int_of(t, "epoch_sealed") == 0)
		return;
	(void)fprintf(f,
	    LABEL "sealed %" PRId64 ", sent %" PRId64 "; %" PRId64
		  " dirty pages sent as ",
	    "epochs", int_of(t, "epoch_sealed"), int_of(t, "epoch_sent"),
	    int_of(t, "pages_dirty"));
	print_bytes(f, int_of(t, "bytes_sent"));
	(void)fprintf(f, "\n");
	(void)fprintf(f, LABEL, "pause");
	print_ns(f, int_of(t, "pause_ns_last"));
	(void)fprintf(f, " at the last checkpoint, ");
	print_ns(f, int_of(t, "pause_ns_max"));
	(void)fprintf(f, " at most\n" LABEL, "held");
	print_ns(f, int_of(t, "held_ns_last"));
	(void)fprintf(f, " after hscpt()\n");
}

static void
print_refused(FILE *f, struct json_object *s)
{
	struct json_object *r = member(s, "refused");
	const char *sep = "";

	if (r == NULL || !json_object_is_type(r, json_type_object))
		return;
	json_object_object_foreach(r, reason, count)
	{
		if (json_object_get_int64(count) == 0)
			continue;
		if (*sep == '\0')
			(void)fprintf(f, LABEL, "refused");
		(void)fprintf(f, "%s%s %" PRId64, sep, reason,
		    json_object_get_int64(count));
		sep = ", ";
	}
	if (*sep != '\0')
		(void)fprintf(f, "\n");
}

static void
print_promotion(FILE *f, struct json_object *s)
{
	struct json_object *p = member(s, "last_promote");
	time_t at = (time_t)int_of(p, "at");
	char date[32] = "";
	struct tm tm;

	if (at == 0)
		return;
	if (localtime_r(&at, &tm) != NULL)
		(void)strftime(date, sizeof(date), "%Y-%m-%d %H:%M:%S", &tm);
	(void)fprintf(f,
	    LABEL "%s; service told after %.1f ms, running after %.1f ms\n",
	    "promoted", date, double_of(p, "to_go_ms"),
	    double_of(p, "to_running_ms"));
}

/* Only where an administrator wants them, or they took place. */
static void
print_restarts(FILE *f, struct json_object *s)
{
	struct json_object *r = member(s, "restarts"), *last;

	if (int_of(r, "limit") == 0 && int_of(r, "done") == 0)
		return;
	(void)fprintf(f,
	    LABEL "%" PRId64 " of %" PRId64 " here within %" PRId64
		  " minutes; %" PRId64 " in all",
	    "restarts", int_of(r, "used"), int_of(r, "limit"),
	    int_of(r, "window_s") / 60, int_of(r, "done"));
	last = member(r, "last");
	if (last != NULL)
		(void)fprintf(f,
		    ", last: %s, went on from epoch %" PRId64 " after %.1f ms",
		    text_of(last, "why", "?"), int_of(last, "epoch"),
		    double_of(last, "took_ms"));
	(void)fprintf(f, "\n");
}

void
hs_page_print(FILE *f, struct json_object *status)
{
	print_head(f, status);
	print_lost(f, status);
	print_service(f, status);
	print_peers(f, status);
	print_stats(f, status);
	print_refused(f, status);
	print_promotion(f, status);
	print_restarts(f, status);
	if (has(status, "pid"))
		(void)fprintf(f, LABEL "pid %" PRId64 ", version %s\n", "agent",
		    int_of(status, "pid"),
		    text_of(status, "agent_version", "?"));
}
