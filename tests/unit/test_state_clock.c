/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The service's clock: the rule on made-up times, and the record as this
 * machine's clocks write it.  test_api_process.c restores it in whole.
 */
#include <time.h>

#include "base/clock.h"
#include "base/rd.h"
#include "base/wr.h"
#include "state/clock.h"
#include "tests/unit/state_store.h"
#include "tests/unit/suite.h"

#define S UINT64_C(1000000000)
#define MS UINT64_C(1000000)
#define MARK_BYTES 32

static uint64_t
now_real(void)
{
	struct timespec ts;

	CU_ASSERT_EQUAL(clock_gettime(CLOCK_REALTIME, &ts), 0);
	return (uint64_t)ts.tv_sec * S + (uint64_t)ts.tv_nsec;
}

static struct hs_clock_mark
read_mark(struct hs_store *s)
{
	struct hs_clock_mark m;
	struct hs_store_rec rec;
	struct hs_rd r;

	CU_ASSERT_EQUAL_FATAL(hs_store_get(s, HS_STORE_CLOCK, 0, &rec), 0);
	hs_rd_init(&r, rec.bytes, rec.len);
	CU_ASSERT_EQUAL(hs_rd_u8(&r), 1);
	hs_rd_zeros(&r, 7);
	m.app_ns = hs_rd_u64(&r);
	m.real_ns = hs_rd_u64(&r);
	m.floor_ns = hs_rd_u64(&r);
	CU_ASSERT_EQUAL(hs_rd_end(&r), 0);
	return m;
}

static void
write_mark(struct hs_store *s, const struct hs_clock_mark *m, uint8_t version)
{
	uint8_t buf[MARK_BYTES];
	struct hs_wr w;

	hs_wr_init(&w, buf, sizeof(buf));
	hs_wr_u8(&w, version);
	hs_wr_zeros(&w, 7);
	hs_wr_u64(&w, m->app_ns);
	hs_wr_u64(&w, m->real_ns);
	hs_wr_u64(&w, m->floor_ns);
	CU_ASSERT_EQUAL_FATAL(hs_wr_end(&w), MARK_BYTES);
	CU_ASSERT_EQUAL_FATAL(hs_store_put(s, HS_STORE_CLOCK, 0, buf,
				  sizeof(buf)),
	    0);
}

/* now is what the rule says for real_ns, give or take what passes meanwhile. */
static bool
close_to(uint64_t now, uint64_t want)
{
	return now >= want && now < want + 5 * S;
}

static void
what_passed_counts_within_bounds(void)
{
	const struct hs_clock_mark m = { .app_ns = 100 * S,
		.real_ns = 5000 * S,
		.floor_ns = 100 * S + 10 * MS };

	CU_ASSERT_EQUAL(hs_clock_resume(&m, 5003 * S), 103 * S);
	/* The spare's clock is behind, by more than what passed. */
	CU_ASSERT_EQUAL(hs_clock_resume(&m, 4999 * S), m.floor_ns);
	CU_ASSERT_EQUAL(hs_clock_resume(&m, 0), m.floor_ns);
	/* Quicker than the floor is ahead. */
	CU_ASSERT_EQUAL(hs_clock_resume(&m, m.real_ns + MS), m.floor_ns);
	CU_ASSERT_EQUAL(hs_clock_resume(&m, m.real_ns + 11 * MS),
	    m.app_ns + 11 * MS);
	/* A clock that is years ahead. */
	CU_ASSERT_EQUAL(hs_clock_resume(&m, m.real_ns + HS_CLOCK_GAP_NS),
	    m.app_ns + HS_CLOCK_GAP_NS);
	CU_ASSERT_EQUAL(hs_clock_resume(&m, m.real_ns + HS_CLOCK_GAP_NS + 1),
	    m.app_ns + HS_CLOCK_GAP_NS);
	CU_ASSERT_EQUAL(hs_clock_resume(&m, UINT64_MAX),
	    m.app_ns + HS_CLOCK_GAP_NS);
}

/* K1 over lives on machines whose clocks disagree at random. */
static void
no_chain_of_takeovers_goes_backwards(void)
{
	struct hs_random rnd;
	uint64_t told = 0, truth = 1000 * S, begun = truth;
	struct hs_clock_mark m = { .real_ns = truth };

	hs_random_init(&rnd);
	for (int life = 0; life < 1000; life++) {
		/* Up to 5 s off either way, on each machine. */
		const uint64_t real =
		    truth + hs_random_below(&rnd, 10 * S) - 5 * S;
		uint64_t app = hs_clock_resume(&m, real);

		CU_ASSERT_FATAL(app >= told);
		app += hs_random_below(&rnd, S);
		told = app + hs_random_below(&rnd, 5 * MS);
		m = (struct hs_clock_mark){ .app_ns = app,
			.real_ns = real + (app - hs_clock_resume(&m, real)),
			.floor_ns = told };
		truth += 10 * S;
	}
	CU_ASSERT(told <= truth - begun + 1000 * 11 * S);
}

