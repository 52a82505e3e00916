/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Writes the golden files that are not there yet into a directory:
 *
 *	make-golden tests/golden
 *
 * A file that is there is never touched: its bytes are a promise.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "tests/unit/golden.h"

static int
write_case(const char *dir, const struct hs_golden *g)
{
	static uint8_t buf[HS_GOLDEN_MAX_BYTES];
	size_t len = hs_golden_build(g, buf);
	char path[1024];
	int fd, n;

	n = snprintf(path, sizeof(path), "%s/%s.bin", dir, g->name);
	if (n < 0 || (size_t)n >= sizeof(path))
		return -ENAMETOOLONG;
	fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
	if (fd < 0)
		return errno == EEXIST ? 0 : -errno;
	if (write(fd, buf, len) != (ssize_t)len) {
		n = errno;
		(void)close(fd);
		(void)unlink(path);
		return n != 0 ? -n : -EIO;
	}
	printf("%s\n", path);
	return close(fd) < 0 ? -errno : 0;
}

int
main(int argc, char **argv)
{
	if (argc != 2) {
		fprintf(stderr, "usage: make-golden DIRECTORY\n");
		return EXIT_FAILURE;
	}
	for (const struct hs_golden *g = hs_golden_cases; g->name; g++) {
		int rc = write_case(argv[1], g);

		if (rc < 0) {
			fprintf(stderr, "%s/%s.bin: %s\n", argv[1], g->name,
			    hs_err_text(rc));
			return EXIT_FAILURE;
		}
	}
	return EXIT_SUCCESS;
}
