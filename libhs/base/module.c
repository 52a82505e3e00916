/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/module.h"

#include <elf.h>
#include <link.h>
#include <stdio.h>
#include <string.h>
#include <sys/auxv.h>

#define NOTE_NAME "GNU"

/* What a walk looks for; found ends it. */
struct search {
	uintptr_t at;			/* code */
	const uint8_t *id;		/* or the module of this build-id */
	struct hs_module *out;
	bool has_code;			/* of that module: at is code of it */
	bool found;
	bool begun;
	void (*fn)(void *arg, const struct hs_module *m);
	void *arg;
};

static size_t
align_note(size_t n)
{
	return (n + 3) & ~(size_t)3;
}

/* The build-id among the notes in [p, p + left). */
static bool
find_note(const uint8_t *p, size_t left, struct hs_module *m)
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
			m->id_len = n.n_descsz < sizeof(m->id) ? n.n_descsz
							       : sizeof(m->id);
			memcpy(m->id, p + name, m->id_len);
			return true;
		}
		p += name + desc;
		left -= name + desc;
	}
	return false;
}

static void
read_module(const struct dl_phdr_info *info, bool first, struct hs_module *m)
{
	const uintptr_t vdso = getauxval(AT_SYSINFO_EHDR);

	*m = (struct hs_module){ .bias = info->dlpi_addr, .program = first };
	if (info->dlpi_name != NULL)
		(void)snprintf(m->name, sizeof(m->name), "%s", info->dlpi_name);
	for (size_t i = 0; i < info->dlpi_phnum; i++) {
		const ElfW(Phdr) *ph = &info->dlpi_phdr[i];
		const uintptr_t at = info->dlpi_addr + ph->p_vaddr;

		if (ph->p_type == PT_NOTE && m->id_len == 0)
			(void)find_note((const uint8_t *)at, ph->p_memsz, m);
		else if (ph->p_type == PT_LOAD && vdso != 0 && vdso >= at &&
		    vdso - at < ph->p_memsz)
			m->kernels = true;
	}
}

static bool
has_code(const struct dl_phdr_info *info, uintptr_t at)
{
	for (size_t i = 0; i < info->dlpi_phnum; i++) {
		const ElfW(Phdr) *ph = &info->dlpi_phdr[i];
		const uintptr_t low = info->dlpi_addr + ph->p_vaddr;

		if (ph->p_type == PT_LOAD && (ph->p_flags & PF_X) != 0 &&
		    at >= low && at - low < ph->p_memsz)
			return true;
	}
	return false;
}

static int
is_program(struct dl_phdr_info *info, size_t size, void *arg)
{
	(void)size;
	read_module(info, true, arg);
	return 1;
}

void
hs_module_program(struct hs_module *out)
{
	/* The linker names it first. */
	(void)dl_iterate_phdr(is_program, out);
}

static int
is_module_of(struct dl_phdr_info *info, size_t size, void *arg)
{
	struct search *s = arg;

	(void)size;
	s->found = has_code(info, s->at);
	if (s->found)
		read_module(info, !s->begun, s->out);
	s->begun = true;
	return s->found;
}

int
hs_module_of_code(const void *p, struct hs_module *out)
{
	struct search s = { .at = (uintptr_t)p, .out = out };

	(void)dl_iterate_phdr(is_module_of, &s);
	return s.found ? 0 : -ENOENT;
}

static int
is_module_with(struct dl_phdr_info *info, size_t size, void *arg)
{
	struct search *s = arg;
	struct hs_module m;

	(void)size;
	read_module(info, false, &m);
	s->found = m.id_len != 0 && memcmp(m.id, s->id, sizeof(m.id)) == 0;
	if (s->found) {
		s->at += m.bias;
		s->has_code = has_code(info, s->at);
	}
	return s->found;
}

int
hs_module_code(const uint8_t id[HS_MODULE_ID_BYTES], uint64_t off, void **out)
{
	struct search s = { .at = (uintptr_t)off, .id = id };

	(void)dl_iterate_phdr(is_module_with, &s);
	if (!s.found)
		return -ENOENT;
	if (!s.has_code)
		return -ERANGE;
	*out = (void *)s.at;
	return 0;
}

static int
show_module(struct dl_phdr_info *info, size_t size, void *arg)
{
	struct search *s = arg;
	struct hs_module m;

	(void)size;
	read_module(info, !s->begun, &m);
	s->begun = true;
	s->fn(s->arg, &m);
	return 0;
}

void
hs_module_each(void (*fn)(void *arg, const struct hs_module *m), void *arg)
{
	struct search s = { .fn = fn, .arg = arg };

	(void)dl_iterate_phdr(show_module, &s);
}
