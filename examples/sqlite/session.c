/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "examples/sqlite/session.h"

#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <hotspare/hs.h>
#include <sqlite3.h>

struct session {
	int fd;
	sqlite3 *db;
	FILE *out;		/* the answer, kept back until it may be seen */
	char *text;
	size_t text_len;
	size_t in_len;
	char in[SESSION_LINE_BYTES];
};

/*
 * The commit is not held, and never will be by this process: it must say
 * nothing more, and its spare goes on.
 */
static void
end_if_cut_off(int rc)
{
	struct hs_status st = { .size = sizeof(st) };

	if (rc != SQLITE_IOERR_FSYNC && rc != SQLITE_IOERR_DIR_FSYNC)
		return;
	if (hsstatus(&st) == 0 &&
	    (st.protection == HS_ALONE || st.protection == HS_UNPROTECTED))
		return;		/* spare=refuse, and there is none */
	(void)fprintf(stderr, "sqlited: not held: ending\n");
	_exit(EXIT_FAILURE);
}

/* One value, so that a row is one line and no value has a tab. */
static void
put_value(FILE *out, const char *v)
{
	if (v == NULL) {
		(void)fputs("\\N", out);
		return;
	}
	for (; *v != '\0'; v++) {
		switch (*v) {
		case '\t':
			(void)fputs("\\t", out);
			break;
		case '\n':
			(void)fputs("\\n", out);
			break;
		case '\r':
			(void)fputs("\\r", out);
			break;
		case '\\':
			(void)fputs("\\\\", out);
			break;
		default:
			(void)fputc(*v, out);
		}
	}
}

static int
put_row(struct session *s, sqlite3_stmt *st)
{
	int i;

	(void)fputs("ROW", s->out);
	for (i = 0; i < sqlite3_column_count(st); i++) {
		(void)fputc('\t', s->out);
		put_value(s->out, (const char *)sqlite3_column_text(st, i));
	}
	(void)fputc('\n', s->out);
	return ftell(s->out) > SESSION_ANSWER_BYTES ? SQLITE_TOOBIG : SQLITE_OK;
}

static int
run_statement(struct session *s, sqlite3_stmt *st)
{
	int rc;

	while ((rc = sqlite3_step(st)) == SQLITE_ROW) {
		rc = put_row(s, st);
		if (rc != SQLITE_OK)
			break;
	}
	if (rc == SQLITE_TOOBIG) {
		(void)sqlite3_finalize(st);
		return rc;
	}
	return sqlite3_finalize(st);
}

/* Up to the first that fails. */
static int
run_statements(struct session *s, const char *sql)
{
	sqlite3_stmt *st;
	int rc = SQLITE_OK;

	while (rc == SQLITE_OK && *sql != '\0') {
		rc = sqlite3_prepare_v2(s->db, sql, -1, &st, &sql);
		if (rc == SQLITE_OK && st != NULL)
			rc = run_statement(s, st);
	}
	return rc;
}

static bool
send_all(int fd, const char *p, size_t len)
{
	ssize_t n;

	for (; len > 0; len -= (size_t)n, p += n) {
		n = send(fd, p, len, MSG_NOSIGNAL);
		if (n < 0 && errno == EINTR)
			n = 0;
		if (n < 0)
			return false;
	}
	return true;
}

/*
 * Nothing of the answer leaves before the statement has ended: rows of an
 * INSERT ... RETURNING are no more certain than its commit.
 */
static bool
answer_line(struct session *s, const char *sql)
{
	const char *why;
	int rc;

	s->out = open_memstream(&s->text, &s->text_len);
	if (s->out == NULL)
		return false;
	rc = run_statements(s, sql);
	end_if_cut_off(rc);
	if (rc == SQLITE_OK) {
		(void)fprintf(s->out, "OK %lld\n",
		    (long long)sqlite3_changes64(s->db));
	} else {
		why = rc == SQLITE_TOOBIG ? "the answer is too large"
					  : sqlite3_errmsg(s->db);
		(void)fprintf(s->out, "ERR %d ", rc);
		put_value(s->out, why);
		(void)fputc('\n', s->out);
	}
	if (fclose(s->out) != 0)
		return false;
	return send_all(s->fd, s->text, s->text_len);
}

/* Who holds a transaction open and says nothing keeps all others out. */
static bool
wait_input(struct session *s)
{
	struct pollfd p = { .fd = s->fd, .events = POLLIN };
	int rc;

	do {
		rc = poll(&p, 1,
		    sqlite3_get_autocommit(s->db) ? -1 : SESSION_IDLE_MS);
	} while (rc < 0 && errno == EINTR);
	return rc > 0;
}

/* The next line is s->in, without its end; *used is what it takes with it. */
static bool
read_line(struct session *s, size_t *used)
{
	char *end;
	ssize_t n;

	while ((end = memchr(s->in, '\n', s->in_len)) == NULL) {
		if (s->in_len == sizeof(s->in) || !wait_input(s))
			return false;
		n = recv(s->fd, s->in + s->in_len, sizeof(s->in) - s->in_len,
		    0);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return false;
		s->in_len += (size_t)n;
	}
	*used = (size_t)(end - s->in) + 1;
	*end = '\0';
	return true;
}

static bool
open_database(struct session *s, const char *uri, const char *journal)
{
	char sql[64];
	int rc;

	rc = sqlite3_open_v2(uri, &s->db,
	    SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_URI, NULL);
	if (rc == SQLITE_OK) {
		(void)sqlite3_extended_result_codes(s->db, 1);
		(void)sqlite3_busy_timeout(s->db, SESSION_BUSY_MS);
		(void)snprintf(sql, sizeof(sql), "PRAGMA journal_mode=%s",
		    journal);
		rc = sqlite3_exec(s->db, sql, NULL, NULL, NULL);
	}
	if (rc != SQLITE_OK)
		(void)fprintf(stderr, "sqlited: %s: %s\n", uri,
		    sqlite3_errmsg(s->db));
	return rc == SQLITE_OK;
}

void
session_serve(int fd, const char *uri, const char *journal)
{
	struct session *s = calloc(1, sizeof(*s));
	size_t used;
	bool goes_on;

	if (s == NULL) {
		close(fd);
		return;
	}
	s->fd = fd;
	goes_on = open_database(s, uri, journal);
	while (goes_on && read_line(s, &used)) {
		goes_on = answer_line(s, s->in);
		free(s->text);
		s->text = NULL;
		s->in_len -= used;
		memmove(s->in, s->in + used, s->in_len);
	}
	/* An open transaction is rolled back. */
	(void)sqlite3_close(s->db);
	close(fd);
	free(s);
}
