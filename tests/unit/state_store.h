/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A store over malloc(), for the tests of what keeps its records there.
 */
#ifndef HS_TESTS_UNIT_STATE_STORE_H
#define HS_TESTS_UNIT_STATE_STORE_H

#include "state/store.h"

/* What was lent and not given back. */
struct state_lender {
	size_t live;
};

struct hs_store *state_store_open(struct state_lender *l);
/* Deletes all records, and fails the test if memory was lost. */
void state_store_close(struct hs_store *s, struct state_lender *l);

#endif
