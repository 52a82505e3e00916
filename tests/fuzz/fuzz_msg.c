/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Any bytes as a message, all bodies and records included: reading may refuse,
 * and must not fail otherwise; what it accepts is written back as it was.
 */
#include <stdlib.h>
#include <string.h>

#include "base/crc32c.h"
#include "base/wr.h"
#include "tests/fuzz/roundtrip.h"
#include "wire/msg.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t *buf;
	struct hs_wr w;

	(void)hs_roundtrip(data, size);
	if (size < HS_MSG_HEAD_BYTES || size > HS_MSG_MAX_BYTES)
		return 0;
	/* No mutation guesses a crc: mend what guards the rest. */
	buf = malloc(size);
	if (buf == NULL)
		return 0;
	memcpy(buf, data, size);
	hs_wr_init(&w, buf + HS_MSG_LEN_OFF, 8);
	hs_wr_u32(&w, (uint32_t)size);
	hs_wr_u32(&w, 0);
	hs_wr_init(&w, buf + HS_MSG_CRC_OFF, 4);
	hs_wr_u32(&w, hs_crc32c(0, buf, size));
	(void)hs_roundtrip(buf, size);
	free(buf);
	return 0;
}
