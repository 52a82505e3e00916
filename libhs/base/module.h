/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the dynamic linker has loaded: the program and its shared objects, each
 * with the build-id that its link editor gave it.
 */
#ifndef HS_BASE_MODULE_H
#define HS_BASE_MODULE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

/* Of a build-id; a longer one is cut, a shorter one padded with zeros. */
#define HS_MODULE_ID_BYTES 32
#define HS_MODULE_NAME_BYTES 256

struct hs_module {
	uintptr_t bias;		/* to be added to the addresses in the file */
	bool program;		/* what was executed, no shared object */
	bool kernels;		/* the vDSO: it differs from kernel to kernel */
	size_t id_len;		/* 0: linked without a build-id */
	uint8_t id[HS_MODULE_ID_BYTES];
	char name[HS_MODULE_NAME_BYTES];	/* path; "" of the program */
};

/* The program itself. */
void hs_module_program(struct hs_module *out);
/* The module in whose code p is; -ENOENT. */
HS_MUST_CHECK int hs_module_of_code(const void *p, struct hs_module *out);
/*
 * Where the module with this build-id has its code at off, an address as in its
 * file.  -ENOENT: no such module; -ERANGE: it has no code there.
 */
HS_MUST_CHECK int hs_module_code(const uint8_t id[HS_MODULE_ID_BYTES],
    uint64_t off, void **out);
/* In the linker's order; fn must not load or unload modules. */
void hs_module_each(void (*fn)(void *arg, const struct hs_module *m),
    void *arg);

#endif
