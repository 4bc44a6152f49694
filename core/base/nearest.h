/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MTLOG_CORE_BASE_NEAREST_H
#define MTLOG_CORE_BASE_NEAREST_H

#include "core/base/bytes.h"

#define NEAREST_MAX 40 /* bytes of a word; longer ones are near to none */

/*
 * nearest_word is that of the NULL-terminated list which the writer of `word`
 * may have meant: the one with the fewest edits (insert, delete, replace, swap
 * neighbours) between them, the first of several; NULL if that is more than a
 * third of the letters, as then it is another word.
 */
const char *nearest_word(struct bytes word, const char *const *words);

#endif
