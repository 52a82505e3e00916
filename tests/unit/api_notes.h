/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What signals a test got, and what it does with them.
 */
#ifndef HS_TESTS_UNIT_API_NOTES_H
#define HS_TESTS_UNIT_API_NOTES_H

#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>

struct api_notes {
	atomic_int came;		/* signals */
	atomic_int value;		/* of the last one */
	atomic_int overrun;		/* sum */
	atomic_bool hooked;		/* note_hook() was called */
	atomic_bool before_hook;	/* one came earlier */
};

extern struct api_notes notes;

/* Handlers, and a hook that takes its time. */
void note_signal(int signo);
void note_value(int signo, siginfo_t *si, void *context);
void note_hook(void *arg);
void note_forget(void);

void sig_handle(int signo, void (*fn)(int));
/* By note_value(). */
void sig_handle_value(int signo);
void sig_block(int signo, bool on);
bool sig_is_blocked(int signo);
bool sig_is_pending(int signo);
void sig_queue(int signo, int v);
/* One that is pending; false: none is. */
bool sig_take(int signo, siginfo_t *si);
/* Nothing pending, not blocked, not handled. */
void sig_clean(int signo);

#endif
