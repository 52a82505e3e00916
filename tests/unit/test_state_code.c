/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>

#include "base/module.h"
#include "base/why.h"
#include "state/code.h"
#include "tests/unit/suite.h"

static int
triple(int n)
{
	return 3 * n;
}

static int
negate(int n)
{
	return -n;
}

/* As a record keeps it: encoded, and decoded again. */
static struct hs_code
store_and_load(const struct hs_code *c)
{
	uint8_t bytes[HS_CODE_BYTES];
	struct hs_code back;
	struct hs_wr w;
	struct hs_rd r;

	hs_wr_init(&w, bytes, sizeof(bytes));
	hs_code_encode(&w, c);
	CU_ASSERT_EQUAL(hs_wr_end(&w), HS_CODE_BYTES);
	hs_rd_init(&r, bytes, sizeof(bytes));
	hs_code_decode(&r, &back);
	CU_ASSERT_EQUAL(hs_rd_end(&r), 0);
	return back;
}

static void *
there_and_back(const void *p)
{
	struct hs_code c, again;
	void *q = NULL;

	CU_ASSERT_EQUAL_FATAL(hs_code_ref(p, &c), 0);
	again = store_and_load(&c);
	CU_ASSERT_EQUAL(memcmp(&c, &again, sizeof(c)), 0);
	CU_ASSERT_EQUAL(hs_code_ptr(&again, &q), 0);
	return q;
}

static void
functions_are_found_again(void)
{
	int (*fn)(int) = (int (*)(int))there_and_back((void *)triple);

	CU_ASSERT_EQUAL(fn(14), 42);
	fn = (int (*)(int))there_and_back((void *)negate);
	CU_ASSERT_EQUAL(fn(7), -7);
	/* In the C library. */
	CU_ASSERT_PTR_EQUAL(there_and_back(dlsym(RTLD_DEFAULT, "qsort")),
	    dlsym(RTLD_DEFAULT, "qsort"));
	CU_ASSERT_PTR_NULL(there_and_back(NULL));
}

static void
a_plugin_is_found_once_loaded(void)
{
	void *lib = dlopen(HS_PLUGIN_DIR "/code_id.so", RTLD_NOW);
	struct hs_code c;
	void *p;

	CU_ASSERT_PTR_NOT_NULL_FATAL(lib);
	CU_ASSERT_EQUAL_FATAL(hs_code_ref(dlsym(lib, "plugin_answer"), &c), 0);
	CU_ASSERT_EQUAL(dlclose(lib), 0);
	CU_ASSERT_EQUAL(hs_code_ptr(&c, &p), HS_ECODE);
	CU_ASSERT_PTR_NOT_NULL(strstr(hs_why_line(), "dlopen()"));
	lib = dlopen(HS_PLUGIN_DIR "/code_id.so", RTLD_NOW);
	CU_ASSERT_PTR_NOT_NULL_FATAL(lib);
	CU_ASSERT_EQUAL(hs_code_ptr(&c, &p), 0);
	CU_ASSERT_PTR_EQUAL(p, dlsym(lib, "plugin_answer"));
	CU_ASSERT_EQUAL(dlclose(lib), 0);
}

/* A build-id is what a spare knows the module by. */
static void
a_module_without_id_is_refused(void)
{
	void *lib = dlopen(HS_PLUGIN_DIR "/code_noid.so", RTLD_NOW);
	struct hs_code c = { .off = 77 };

	CU_ASSERT_PTR_NOT_NULL_FATAL(lib);
	CU_ASSERT_EQUAL(hs_code_ref(dlsym(lib, "plugin_answer"), &c), HS_ECODE);
	CU_ASSERT_PTR_NOT_NULL(strstr(hs_why_line(), "code_noid.so"));
	CU_ASSERT_PTR_NOT_NULL(strstr(hs_why_line(), "-Wl,--build-id"));
	CU_ASSERT_EQUAL(c.off, 77);
	CU_ASSERT_EQUAL(dlclose(lib), 0);
}

static void
what_is_no_module_code_is_refused(void)
{
	static int variable;
	struct hs_code c;
	void *made;

	CU_ASSERT_EQUAL(hs_code_ref(&variable, &c), HS_ECODE);
	CU_ASSERT_EQUAL(hs_code_ref(&c, &c), HS_ECODE);
	made = mmap(NULL, 4096, PROT_READ | PROT_EXEC,
	    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	CU_ASSERT_PTR_NOT_EQUAL_FATAL(made, MAP_FAILED);
	CU_ASSERT_EQUAL(hs_code_ref(made, &c), HS_ECODE);
	CU_ASSERT_PTR_NOT_NULL(strstr(hs_why_line(), "made at run time"));
	CU_ASSERT_EQUAL(munmap(made, 4096), 0);
}

static void
the_kernels_code_is_refused(void)
{
	const uintptr_t vdso = getauxval(AT_SYSINFO_EHDR);
	struct hs_code c;

	if (vdso == 0)
		return;
	CU_ASSERT_EQUAL(hs_code_ref((void *)vdso, &c), HS_ECODE);
	CU_ASSERT_PTR_NOT_NULL(strstr(hs_why_line(), "vDSO"));
}

static void
damaged_references_are_refused(void)
{
	struct hs_code good, c;
	void *p = &c;

	CU_ASSERT_EQUAL_FATAL(hs_code_ref((void *)triple, &good), 0);
	c = good;
	c.off ^= (uint64_t)1 << 62;
	CU_ASSERT_EQUAL(hs_code_ptr(&c, &p), HS_ECODE);
	c = good;
	c.off = 0;	/* the file's header */
	CU_ASSERT_EQUAL(hs_code_ptr(&c, &p), HS_ECODE);
	CU_ASSERT_PTR_NOT_NULL(strstr(hs_why_line(), "no code at"));
	for (size_t i = 0; i < sizeof(c.build_id); i++) {
		c = good;
		c.build_id[i] ^= 1;
		CU_ASSERT_EQUAL(hs_code_ptr(&c, &p), HS_ECODE);
	}
	CU_ASSERT_PTR_EQUAL(p, &c);
}

struct census {
	size_t n, programs, kernels, with_c;
};

static void
count_module(void *arg, const struct hs_module *m)
{
	struct census *c = arg;

	c->n++;
	c->programs += m->program;
	c->kernels += m->kernels;
	c->with_c += strstr(m->name, "libc.so") != NULL;
}

static void
modules_are_listed_once(void)
{
	struct hs_module program, of;
	struct census c = { .n = 0 };

	hs_module_each(count_module, &c);
	CU_ASSERT_EQUAL(c.programs, 1);
	CU_ASSERT(c.kernels <= 1);
	CU_ASSERT_EQUAL(c.with_c, 1);
	CU_ASSERT(c.n >= 3);
	hs_module_program(&program);
	CU_ASSERT_EQUAL_FATAL(hs_module_of_code((void *)triple, &of), 0);
	CU_ASSERT(of.program);
	CU_ASSERT_EQUAL(of.bias, program.bias);
	CU_ASSERT_EQUAL(of.id_len, 20);
	CU_ASSERT_EQUAL(memcmp(of.id, program.id, sizeof(of.id)), 0);
}

HS_SUITE(state_code, HS_TEST(functions_are_found_again),
    HS_TEST(a_plugin_is_found_once_loaded),
    HS_TEST(a_module_without_id_is_refused),
    HS_TEST(what_is_no_module_code_is_refused),
    HS_TEST(the_kernels_code_is_refused),
    HS_TEST(damaged_references_are_refused), HS_TEST(modules_are_listed_once))
