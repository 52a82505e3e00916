/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * All registered descriptors, brought back from their records.
 */
#ifndef HS_STATE_FD_RESTORE_H
#define HS_STATE_FD_RESTORE_H

#include "base/err.h"
#include "state/store.h"

/*
 * F2: on failure what was put in place is closed again, and hs_why() has the
 * number and the reason: HS_EFD, HS_ECORRUPT, HS_EINCOMPATIBLE, -ENOMEM.
 */
HS_MUST_CHECK int hs_fd_restore_run(struct hs_store *s);

#endif
