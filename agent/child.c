/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The node's processes: one that waits in hsinit() at all times, so that a
 * promotion finds it there, and the one that is the service.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <qb/qblog.h>

#include "agent/node.h"
#include "base/clock.h"

/*
 * After a takeover or a restart the new primary needs the processors more than
 * the next spare process does.
 */
#define STAND_BY_MS 1000
/* A waiting process that dies is started again, ever more slowly. */
#define RESPAWN_MS 500
#define RESPAWN_MAX_MS 8000
#define DEATHS_SHOWN 3 /* from then on monitor reports an error */

static unsigned long long
start_time(pid_t pid)
{
	unsigned long long t = 0;
	char path[64], line[1024], *p;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	f = fopen(path, "re");
	if (f == NULL)
		return 0;
	/* The name (field 2) may hold anything; fields count from its end. */
	if (fgets(line, sizeof(line), f) != NULL &&
	    (p = strrchr(line, ')')) != NULL) {
		for (int field = 2; field < 22 && p != NULL; field++)
			p = strchr(p + 1, ' ');
		if (p != NULL)
			t = strtoull(p, NULL, 10);
	}
	(void)fclose(f);
	return t;
}

static void
print_pid(FILE *f, const char *what, pid_t pid)
{
	(void)fprintf(f, "%s %d %llu\n", what, (int)pid, start_time(pid));
}

/* For the OCF agent's stop, should this process hang or be gone. */
void
hs_child_pids(struct hs_node *n)
{
	char path[512], tmp[520];
	FILE *f;

	if (n->cfg->standalone)
		return;
	snprintf(path, sizeof(path), "%s/%s.pids", n->cfg->run_dir,
	    n->cfg->resource);
	snprintf(tmp, sizeof(tmp), "%s.new", path);
	f = fopen(tmp, "we");
	if (f == NULL) {
		qb_log(LOG_WARNING, "cannot write %s: %m", tmp);
		return;
	}
	print_pid(f, "agent", getpid());
	if (n->active != NULL)
		print_pid(f, "service", hs_service_pid(n->active));
	if (n->waiting != NULL)
		print_pid(f, "service", hs_service_pid(n->waiting));
	if (fclose(f) != 0 || rename(tmp, path) < 0)
		qb_log(LOG_WARNING, "cannot write %s: %m", path);
}

static bool
is_zero(const uint8_t *p, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (p[i] != 0)
			return false;
	return true;
}

/* The second half differs where the modules are placed otherwise. */
static int
check_build(const struct hs_node *n, const uint8_t *build, char *why,
    size_t why_size)
{
	const size_t len = sizeof(n->build);

	if (n->cfg->any_build || is_zero(n->build, len) ||
	    memcmp(n->build, build, len) == 0)
		return 0;
	if (memcmp(n->build, build, len / 2) != 0)
		snprintf(why, why_size,
		    "the program here is another build than the primary's: "
		    "install the same, or allow it with --any-build");
	else
		snprintf(why, why_size,
		    "code is not where the primary has it: aslr, libraries, "
		    "kernel and stack limit must be alike on all nodes");
	return HS_EINCOMPATIBLE;
}

int
hs_child_check(struct hs_node *n, char *why, size_t why_size)
{
	const struct hs_msg_hello *h = hs_service_hello(n->waiting);
	const struct hs_peer *p = hs_peer_of_kind(&n->peers, HS_STATE_PRIMARY);
	uint64_t base = 0, bytes = 0;

	if (n->image != NULL) {
		base = hs_image_base(n->image);
		bytes = hs_image_bytes(n->image);
	} else if (p != NULL) {
		base = p->state.arena_base;
		bytes = p->state.arena_bytes;
	}
	if (p != NULL && p->state.abi != HS_MSG_VERSION) {
		snprintf(why, why_size,
		    "node %u speaks message version %u, "
		    "this one %u: install the same hotspare on both",
		    p->addr.nodeid, p->state.abi, HS_MSG_VERSION);
		return HS_EVERSION;
	}
	if (bytes != 0 && (base != h->arena_base || bytes != h->arena_bytes)) {
		snprintf(why, why_size,
		    "the program here wants %llu MiB at "
		    "0x%llx, the image has %llu MiB at 0x%llx: run the same "
		    "program on all nodes",
		    (unsigned long long)h->arena_bytes >> 20,
		    (unsigned long long)h->arena_base,
		    (unsigned long long)bytes >> 20, (unsigned long long)base);
		return HS_EINCOMPATIBLE;
	}
	return check_build(n, h->build, why, why_size);
}

/* Beside a service that runs: for the next restart alone. */
static bool
is_of_use(const struct hs_node *n)
{
	return !n->stopping &&
	    (n->active == NULL || n->cfg->standalone || n->restart.limit > 0);
}

static void
on_respawn(void *data)
{
	struct hs_node *n = data;
	char why[HS_MSG_TEXT_BYTES];

	n->respawn_armed = false;
	if (n->waiting != NULL || !is_of_use(n))
		return;
	if (hs_child_prepare(n, why, sizeof(why)) < 0) {
		n->deaths++;
		snprintf(n->death_text, sizeof(n->death_text), "%s", why);
		qb_log(LOG_ERR, "%s", why);
		hs_child_later(n, RESPAWN_MAX_MS);
	}
}

