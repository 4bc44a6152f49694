/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MTLOG_CORE_BASE_CLEANUP_H
#define MTLOG_CORE_BASE_CLEANUP_H

/*
 * Scope cleanup. `AUTO(buf) b = BUF_INIT(4096);` declares a `struct buf` that
 * buf_release empties when the scope ends. For heap handles
 * `AUTO_PTR(json_t) v = …;` declares a pointer, released by the function that
 * a line CLEANUP_PTR(json_t, json_decref) named. A hand-over is spelled out:
 * `*out = b; b = (struct buf){0};`.
 */
#define AUTO(type) __attribute__((cleanup(type##_release))) struct type

#define AUTO_PTR(type) __attribute__((cleanup(type##_cleanup_ptr))) type *

#define CLEANUP_PTR(type, release)                                             \
	static inline void type##_cleanup_ptr(type **p)                        \
	{                                                                      \
		if (*p)                                                        \
			release(*p);                                           \
	}                                                                      \
	struct cleanup_semicolon_##type

#endif
