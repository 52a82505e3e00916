/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "ckpt/ident.h"

#include <elf.h>
#include <fcntl.h>
#include <link.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>

#define NOTE_NAME "GNU"

struct note {
	const uint8_t *bytes;
	size_t len;
};

static size_t
align_note(size_t n)
{
	return (n + 3) & ~(size_t)3;
}

/* The build-id among the notes in [p, p + left). */
static bool
find_note(const uint8_t *p, size_t left, struct note *out)
{
	while (left >= sizeof(ElfW(Nhdr))) {
		size_t name, desc;
		ElfW(Nhdr) n;

		memcpy(&n, p, sizeof(n));
		name = align_note(n.n_namesz);
		desc = align_note(n.n_descsz);
		p += sizeof(n);
		left -= sizeof(n);
		if (name > left || desc > left - name)
			return false;
		if (n.n_type == NT_GNU_BUILD_ID &&
		    n.n_namesz == sizeof(NOTE_NAME) &&
		    memcmp(p, NOTE_NAME, sizeof(NOTE_NAME)) == 0) {
			out->bytes = p + name;
			out->len = n.n_descsz;
			return true;
		}
		p += name + desc;
		left -= name + desc;
	}
	return false;
}

/* Called for the main program first; looks no further. */
static int
search_program(struct dl_phdr_info *info, size_t size, void *arg)
{
	(void)size;
	for (size_t i = 0; i < info->dlpi_phnum; i++) {
		const ElfW(Phdr) *ph = &info->dlpi_phdr[i];

		if (ph->p_type == PT_NOTE &&
		    find_note((const uint8_t *)(info->dlpi_addr + ph->p_vaddr),
			ph->p_memsz, arg))
			break;
	}
	return 1;
}

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
	struct note note = { .bytes = NULL };
	struct hs_digest *d;
	int rc;

	rc = hs_digest_create(&d);
	if (rc < 0)
		return rc;
	(void)dl_iterate_phdr(search_program, &note);
	if (note.bytes != NULL)
		hs_digest_add(d, note.bytes, note.len);
	else
		rc = digest_program(d);
	if (rc == 0)
		hs_digest_get(d, out);
	hs_digest_destroy(d);
	return rc;
}
