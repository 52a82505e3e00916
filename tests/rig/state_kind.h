/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A kind of descriptor as svc_state keeps it busy.  What it shows of itself is
 * asked of the kernel, by other means than the library's where there are any,
 * and kept as text in checkpoint memory beside it: after a restore the same
 * questions must have the same answers.
 */
#ifndef HS_TESTS_RIG_STATE_KIND_H
#define HS_TESTS_RIG_STATE_KIND_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#define STATE_FDS 8
#define STATE_TEXT_BYTES 16384

/* In checkpoint memory, one a kind. */
struct state_mirror {
	int fd[STATE_FDS];
	uint64_t random;
	int64_t value[STATE_FDS]; /* the kind's own */
	char text[STATE_TEXT_BYTES];
};

struct state_kind {
	const char *name;
	/* In a fresh service: open and register. */
	void (*open)(struct state_mirror *m);
	/* In each turn: something random. */
	void (*change)(struct state_mirror *m);
	/* All that can be seen of it. */
	void (*show)(const struct state_mirror *m, FILE *out);
	/*
	 * After a restore, what show() cannot say, such as how much is left
	 * of a time; or NULL.  hs_turns_wrong() if it is wrong.
	 */
	void (*check)(const struct state_mirror *m);
};

/* Ended by NULL. */
extern const struct state_kind *const state_kinds[];

/* The kind's own sequence, which goes on where it was. */
uint64_t state_random(struct state_mirror *m, uint64_t n);
/* Registered, or the service is wrong. */
void state_register(struct state_mirror *m, int i, int fd, unsigned how);
/* Descriptor flags, at random, of the first n. */
void state_toggle(struct state_mirror *m, int n);
/* Number and flags of the first n. */
void state_show_flags(FILE *out, const struct state_mirror *m, int n);
/* n letters. */
void state_letters(struct state_mirror *m, char *buf, size_t n);
/* Of bytes; begin with 0, go on with what it returned. */
uint64_t state_sum(uint64_t sum, const void *p, size_t len);
/*
 * A path of this machine's own, the same on each; two are good at a time.  A
 * terminal that outlives the service; NULL: there is none.
 */
const char *state_path(const char *name);
const char *state_tty(void);

/* The value of "key:" in fdinfo, into out as "key value\n". */
void state_show_info(FILE *out, int fd, const char *key);
/* The lines of fdinfo that begin so, in order, up to `until` in each. */
void state_show_lines(FILE *out, int fd, const char *begin, const char *until);

#endif
