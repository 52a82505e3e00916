/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The former name of base/crc32c.h. */
#include "base/crc32c.h"
