/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * timerfd_create(2).
 *
 * off len field		rule
 *   0   1 clock		a CLOCK_* that timerfd_create() takes
 *   1   1 flags		of timerfd_settime(): bits 0 and 1
 *   2   1 armed		0 or 1
 *   3   1 reserved		0
 *   4   8 interval_ns		0: once
 *  12   8 expiry_ns		0 unless armed; see on_date()
 *  20   8 ticks		expirations that were not read
 *
 * A date stays that date; all else goes on by hsclock(), for which the time
 * between the checkpoint and the restore has passed.  What fell due meanwhile
 * is there to be read at once, each expiration of an interval counted.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include "base/why.h"
#include "state/clock.h"
#include "state/fd_info.h"
#include "state/fd_ops.h"

#define INFO_BYTES 512
#define NS_PER_S UINT64_C(1000000000)
/* Of <linux/timerfd.h>, which does not go with <fcntl.h>. */
#define SET_TICKS _IOW('T', 0, uint64_t)
/* What one query may take longer than another. */
#define JITTER_NS UINT64_C(1000000)

struct timer {
	uint8_t clock;
	uint8_t flags;
	uint8_t armed;
	uint64_t interval_ns;
	uint64_t expiry_ns;
	uint64_t ticks;
};

/* Is expiry_ns one of CLOCK_REALTIME?  Else it is one of hsclock(). */
static bool
on_date(const struct timer *t)
{
	return (t->flags & TFD_TIMER_ABSTIME) != 0 &&
	    (t->clock == CLOCK_REALTIME || t->clock == CLOCK_REALTIME_ALARM);
}

static uint64_t
now_ns(clockid_t clock)
{
	struct timespec ts;

	(void)clock_gettime(clock, &ts);
	return (uint64_t)ts.tv_sec * NS_PER_S + (uint64_t)ts.tv_nsec;
}

static int
probe_timer(int fd, const struct stat *st)
{
	(void)st;
	return hs_fd_info_is(fd, "anon_inode:[timerfd]");
}

/* As many as a record may say, which nobody has waited for. */
static uint64_t
limit_ticks(uint64_t n)
{
	return n < INT64_MAX ? n : INT64_MAX;
}

/* "(seconds, nanoseconds)" */
static uint64_t
parse_pair(const char *s)
{
	char *end;
	uint64_t sec;

	s += *s == '(';
	sec = strtoull(s, &end, 10);
	end += *end == ',';
	return sec * NS_PER_S + strtoull(end, NULL, 10);
}

/*
 * timerfd_gettime() first: a periodic timer that expired and was not read
 * stands still until then, and its count with it.  All values are then taken
 * from fdinfo, which reads them under one lock.
 */
static int
read_timer(int fd, struct timer *t, uint64_t *left_ns)
{
	static const char *const keys[] = { "clockid", "settime flags", "ticks",
		"it_value", "it_interval" };
	const char *text[5];
	struct itimerspec unused;
	char info[INFO_BYTES];
	int rc;

	(void)timerfd_gettime(fd, &unused);
	rc = hs_fd_info_read(fd, info, sizeof(info));
	for (int i = 0; i < 5; i++) {
		text[i] = rc < 0 ? NULL : hs_fd_info_find(info, keys[i]);
		if (text[i] == NULL)
			return hs_why(HS_EFD,
			    "fd %d (timerfd): /proc/self/fdinfo does "
			    "not tell its state: mount /proc",
			    fd);
	}
	*t = (struct timer){ .clock = (uint8_t)strtoul(text[0], NULL, 10),
		.flags = (uint8_t)strtoul(text[1], NULL, 8),
		.ticks = limit_ticks(strtoull(text[2], NULL, 10)),
		.interval_ns = parse_pair(text[4]) };
	*left_ns = parse_pair(text[3]);
	return 0;
}

/* Can the count of expirations be set here? */
static int
check_ticks(void)
{
	const uint64_t one = 1;
	const int fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC);
	int rc = 0;

	if (fd < 0 || ioctl(fd, SET_TICKS, &one) < 0)
		rc = -errno;
	if (fd >= 0)
		(void)close(fd);
	return rc;
}

static int
check_timer(struct hs_fd_reg *d)
{
	struct timer t;
	uint64_t left_ns;
	int rc;

	if (d->how != 0)
		return hs_why(HS_EMISUSE, "hsfdreg(%d): how is 0 for a timerfd",
		    d->fd);
	rc = check_ticks();
	if (rc < 0)
		return hs_why(HS_EFD,
		    "fd %d (timerfd): its count cannot be set: %s; use "
		    "a kernel with CONFIG_CHECKPOINT_RESTORE",
		    d->fd, hs_err_text(rc));
	rc = read_timer(d->fd, &t, &left_ns);
	if (rc == 0)
		hs_clock_need();
	return rc;
}

/*
 * The expiry is found as now + left, and so never too early; of all that were
 * found for it, the earliest is the best one.  One that stays is no change in
 * the record.
 */
static void
settle_expiry(struct timer *t, uint64_t left_ns, const struct timer *last)
{
	uint64_t expiry;

	if (left_ns == 0 && (t->interval_ns == 0 || t->ticks == 0))
		return;
	/* It expired after timerfd_gettime(), and ticks has that. */
	if (left_ns == 0)
		left_ns = t->interval_ns;
	expiry = left_ns +
	    (on_date(t) ? now_ns(CLOCK_REALTIME)
			: hs_clock_from_mono(now_ns(CLOCK_MONOTONIC)));
	if (last->armed && on_date(last) == on_date(t) &&
	    expiry >= last->expiry_ns && expiry - last->expiry_ns < JITTER_NS)
		expiry = last->expiry_ns;
	if (expiry > INT64_MAX)		/* some centuries */
		expiry = INT64_MAX;
	t->armed = 1;
	t->expiry_ns = expiry;
}

