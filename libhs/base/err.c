/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/err.h"

#include <stddef.h>
#include <string.h>

/* One text a code of enum hs_error, which has no gaps below HS_ESTATE. */
#define AT(code) (HS_ESTATE - (code))
static const char *const texts[] = {
	[AT(HS_ESTATE)] = "call made before hsinit() or after hsfini()",
	[AT(HS_EADDR)] =
	    "the address range of checkpoint memory is taken: choose "
	    "another arena_base, the same on every node",
	[AT(HS_ETRACK)] =
	    "no way to track dirty pages works here: allow userfaultfd "
	    "(kernel 6.7 or newer), or set the tracker to \"full\"",
	[AT(HS_EARENA)] =
	    "checkpoint memory is exhausted: raise arena_bytes on every "
	    "node",
	[AT(HS_ECORRUPT)] =
	    "the records of checkpoint memory are damaged: the program "
	    "wrote outside an allocation",
	[AT(HS_EMISUSE)] = "misuse: foreign or double free, or a bad argument",
	[AT(HS_ENOSPARE)] = "sealed and kept, but there is no spare to hold it",
	[AT(HS_EAGAIN)] =
	    "too much is in flight and nothing was taken: try again, or "
	    "raise inflight_bytes",
	[AT(HS_ETIMEDOUT)] =
	    "the level was not reached in time: ask again with hswait()",
	[AT(HS_EAGENT)] =
	    "hs-agent is gone or speaks another version: start the service "
	    "by an hs-agent of the same release",
	[AT(HS_ETRANSPORT)] =
	    "the cluster's messaging failed: see that corosync runs",
	[AT(HS_EFENCED)] = "another node is primary: stop now",
	[AT(HS_EINCOMPATIBLE)] =
	    "the image was made by another program or with another arena: "
	    "install the same build on every node",
	[AT(HS_EWIRE)] = "a message is damaged",
	[AT(HS_EVERSION)] =
	    "a message of another protocol version: run the same release on "
	    "every node",
	[AT(HS_ESTALE)] = "a message of an older term or epoch",
	[AT(HS_EGAP)] = "an epoch that does not follow the last one",
	[AT(HS_EQUORUM)] =
	    "no quorum: nothing is promoted and nothing reported held",
	[AT(HS_ESTOP)] =
	    "a registered thread did not come to a safepoint in time: "
	    "hsmessage() names it",
	[AT(HS_ELOCK)] =
	    "a lock is held where none may be: hsmessage() names lock, "
	    "thread and place",
	[AT(HS_EFD)] =
	    "a descriptor cannot be carried over: hsmessage() says why",
	[AT(HS_ECODE)] =
	    "a pointer to code that a spare may not have: hsmessage() "
	    "names it",
};

const char *
hs_err_text(int rc)
{
	const char *text = NULL;

	if (rc == HS_RESTORED)
		return "restored from the last held checkpoint";
	if (rc >= 0)
		return "success";
	if (rc <= HS_ESTATE) {
		size_t i = (size_t)((long)HS_ESTATE - rc);

		if (i < sizeof(texts) / sizeof(texts[0]))
			text = texts[i];
	} else {
		/* Async-signal-safe, unlike strerror(). */
		text = strerrordesc_np(-rc);
	}
	return text != NULL ? text : "unknown error";
}
