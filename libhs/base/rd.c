/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/rd.h"

#include <string.h>

void
hs_rd_init(struct hs_rd *r, const void *p, size_t len)
{
	r->p = p;
	r->left = len;
	r->err = 0;
}

void
hs_rd_require(struct hs_rd *r, int ok)
{
	if (!ok)
		r->err = HS_EWIRE;
}

const uint8_t *
hs_rd_bytes(struct hs_rd *r, size_t len)
{
	const uint8_t *p = r->p;

	hs_rd_require(r, len > 0 && len <= r->left);
	if (r->err != 0)
		return NULL;
	r->p += len;
	r->left -= len;
	return p;
}

const uint8_t *
hs_rd_array(struct hs_rd *r, size_t n, size_t len)
{
	size_t bytes;

	if (__builtin_mul_overflow(n, len, &bytes))
		bytes = 0;	/* refused by hs_rd_bytes() */
	return hs_rd_bytes(r, bytes);
}

static uint64_t
read_le(struct hs_rd *r, size_t len)
{
	const uint8_t *p = hs_rd_bytes(r, len);
	uint64_t v = 0;

	if (p == NULL)
		return 0;
	while (len-- > 0)
		v = v << 8 | p[len];
	return v;
}

uint8_t
hs_rd_u8(struct hs_rd *r)
{
	return (uint8_t)read_le(r, 1);
}

uint16_t
hs_rd_u16(struct hs_rd *r)
{
	return (uint16_t)read_le(r, 2);
}

uint32_t
hs_rd_u32(struct hs_rd *r)
{
	return (uint32_t)read_le(r, 4);
}

uint64_t
hs_rd_u64(struct hs_rd *r)
{
	return read_le(r, 8);
}

void
hs_rd_copy(struct hs_rd *r, void *dst, size_t len)
{
	const uint8_t *p = hs_rd_bytes(r, len);

	if (p != NULL)
		memcpy(dst, p, len);
	else
		memset(dst, 0, len);
}

static int
all_zero(const uint8_t *p, size_t len)
{
	while (len > 0 && *p == 0) {
		p++;
		len--;
	}
	return len == 0;
}

void
hs_rd_zeros(struct hs_rd *r, size_t len)
{
	const uint8_t *p = hs_rd_bytes(r, len);

	if (p != NULL)
		hs_rd_require(r, all_zero(p, len));
}

static int
text_is_good(const uint8_t *p, size_t len)
{
	size_t n = 0;

	while (n < len && p[n] >= 0x20 && p[n] != 0x7f)
		n++;
	return n < len && all_zero(p + n, len - n);
}

void
hs_rd_text(struct hs_rd *r, char *dst, size_t len)
{
	const uint8_t *p = hs_rd_bytes(r, len);

	if (p != NULL)
		hs_rd_require(r, text_is_good(p, len));
	if (p != NULL && r->err == 0)
		memcpy(dst, p, len);
	else
		memset(dst, 0, len);
}

int
hs_rd_end(const struct hs_rd *r)
{
	if (r->err != 0)
		return r->err;
	return r->left == 0 ? 0 : HS_EWIRE;
}
