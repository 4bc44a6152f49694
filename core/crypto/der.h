/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MTLOG_CORE_CRYPTO_DER_H
#define MTLOG_CORE_CRYPTO_DER_H

#include "core/base/buf.h"
#include "core/base/reader.h"

/*
 * A strict reader of DER (ITU-T X.690 section 10) on `struct reader`. An
 * element is a tag byte, a length and a value:
 *
 *	30 06  02 01 05  02 01 07	SEQUENCE { INTEGER 5, INTEGER 7 }
 *
 * Only what DER and X.509 need: tag numbers below 31, definite lengths in
 * their shortest form, at most DER_MAX_LEN bytes of value. As with reader_*,
 * every call returns false and leaves cursor and outputs alone when the input
 * is not what was asked for. All views borrow from the input.
 */
#define DER_MAX_LEN   0xffffffu
#define DER_MAX_DEPTH 16

#define DER_BOOLEAN	     0x01
#define DER_INTEGER	     0x02
#define DER_BIT_STRING	     0x03
#define DER_OCTET_STRING     0x04
#define DER_NULL	     0x05
#define DER_OID		     0x06
#define DER_UTF8_STRING	     0x0c
#define DER_UTC_TIME	     0x17
#define DER_GENERALIZED_TIME 0x18
#define DER_SEQUENCE	     0x30
#define DER_SET		     0x31
#define DER_CONSTRUCTED	     0x20
#define DER_CONTEXT(n)	     (0x80 | (n))		    /* [n], primitive */
#define DER_EXPLICIT(n)	     (0x80 | DER_CONSTRUCTED | (n)) /* [n] { … } */

/* One element: `value` is what the length counts, `whole` the element. */
struct der_element {
	uint8_t tag;
	struct bytes value;
	struct bytes whole;
};

/* der_any takes the next element, whatever it is. */
bool der_any(struct reader *r, struct der_element *out) MUST_USE;

/* der_take takes the next element if it has this tag, and views its value. */
bool der_take(struct reader *r, uint8_t tag, struct bytes *value) MUST_USE;

/* der_skip takes the next element if it has this tag. */
bool der_skip(struct reader *r, uint8_t tag) MUST_USE;

/* der_enter takes the next element if it has this tag, as a reader of its
 * value; whoever reads it ends with reader_done(inner). */
bool der_enter(struct reader *r, uint8_t tag, struct reader *inner) MUST_USE;

/*
 * der_optional is der_skip for an element that may be absent: true if it is
 * not there, or there and well formed.
 */
bool der_optional(struct reader *r, uint8_t tag) MUST_USE;

/* der_integer takes an INTEGER in its shortest form; two's complement. */
bool der_integer(struct reader *r, struct bytes *value) MUST_USE;

/* der_positive takes an INTEGER over zero; `magnitude` has no leading zeros. */
bool der_positive(struct reader *r, struct bytes *magnitude) MUST_USE;

/* der_bit_string takes a BIT STRING of whole bytes. */
bool der_bit_string(struct reader *r, struct bytes *value) MUST_USE;

/*
 * der_well_formed tells whether `in` is a run of elements that fill it
 * exactly, down to the last constructed one, at most DER_MAX_DEPTH deep.
 */
bool der_well_formed(struct bytes in) MUST_USE;

/* der_put appends one element; a value of more than DER_MAX_LEN bytes latches
 * the buffer. */
void der_put(struct buf *out, uint8_t tag, struct bytes value);

/* der_put_unsigned appends the INTEGER of a big-endian number; zeros in front
 * do not matter, and no bytes are zero. */
void der_put_unsigned(struct buf *out, struct bytes number);

#endif
