/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/wr.h"

#include <string.h>

void
hs_wr_init(struct hs_wr *w, void *buf, size_t size)
{
	w->buf = buf;
	w->size = size;
	w->len = 0;
	w->err = 0;
}

/* Room for len bytes, or NULL. */
static uint8_t *
take_room(struct hs_wr *w, size_t len)
{
	uint8_t *p;

	if (w->err != 0 || len > w->size - w->len) {
		w->err = -EMSGSIZE;
		return NULL;
	}
	p = w->buf + w->len;
	w->len += len;
	return p;
}

static void
write_le(struct hs_wr *w, uint64_t v, size_t len)
{
	uint8_t *p = take_room(w, len);

	for (size_t i = 0; p != NULL && i < len; i++, v >>= 8)
		p[i] = (uint8_t)v;
}

void
hs_wr_u8(struct hs_wr *w, uint8_t v)
{
	write_le(w, v, 1);
}

void
hs_wr_u16(struct hs_wr *w, uint16_t v)
{
	write_le(w, v, 2);
}

void
hs_wr_u32(struct hs_wr *w, uint32_t v)
{
	write_le(w, v, 4);
}

void
hs_wr_u64(struct hs_wr *w, uint64_t v)
{
	write_le(w, v, 8);
}

void
hs_wr_bytes(struct hs_wr *w, const void *p, size_t len)
{
	uint8_t *dst = take_room(w, len);

	if (dst != NULL && len > 0)
		memcpy(dst, p, len);
}

void
hs_wr_zeros(struct hs_wr *w, size_t len)
{
	uint8_t *dst = take_room(w, len);

	if (dst != NULL && len > 0)
		memset(dst, 0, len);
}

void
hs_wr_text(struct hs_wr *w, const char *s, size_t len)
{
	uint8_t *dst = take_room(w, len);
	size_t n;

	if (dst == NULL || len == 0)
		return;
	n = strnlen(s, len - 1);
	for (size_t i = 0; i < n; i++) {
		uint8_t c = (uint8_t)s[i];

		dst[i] = c < 0x20 || c == 0x7f ? ' ' : c;
	}
	memset(dst + n, 0, len - n);
}

int
hs_wr_end(const struct hs_wr *w)
{
	return w->err != 0 ? w->err : (int)w->len;
}
