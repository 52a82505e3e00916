/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the clients that keep a service busy have in common: how much, until
 * when, and what they tell scripts meanwhile.
 */
#ifndef TESTS_RIG_CLIENT_LOAD_H
#define TESTS_RIG_CLIENT_LOAD_H

#include <stdbool.h>
#include <stdint.h>

/* For getopt(); a client adds its own. */
#define LOAD_OPTIONS "a:g:hk:o:r:s:t:"
#define LOAD_RATE 50

struct client_load {
	unsigned nconns, conns_max;
	uint64_t interval_ns;	/* between two new requests of a connection */
	uint64_t answer_ns;		/* then the connection is given up */
	uint64_t give_up_ns;	/* no answer at all for so long is a breach */
	uint64_t seed;
	uint64_t end_ns;		/* 0: at a signal */
	const char *report;		/* file for scripts to read, or NULL */
	uint64_t report_ns;		/* when it is due */
};

/* An option of LOAD_OPTIONS but -h: 0; -1: none, or not a good value. */
int load_option(struct client_load *l, int o, const char *value);
/* A decimal number: 0; -1: none, or not within these. */
int load_number(const char *s, uint64_t min, uint64_t max, uint64_t *out);

/* From now on SIGTERM and SIGINT end it. */
void load_catch(void);
/* A signal came, or it is time. */
bool load_is_over(const struct client_load *l, uint64_t now_ns);

/* Replaced in one go, so that a reader never sees half of it. */
void load_report(struct client_load *l, uint64_t now_ns, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

#endif
