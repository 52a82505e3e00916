/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "state/clock.h"

#include <stdatomic.h>
#include <time.h>

#include "base/clock.h"
#include "base/rd.h"
#include "base/why.h"
#include "base/wr.h"

#define VERSION 1
#define MARK_BYTES 32
#define NS_PER_S UINT64_C(1000000000)

/*
 * The floor is written ahead of the clock, in steps: so a service that takes a
 * thousand checkpoints a second writes it a hundred times, and a thread that is
 * not stopped may read the clock in the pause.  It is also by how much the
 * clock may be ahead where the machines' clocks do not agree.
 */
#define STEP_NS UINT64_C(10000000)
#define MARGIN_NS (STEP_NS / 2)
/* How old a mark may be: only longer than that since, and K2 may cut. */
#define AGE_NS NS_PER_S

/*
 * offset is written by hsinit(), which runs alone; the rest are flags.  Signal
 * handlers read the clock.
 */
static atomic_int_fast64_t offset;
static atomic_uint_fast64_t gap;
static atomic_bool running;
static atomic_bool needed;
static atomic_bool was_read; /* since the last query */

static uint64_t
now_real(void)
{
	struct timespec ts;

	/* Cannot fail; dates before 1970 count as 1970. */
	(void)clock_gettime(CLOCK_REALTIME, &ts);
	return ts.tv_sec < 0
	    ? 0
	    : (uint64_t)ts.tv_sec * NS_PER_S + (uint64_t)ts.tv_nsec;
}

static uint64_t
shift(uint64_t ns, int64_t by)
{
	uint64_t back;

	if (by >= 0)
		return ns > UINT64_MAX - (uint64_t)by ? UINT64_MAX
						      : ns + (uint64_t)by;
	back = 0 - (uint64_t)by;
	return ns > back ? ns - back : 0;
}

static int64_t
offset_now(void)
{
	return atomic_load_explicit(&offset, memory_order_relaxed);
}

/* From here on the clock is app_ns and goes on. */
static void
set_clock(uint64_t app_ns)
{
	atomic_store(&offset, (int64_t)(app_ns - hs_clock_ns()));
	atomic_store(&running, true);
}

void
hs_clock_begin(void)
{
	if (!atomic_load(&running))
		set_clock(0);
}

void
hs_clock_need(void)
{
	atomic_store_explicit(&needed, true, memory_order_relaxed);
}

bool
hs_clock_needed(void)
{
	return atomic_load_explicit(&needed, memory_order_relaxed);
}

/* Without a write where there is nothing to write: threads share the line. */
static void
raise_flag(atomic_bool *flag)
{
	if (!atomic_load_explicit(flag, memory_order_relaxed))
		atomic_store_explicit(flag, true, memory_order_relaxed);
}

uint64_t
hs_clock_app(void)
{
	if (!atomic_load_explicit(&running, memory_order_relaxed))
		return 0;
	raise_flag(&needed);
	raise_flag(&was_read);
	return shift(hs_clock_ns(), offset_now());
}

uint64_t
hs_clock_from_mono(uint64_t mono_ns)
{
	return shift(mono_ns, offset_now());
}

uint64_t
hs_clock_to_mono(uint64_t app_ns)
{
	return shift(app_ns, -offset_now());
}

uint64_t
hs_clock_gap(void)
{
	return atomic_load(&gap);
}

uint64_t
hs_clock_resume(const struct hs_clock_mark *m, uint64_t real_ns)
{
	uint64_t passed, app_ns;

	passed = real_ns > m->real_ns ? real_ns - m->real_ns : 0;
	if (passed > HS_CLOCK_GAP_NS)
		passed = HS_CLOCK_GAP_NS; /* K2 */
	app_ns = m->app_ns + passed;
	return app_ns > m->floor_ns ? app_ns : m->floor_ns; /* K1 */
}

static int
decode_mark(const struct hs_store_rec *rec, struct hs_clock_mark *m)
{
	struct hs_rd r;

	hs_rd_init(&r, rec->bytes, rec->len);
	hs_rd_require(&r, hs_rd_u8(&r) == VERSION);
	hs_rd_zeros(&r, 7);
	m->app_ns = hs_rd_u64(&r);
	m->real_ns = hs_rd_u64(&r);
	m->floor_ns = hs_rd_u64(&r);
	/* Ages of the universe are no uptime: the sums cannot overflow. */
	hs_rd_require(&r,
	    m->app_ns <= m->floor_ns && m->floor_ns < INT64_MAX / 2);
	if (hs_rd_end(&r) == 0)
		return 0;
	return hs_why(HS_ECORRUPT,
	    "the record of the service's clock is not valid: it was written by "
	    "another version of libhotspare, or damaged");
}

static int
put_mark(struct hs_store *s, const struct hs_clock_mark *m)
{
	uint8_t buf[MARK_BYTES];
	struct hs_wr w;
	int rc;

	hs_wr_init(&w, buf, sizeof(buf));
	hs_wr_u8(&w, VERSION);
	hs_wr_zeros(&w, 7);
	hs_wr_u64(&w, m->app_ns);
	hs_wr_u64(&w, m->real_ns);
	hs_wr_u64(&w, m->floor_ns);
	rc = hs_wr_end(&w);
	if (rc >= 0)
		rc = hs_store_put(s, HS_STORE_CLOCK, 0, buf, (size_t)rc);
	return rc;
}

static int
query_clock(struct hs_store *s)
{
	const uint64_t now = shift(hs_clock_ns(), offset_now());
	struct hs_clock_mark m = { .app_ns = 0 };
	struct hs_store_rec rec;
	int rc;

	if (!hs_clock_needed())
		return 0;
	rc = hs_store_get(s, HS_STORE_CLOCK, 0, &rec);
	if (rc == 0)
		rc = decode_mark(&rec, &m);
	else if (rc == -ENOENT)
		rc = 1;
	if (rc < 0)
		return rc;
	/* A reader after this finds its mark in the next checkpoint's. */
	if (atomic_exchange(&was_read, false) && m.floor_ns < now + MARGIN_NS)
		rc = 1;
	if (rc == 0 && now - m.app_ns < AGE_NS)
		return 0;
	m = (struct hs_clock_mark){ .app_ns = now,
		.real_ns = now_real(),
		.floor_ns =
		    (now + MARGIN_NS + STEP_NS - 1) / STEP_NS * STEP_NS };
	return put_mark(s, &m);
}

static int
restore_clock(struct hs_store *s)
{
	struct hs_clock_mark m = { .app_ns = 0 };
	struct hs_store_rec rec;
	uint64_t app_ns;
	int rc;

	rc = hs_store_get(s, HS_STORE_CLOCK, 0, &rec);
	if (rc == -ENOENT) {
		hs_clock_begin();
		return 0;
	}
	if (rc == 0)
		rc = decode_mark(&rec, &m);
	if (rc < 0)
		return rc;
	app_ns = hs_clock_resume(&m, now_real());
	set_clock(app_ns);
	atomic_store(&gap, app_ns - m.app_ns);
	hs_clock_need();
	return 0;
}

const struct hs_section_ops hs_clock_section = {
	.abi = HS_SECTION_ABI,
	.name = "clock",
	.query = query_clock,
	.restore = restore_clock,
};
