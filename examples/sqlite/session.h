/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One client of sqlited: its connection, its database handle, its transaction.
 */
#ifndef EXAMPLES_SQLITE_SESSION_H
#define EXAMPLES_SQLITE_SESSION_H

#define SESSION_LINE_BYTES 65536	/* longest line, with its end */
#define SESSION_ANSWER_BYTES (16 << 20) /* largest answer */
#define SESSION_BUSY_MS 5000	/* for another client's transaction to end */
#define SESSION_IDLE_MS 30000	/* within a transaction, for the next line */

/* For as long as the client stays; fd is closed then. */
void session_serve(int fd, const char *uri, const char *journal);

#endif
