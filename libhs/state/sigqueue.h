/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What is queued of a realtime signal, taken out and put back (signal.h, G2).
 */
#ifndef HS_STATE_SIGQUEUE_H
#define HS_STATE_SIGQUEUE_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

/* Of a siginfo_t; the rest is padding. */
#define HS_SIGQUEUE_INFO_BYTES 48

/*
 * Append to *buf, of *len bytes, what is pending of signo for the calling
 * thread or the process.  *buf is of malloc(); -ENOMEM, -EAGAIN with hs_why().
 */
HS_MUST_CHECK int hs_sigqueue_peek(int signo, uint8_t **buf, size_t *len);
/*
 * Have n signals pending, for the process, or for the calling thread what was
 * sent to one thread.  -EAGAIN with hs_why().
 */
HS_MUST_CHECK int hs_sigqueue_put(int signo, const uint8_t *info, size_t n);

#endif
