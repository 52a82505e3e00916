/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "agent/keep.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <qb/qblog.h>

#include "base/digest.h"
#include "kernel/include/uapi/hscpt.h"

#define NAME_DIGEST_BYTES 12 /* "hs-" and their digits: 27 of HS_KEEP_MAX */

_Static_assert(HS_KEEP_BYTES == HSCPT_NAME_BYTES, "a name of the device's");
_Static_assert(3 + 2 * NAME_DIGEST_BYTES <= HS_KEEP_MAX,
    "room for the table's");

/* Whose resource it is; other values, another name. */
struct owner {
	uint64_t standalone, dev, ino, uid;
};

static int
make_name(char name[HS_KEEP_BYTES], const struct owner *o, const char *resource)
{
	uint8_t digest[HS_DIGEST_BYTES];
	struct hs_digest *d = NULL;
	int rc = hs_digest_create(&d), at;

	if (rc < 0)
		return rc;
	hs_digest_add(d, o, sizeof(*o));
	hs_digest_add(d, resource, strlen(resource));
	hs_digest_get(d, digest);
	hs_digest_destroy(d);
	at = snprintf(name, HS_KEEP_BYTES, "hs-");
	for (size_t i = 0; i < NAME_DIGEST_BYTES; i++)
		at += snprintf(name + at, HS_KEEP_BYTES - (size_t)at, "%02x",
		    digest[i]);
	return 0;
}

/*
 * A name without a file: it goes with its holder, however that ends.  In a
 * network namespace, which is why that is part of what is locked.
 */
static int
take_lock(const char *name)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	int n = snprintf(a.sun_path + 1, sizeof(a.sun_path) - 1,
	    "hotspare-keep/%s", name);
	socklen_t len =
	    (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + (size_t)n);

	if (fd >= 0 && bind(fd, (const struct sockaddr *)&a, len) == 0)
		return fd;
	if (fd >= 0)
		close(fd);
	return -EADDRINUSE;
}

void
hs_keep_open(struct hs_keep *k, const char *resource, const char *state_dir,
    bool standalone)
{
	struct owner o = { .standalone = standalone };
	struct stat st;

	*k = (struct hs_keep){ .lock = -1 };
	if (stat(standalone ? "/proc/self/ns/net" : state_dir, &st) == 0) {
		o.dev = st.st_dev;
		o.ino = st.st_ino;
	} else if (!standalone) {
		return;
	} /* else this kernel has but one network */
	if (standalone)
		o.uid = geteuid();
	if (make_name(k->name, &o, resource) < 0 || !standalone)
		return;
	k->lock = take_lock(k->name);
	k->locked = k->lock >= 0;
	if (!k->locked)
		k->name[0] = '\0';
}

static void
destroy(int fd, const char *name, const char *tail)
{
	struct hscpt_destroy d = { .size = sizeof(d) };

	(void)snprintf(d.name, sizeof(d.name), "%s%s", name, tail);
	if (TEMP_FAILURE_RETRY(ioctl(fd, HSCPT_DESTROY, &d)) < 0 &&
	    errno != ENOENT)
		qb_log(LOG_WARNING,
		    "memory of %s stays in " HSCPT_DEVICE " (%s)", d.name,
		    strerrordesc_np(errno));
}

void
hs_keep_free(const struct hs_keep *k)
{
	int fd;

	if (k->name[0] == '\0')
		return;
	fd = open(HSCPT_DEVICE, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		return; /* no device, or none for this user: nothing is kept */
	destroy(fd, k->name, "");
	destroy(fd, k->name, HS_KEEP_TABLE);
	close(fd);
}

void
hs_keep_close(struct hs_keep *k)
{
	hs_keep_free(k);
	if (k->locked)
		close(k->lock);
	*k = (struct hs_keep){ .lock = -1 };
}