static int
query_timer(struct hs_fd_reg *d, struct hs_fd_out *out)
{
	struct timer t = { .armed = 0 }, *last;
	uint64_t left_ns = 0;
	int rc = read_timer(d->fd, &t, &left_ns);

	if (rc < 0)
		return rc;
	if (d->priv == NULL)
		d->priv = calloc(1, sizeof(t));
	if (d->priv == NULL)
		return -ENOMEM;
	last = d->priv;
	settle_expiry(&t, left_ns, last);
	*last = t;
	hs_wr_u8(&out->head, t.clock);
	hs_wr_u8(&out->head, t.flags);
	hs_wr_u8(&out->head, t.armed);
	hs_wr_zeros(&out->head, 1);
	hs_wr_u64(&out->head, t.interval_ns);
	hs_wr_u64(&out->head, t.expiry_ns);
	hs_wr_u64(&out->head, t.ticks);
	return 0;
}

static bool
is_clock(uint8_t clock)
{
	return clock == CLOCK_REALTIME || clock == CLOCK_MONOTONIC ||
	    clock == CLOCK_BOOTTIME || clock == CLOCK_REALTIME_ALARM ||
	    clock == CLOCK_BOOTTIME_ALARM;
}

static int
decode_timer(struct hs_rd *r, struct timer *t)
{
	t->clock = hs_rd_u8(r);
	t->flags = hs_rd_u8(r);
	t->armed = hs_rd_u8(r);
	hs_rd_zeros(r, 1);
	t->interval_ns = hs_rd_u64(r);
	t->expiry_ns = hs_rd_u64(r);
	t->ticks = hs_rd_u64(r);
	hs_rd_require(r,
	    is_clock(t->clock) && t->armed <= 1 &&
		(t->flags & ~TFD_TIMER_ABSTIME & ~TFD_TIMER_CANCEL_ON_SET) ==
		    0);
	hs_rd_require(r, t->armed || t->expiry_ns == 0);
	/* Of what the kernel can have said, so that no sum here overflows. */
	hs_rd_require(r,
	    t->interval_ns <= INT64_MAX && t->expiry_ns <= INT64_MAX &&
		t->ticks <= INT64_MAX);
	return hs_rd_end(r) < 0 ? HS_ECORRUPT : 0;
}

/*
 * What fell due before now becomes ticks, so that the count is set while the
 * timer cannot change it: but for an interval that ends within the two calls of
 * arm_timer().
 */
static void
take_missed(struct timer *t, uint64_t now)
{
	uint64_t missed = 1;

	if (!t->armed || t->expiry_ns > now)
		return;
	if (t->interval_ns != 0)
		missed += (now - t->expiry_ns) / t->interval_ns;
	t->ticks = limit_ticks(t->ticks + missed);
	t->expiry_ns += missed * t->interval_ns;
	t->armed = t->interval_ns != 0;
}

/* expiry_ns, of the timer's own clock, as timerfd_settime() wants it. */
static uint64_t
value_of(const struct timer *t, uint64_t now)
{
	if (!t->armed)
		return 0;
	if ((t->flags & TFD_TIMER_ABSTIME) == 0)
		return t->expiry_ns - now;
	if (on_date(t))
		return t->expiry_ns;
	return now_ns(t->clock) + (t->expiry_ns - now);
}

static int
arm_timer(int fd, struct timer *t)
{
	struct itimerspec its;
	uint64_t now, value;

	now = now_ns(on_date(t) ? CLOCK_REALTIME : CLOCK_MONOTONIC);
	if (t->armed && !on_date(t))
		t->expiry_ns = hs_clock_to_mono(t->expiry_ns);
	take_missed(t, now);
	value = value_of(t, now);
	its.it_value.tv_sec = (time_t)(value / NS_PER_S);
	its.it_value.tv_nsec = (long)(value % NS_PER_S);
	its.it_interval.tv_sec = (time_t)(t->interval_ns / NS_PER_S);
	its.it_interval.tv_nsec = (long)(t->interval_ns % NS_PER_S);
	if (timerfd_settime(fd, t->flags, &its, NULL) < 0)
		return -errno;
	if (t->ticks != 0 && ioctl(fd, SET_TICKS, &t->ticks) < 0)
		return -errno;
	return 0;
}

static int
restore_timer(struct hs_fd_reg *d, struct hs_fd_in *in)
{
	struct timer t;
	int fd, rc;

	rc = decode_timer(&in->head, &t);
	if (rc < 0)
		return rc;
	fd = timerfd_create(t.clock, TFD_CLOEXEC);
	if (fd < 0)
		return hs_why(HS_EFD, "fd %d (timerfd): timerfd_create(): %s",
		    d->fd, hs_err_text(-errno));
	rc = arm_timer(fd, &t);
	if (rc == 0)
		return fd;
	(void)close(fd);
	return hs_why(HS_EFD, "fd %d (timerfd): it cannot be set: %s", d->fd,
	    hs_err_text(rc));
}

static void
forget_timer(struct hs_fd_reg *d)
{
	free(d->priv);
	d->priv = NULL;
}

const struct hs_fd_ops hs_fd_timer = {
	.abi = HS_FD_ABI,
	.name = "timerfd",
	.id = HS_FD_ID_TIMERFD,
	.probe = probe_timer,
	.check = check_timer,
	.query = query_timer,
	.restore = restore_timer,
	.forget = forget_timer,
};
