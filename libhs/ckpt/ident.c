/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "ckpt/ident.h"

#include <fcntl.h>
#include <unistd.h>

#include "base/module.h"

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

int
hs_ident_build(uint8_t out[HS_DIGEST_BYTES])
{
	struct hs_module program;
	struct hs_digest *d;
	int rc;

	rc = hs_digest_create(&d);
	if (rc < 0)
		return rc;
	hs_module_program(&program);
	if (program.id_len != 0)
		hs_digest_add(d, program.id, program.id_len);
	else
		rc = digest_program(d);
	if (rc == 0)
		hs_digest_get(d, out);
	hs_digest_destroy(d);
	return rc;
}
