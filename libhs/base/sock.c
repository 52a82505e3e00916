/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/sock.h"

#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

/* Room for HS_SOCK_MAX_FDS descriptors, aligned as the kernel wants it. */
union control {
	struct cmsghdr align;
	char buf[CMSG_SPACE(HS_SOCK_MAX_FDS * sizeof(int))];
};

int
hs_sock_send(int fd, const void *buf, size_t len, const int *fds, int nfd)
{
	union control ctl = { .buf = { 0 } };
	struct iovec iov = { .iov_base = (void *)(uintptr_t)buf,
		.iov_len = len };
	struct msghdr mh = { .msg_iov = &iov, .msg_iovlen = 1 };
	ssize_t n;

	if (len == 0 || nfd < 0 || nfd > HS_SOCK_MAX_FDS)
		return -EINVAL;
	if (nfd > 0) {
		size_t bytes = (size_t)nfd * sizeof(int);
		struct cmsghdr *c;

		mh.msg_control = ctl.buf;
		mh.msg_controllen = CMSG_SPACE(bytes);
		c = CMSG_FIRSTHDR(&mh);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(bytes);
		memcpy(CMSG_DATA(c), fds, bytes);
	}
	do
		n = sendmsg(fd, &mh, MSG_NOSIGNAL);
	while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : 0;
}

/* Keep up to room of the descriptors in mh, close the others; how many. */
static int
keep_fds(struct msghdr *mh, int *fds, int room)
{
	int kept = 0;

	for (struct cmsghdr *c = CMSG_FIRSTHDR(mh); c != NULL;
	     c = CMSG_NXTHDR(mh, c)) {
		size_t n;

		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		n = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		for (size_t i = 0; i < n; i++) {
			int fd;

			memcpy(&fd, CMSG_DATA(c) + i * sizeof(int), sizeof(fd));
			if (kept < room)
				fds[kept++] = fd;
			else
				(void)close(fd);
		}
	}
	return kept;
}

ssize_t
hs_sock_recv(int fd, void *buf, size_t size, int *fds, int *nfd, int flags)
{
	union control ctl;
	struct iovec iov = { .iov_base = buf, .iov_len = size };
	struct msghdr mh = { .msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = ctl.buf,
		.msg_controllen = sizeof(ctl.buf) };
	const int room = nfd != NULL ? *nfd : 0;
	ssize_t n;
	int kept;

	if (nfd != NULL)
		*nfd = 0;
	/*
	 * A peer that goes with a message of ours unread leaves ECONNRESET,
	 * once, ahead of its own last messages.
	 */
	do
		n = recvmsg(fd, &mh, flags | MSG_CMSG_CLOEXEC);
	while (n < 0 && (errno == EINTR || errno == ECONNRESET));
	if (n < 0)
		return -errno;
	/* More than ctl holds never got descriptors here (MSG_CTRUNC). */
	if ((mh.msg_flags & MSG_TRUNC) != 0) {
		(void)keep_fds(&mh, NULL, 0);
		return -EMSGSIZE;
	}
	kept = keep_fds(&mh, fds, room);
	if (nfd != NULL)
		*nfd = kept;
	return n;
}