static void
reading_makes_the_record(void)
{
	struct hs_clock_mark m, again;
	struct state_lender l;
	struct hs_store *s = state_store_open(&l);
	uint64_t t;

	hs_clock_begin();
	t = hs_clock_app();
	CU_ASSERT(hs_clock_app() >= t);
	CU_ASSERT_TRUE(hs_clock_needed());
	CU_ASSERT_EQUAL(hs_clock_section.query(s), 0);
	m = read_mark(s);
	CU_ASSERT(m.app_ns >= t && m.app_ns <= hs_clock_app());
	CU_ASSERT(m.real_ns <= now_real() && m.real_ns + 5 * S > now_real());
	CU_ASSERT(m.floor_ns >= m.app_ns + 5 * MS);
	CU_ASSERT(m.floor_ns <= m.app_ns + 15 * MS);
	/* T3: within a step, nothing is written. */
	(void)hs_clock_app();
	CU_ASSERT_EQUAL(hs_clock_section.query(s), 0);
	again = read_mark(s);
	if (hs_clock_app() + 5 * MS < m.floor_ns)
		CU_ASSERT_EQUAL(again.app_ns, m.app_ns);
	/* Above the floor only what was not read since may stay. */
	while (hs_clock_ns() < hs_clock_to_mono(m.floor_ns + MS))
		;
	t = hs_clock_app();
	CU_ASSERT_EQUAL(hs_clock_section.query(s), 0);
	CU_ASSERT(read_mark(s).floor_ns > t);
	CU_ASSERT_EQUAL(hs_clock_from_mono(hs_clock_to_mono(t)), t);
	state_store_close(s, &l);
}

static void
restore_follows_the_rule(void)
{
	struct state_lender l;
	struct hs_store *s = state_store_open(&l);
	struct hs_clock_mark m = { .app_ns = 7000 * S,
		.real_ns = now_real() - 2 * S,
		.floor_ns = 7000 * S + 15 * MS };

	write_mark(s, &m, 1);
	CU_ASSERT_EQUAL_FATAL(hs_clock_section.restore(s), 0);
	CU_ASSERT(close_to(hs_clock_app(), m.app_ns + 2 * S));
	CU_ASSERT(close_to(hs_clock_gap(), 2 * S));
	m = (struct hs_clock_mark){ .app_ns = 17000 * S,
		.real_ns = now_real() + 60 * S,
		.floor_ns = 17000 * S + 15 * MS };
	write_mark(s, &m, 1);
	CU_ASSERT_EQUAL_FATAL(hs_clock_section.restore(s), 0);
	CU_ASSERT(close_to(hs_clock_app(), m.floor_ns));
	CU_ASSERT_EQUAL(hs_clock_gap(), 15 * MS);
	/* And the restored one goes on. */
	CU_ASSERT_EQUAL(hs_clock_section.query(s), 0);
	CU_ASSERT(close_to(read_mark(s).app_ns, m.floor_ns));
	state_store_close(s, &l);
}

static void
damaged_record_is_refused(void)
{
	struct state_lender l;
	struct hs_store *s = state_store_open(&l);
	struct hs_clock_mark m = { .app_ns = 5, .real_ns = 5, .floor_ns = 4 };
	const uint64_t before = hs_clock_app();

	write_mark(s, &m, 1);
	CU_ASSERT_EQUAL(hs_clock_section.restore(s), HS_ECORRUPT);
	m.floor_ns = UINT64_MAX;
	write_mark(s, &m, 1);
	CU_ASSERT_EQUAL(hs_clock_section.restore(s), HS_ECORRUPT);
	m.floor_ns = 5;
	write_mark(s, &m, 2);
	CU_ASSERT_EQUAL(hs_clock_section.restore(s), HS_ECORRUPT);
	CU_ASSERT_EQUAL(hs_store_put(s, HS_STORE_CLOCK, 0, "", 1), 0);
	CU_ASSERT_EQUAL(hs_clock_section.restore(s), HS_ECORRUPT);
	CU_ASSERT(close_to(hs_clock_app(), before));
	state_store_close(s, &l);
}

HS_SUITE(state_clock, HS_TEST(what_passed_counts_within_bounds),
    HS_TEST(no_chain_of_takeovers_goes_backwards),
    HS_TEST(reading_makes_the_record), HS_TEST(restore_follows_the_rule),
    HS_TEST(damaged_record_is_refused))
