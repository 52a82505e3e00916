/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "ckpt/ident.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/module.h"
#include "base/wr.h"

static int
digest_program(struct hs_digest *d)
{
	uint8_t buf[2048];
	ssize_t n;
	int fd, rc = 0;

	fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	while ((n = read(fd, buf, sizeof(buf))) != 0) {
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) {
			rc = -errno;
			break;
		}
		hs_digest_add(d, buf, (size_t)n);
	}
	(void)close(fd);
	return rc;
}

static int
digest_build(struct hs_digest *d)
{
	struct hs_module program;

	hs_module_program(&program);
	if (program.id_len == 0)
		return digest_program(d);
	hs_digest_add(d, program.id, program.id_len);
	return 0;
}

/* The kernel's own is called through no pointer that is kept. */
static void
add_module(void *arg, const struct hs_module *m)
{
	const char *file = strrchr(m->name, '/');
	uint8_t at[8];
	struct hs_wr w;

	if (m->kernels)
		return;
	file = file != NULL ? file + 1 : m->name;
	hs_wr_init(&w, at, sizeof(at));
	hs_wr_u64(&w, m->bias);
	hs_digest_add(arg, at, sizeof(at));
	if (m->id_len != 0)
		hs_digest_add(arg, m->id, m->id_len);
	else
		hs_digest_add(arg, file, strlen(file) + 1);
}

int
hs_ident_build(uint8_t out[HS_DIGEST_BYTES], bool placed)
{
	uint8_t map[HS_DIGEST_BYTES];
	const size_t half = HS_DIGEST_BYTES / 2;
	struct hs_digest *d;
	int rc;

	rc = hs_digest_create(&d);
	if (rc < 0)
		return rc;
	rc = digest_build(d);
	if (rc == 0)
		hs_digest_get(d, out);
	if (rc == 0 && placed) {
		hs_digest_reset(d);
		hs_module_each(add_module, d);
		hs_digest_get(d, map);
		memcpy(out + half, map, HS_DIGEST_BYTES - half);
	}
	hs_digest_destroy(d);
	return rc;
}