void
hs_child_later(struct hs_node *n, unsigned ms)
{
	if (n->respawn_armed || n->stopping)
		return;
	n->respawn_armed =
	    qb_loop_timer_add(n->loop, QB_LOOP_LOW, (uint64_t)ms * 1000000, n,
		on_respawn, &n->respawn_timer) == 0;
}

void
hs_child_stand_by(struct hs_node *n)
{
	if (n->waiting == NULL && is_of_use(n)) {
		hs_child_later(n, STAND_BY_MS);
	} else if (n->waiting != NULL && !is_of_use(n) && n->active != NULL) {
		hs_service_destroy(n->waiting);
		n->waiting = NULL;
		hs_child_pids(n);
	}
}

static void
on_hello(void *arg, struct hs_service *s)
{
	struct hs_node *n = arg;

	if (strcmp(hs_service_hello(s)->tracker, "full") == 0)
		qb_log(LOG_WARNING,
		    "the program tracks no writes (tracker full): each "
		    "checkpoint compares all memory; write-protect tracking "
		    "needs Linux 6.7 and userfaultfd to be permitted");
	else if (strcmp(hs_service_hello(s)->tracker, "kmod") != 0 &&
	    access("/dev/hscpt", F_OK) == 0)
		qb_log(LOG_INFO,
		    "the program does not use /dev/hscpt (tracker %s): may its "
		    "user open it, and lock as much memory (ulimit -l)?",
		    hs_service_hello(s)->tracker);
	n->deaths = 0;
	hs_group_send_state(n);
	hs_node_update(n);
	if (n->cfg->standalone && n->active == NULL && !n->promoting)
		hs_tenure_promote(n, NULL);
	else
		hs_tenure_go_on(n);
}

static void
on_running(void *arg, struct hs_service *s)
{
	(void)s;
	hs_tenure_running(arg);
}

static void
explain_death(struct hs_node *n, const struct hs_service *s)
{
	const char *said = hs_service_text(s);

	if (said[0] != '\0')
		snprintf(n->death_text, sizeof(n->death_text), "%s", said);
	else
		snprintf(n->death_text, sizeof(n->death_text),
		    "%.120s %s before "
		    "it called hsinit(): see its log, or run it by hand",
		    n->cfg->service.argv[0], hs_service_end(s));
}

static void
waiting_died(struct hs_node *n, const struct hs_service *s)
{
	void (*fn)(void *, int, const char *) = n->on_ready;
	unsigned ms = RESPAWN_MS;

	explain_death(n, s);
	n->deaths++;
	if (fn != NULL) {
		n->on_ready = NULL;
		fn(n->on_ready_arg, HS_EAGENT, n->death_text);
		return;
	}
	qb_log(LOG_ERR, "spare process: %s", n->death_text);
	for (unsigned i = 1; i < n->deaths && ms < RESPAWN_MAX_MS; i++)
		ms *= 2;
	hs_child_later(n, ms);
}

static void
on_dead(void *arg, struct hs_service *s)
{
	struct hs_node *n = arg;
	bool was_active = s == n->active;

	if (was_active) {
		qb_log(LOG_NOTICE, "service %d %s", (int)hs_service_pid(s),
		    hs_service_end(s));
		hs_tenure_dead(n); /* reads n->active and clears it */
	} else {
		n->waiting = NULL;
		if (!n->stopping)
			waiting_died(n, s);
	}
	hs_service_destroy(s);
	hs_child_pids(n);
	hs_node_update(n);
}

static const struct hs_service_events events = {
	.hello = on_hello,
	.running = on_running,
	.dead = on_dead,
};

static void
on_ping_check(void *data)
{
	struct hs_node *n = data;
	uint64_t last = n->active != NULL ? hs_service_pinged(n->active) : 0;
	uint64_t bound = (uint64_t)n->ping_timeout_ms * 1000000;

	if (bound != 0 && last != 0 && hs_clock_ns() - last > bound) {
		qb_log(LOG_ERR,
		    "service %d hangs: no hsping() for %u ms; killed",
		    (int)hs_service_pid(n->active), n->ping_timeout_ms);
		hs_service_kill(n->active);
	}
	n->ping_timer_armed = false;
	hs_child_watch_pings(n);
}

void
hs_child_watch_pings(struct hs_node *n)
{
	if (n->ping_timeout_ms == 0 || n->ping_timer_armed)
		return;
	n->ping_timer_armed = qb_loop_timer_add(n->loop, QB_LOOP_MED,
				  (uint64_t)n->ping_timeout_ms * 250000, n,
				  on_ping_check, &n->ping_timer) == 0;
}

int
hs_child_prepare(struct hs_node *n, char *why, size_t why_size)
{
	const struct hs_service_owner owner = { n->loop, &events, n };
	int rc;

	rc = hs_service_spawn(&n->waiting, &owner, &n->cfg->service, why,
	    why_size);
	if (rc < 0)
		return rc;
	hs_child_watch_pings(n);
	hs_child_pids(n);
	return 0;
}
