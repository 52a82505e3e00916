/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * HS_TSAN: 1 in a build for ThreadSanitizer, by gcc or clang, else 0.
 */
#ifndef HS_BASE_TSAN_H
#define HS_BASE_TSAN_H

#ifdef __SANITIZE_THREAD__
#define HS_TSAN 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define HS_TSAN 1
#endif
#endif
#ifndef HS_TSAN
#define HS_TSAN 0
#endif

#endif
