/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "client/lib/history.h"
#include "core/base/cleanup.h"
#include "core/tlog/evidence.h"
#include "tests/support/tree_tiles.h"

#define LEAVES 70000 /* three levels of tiles */
#define COMMON 300   /* leaves that both trees begin with */

static struct private_key *key;
static struct vkey vkey;
static struct memory_tree honest, other;
static struct hasher hasher;
static struct key_verifier *verifier;

/* What the log serves. */
static struct memory_tree *served;
static unsigned asked;

static bool
get(void *arg, unsigned worker, const char *path, struct buf *out,
    struct error *err)
{
	(void)arg;
	(void)worker;
	asked++;
	if (!served)
		return error_reason(
		    err, ERR_UNAVAILABLE, "network", "nobody is there");
	return tree_tile(served, path, out, err);
}

static int
setup(void **state)
{
	AUTO(buf) spki = BUF_INIT(1024);
	struct error err = {0};
	struct public_key public;

	(void)state;
	key = private_key_generate(KEY_ED25519, &err);
	verifier = key_verifier_open(&err);
	if (!key || !verifier || !hasher_open(&hasher, &err) ||
	    !private_key_public(key, &spki, &err) ||
	    !public_key_parse(buf_bytes(&spki), &public, &err) ||
	    !vkey_init(&vkey, BYTES_LIT("log.example"), NOTE_ED25519,
		public.raw, &err))
		return -1;
	memory_tree_init(&honest, LEAVES);
	memory_tree_fill(&honest, &hasher, LEAVES);
	memory_tree_init(&other, LEAVES);
	memory_tree_fill(&other, &hasher, COMMON);
	memory_tree_lie(&other, &hasher, LEAVES, "a lie");
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	memory_tree_release(&honest);
	memory_tree_release(&other);
	key_verifier_close(verifier);
	hasher_release(&hasher);
	private_key_close(key);
	return 0;
}

/* A signed head of a tree; with a root that is none, if `lies`. */
static struct history_head
head_of(struct memory_tree *t, uint64_t size, bool lies, struct buf *note)
{
	struct node_reader nodes = memory_tree_nodes(t, size);
	struct checkpoint c = {.origin = vkey_name(&vkey), .size = size};
	struct error err = {0};

	buf_init(note, NOTE_MAX_LEN);
	if (!merkle_root(&hasher, &nodes, size, &c.root, &err))
		fail_msg("%s", err.text);
	if (lies)
		c.root.b[5] ^= 1;
	if (!checkpoint_sign(&c, key, &vkey, verifier, note, &err))
		fail_msg("%s", err.text);
	return (struct history_head){buf_bytes(note), size, c.root};
}

static enum history_is
judge(struct history *h, bool tiles, struct error *err)
{
	struct tile_fetch_options o = {.source = {get, NULL}};
	struct tile_fetch *f = tile_fetch_open(&o, err);
	struct tiles *t = f ? tiles_open(f, err) : NULL;
	enum history_is is;

	assert_non_null(t);
	asked = 0;
	is = history_judge(tiles ? t : NULL, h, err);
	tiles_close(t);
	tile_fetch_close(f);
	return is;
}

static bool
stands_alone(const struct buf *text)
{
	struct evidence e;
	struct error err = {0};

	return text->len > 0 && evidence_parse(buf_bytes(text), &e, &err) &&
	    evidence_verify(&e, &vkey, &hasher, verifier, NULL, &err);
}

#define ONE HISTORY_ONE
#define TWO HISTORY_FORKED
#define BAD HISTORY_UNKNOWN

/* One head of each tree, both in each order. */
struct pair {
	struct memory_tree *tree[2];
	uint64_t size[2];
	bool lies[2];
	struct memory_tree *served; /* NULL: none is asked */
	enum history_is is;
};

static void
check(const struct pair *p, bool turned)
{
	AUTO(buf) a = {0};
	AUTO(buf) b = {0};
	struct history h = {.log = &vkey};
	struct error err = {0};
	enum history_is is;

	h.heads[turned] = head_of(p->tree[0], p->size[0], p->lies[0], &a);
	h.heads[!turned] = head_of(p->tree[1], p->size[1], p->lies[1], &b);
	served = p->served;
	if (served)
		served->limit = served->size;
	is = judge(&h, p->served != NULL, &err);
	if (is != p->is)
		fail_msg("%llu and %llu: %d, not %d: %s",
		    (unsigned long long)p->size[0],
		    (unsigned long long)p->size[1], (int)is, (int)p->is,
		    err.text);
	if (is == BAD)
		assert_string_equal(error_reason_name(&err), "tile");
	assert_int_equal(stands_alone(&h.evidence), is == TWO);
	if (is != TWO)
		assert_int_equal(h.evidence.len, 0);
	buf_release(&h.evidence);
}

static void
test_pairs(void **state)
{
	static const struct pair pairs[] = {
	    /* one history */
	    {{&honest, &honest}, {7, 7}, {false, false}, NULL, ONE},
	    {{&honest, &honest}, {0, 0}, {false, false}, NULL, ONE},
	    {{&honest, &other}, {0, 400}, {false, false}, NULL, ONE},
	    {{&honest, &other}, {1, 2}, {false, false}, &honest, ONE},
	    {{&honest, &honest}, {255, 256}, {false, false}, &honest, ONE},
	    {{&honest, &honest}, {256, 257}, {false, false}, &honest, ONE},
	    {{&honest, &other}, {300, 5000}, {false, false}, &other, ONE},
	    {{&honest, &honest}, {1000, 70000}, {false, false}, &honest, ONE},
	    {{&honest, &honest}, {65536, 65537}, {false, false}, &honest, ONE},
	    /* two: one size, an empty tree that is not, another past */
	    {{&honest, &other}, {400, 400}, {false, false}, NULL, TWO},
	    {{&honest, &honest}, {9, 9}, {false, true}, NULL, TWO},
	    {{&honest, &honest}, {0, 9}, {true, false}, NULL, TWO},
	    {{&honest, &honest}, {0, 0}, {false, true}, NULL, TWO},
	    {{&honest, &other}, {301, 5000}, {false, false}, &other, TWO},
	    {{&other, &honest}, {301, 302}, {false, false}, &honest, TWO},
	    {{&other, &honest}, {1000, 70000}, {false, false}, &honest, TWO},
	    {{&honest, &honest}, {7, 70000}, {true, false}, &honest, TWO},
	    /* tiles that are not of what is signed say nothing */
	    {{&honest, &honest}, {301, 5000}, {false, false}, &other, BAD},
	    {{&honest, &other}, {301, 5000}, {false, false}, &honest, BAD},
	    {{&honest, &honest}, {7, 12}, {false, true}, &honest, BAD},
	    {{&honest, &honest}, {7, 12}, {true, true}, &honest, BAD},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
		check(&pairs[i], false);
		check(&pairs[i], true);
	}
}

/* Without tiles, where they are needed, nothing is known. */
static void
test_not_told(void **state)
{
	AUTO(buf) a = {0};
	AUTO(buf) b = {0};
	struct history h = {.log = &vkey};
	struct error err = {0}, none = {0};

	(void)state;
	h.heads[0] = head_of(&honest, 7, false, &a);
	h.heads[1] = head_of(&other, 5000, false, &b);
	served = NULL;
	assert_int_equal(judge(&h, true, &err), HISTORY_UNKNOWN);
	assert_string_equal(err.reason, "network");
	assert_int_equal(asked, 1);
	assert_int_equal(judge(&h, false, &none), HISTORY_UNKNOWN);
	assert_int_equal(none.code, ERR_INTERNAL);
	assert_int_equal(h.evidence.len, 0);
	buf_release(&h.evidence);
}

/* A log that has only the smaller tree says of the larger one that it is not
 * there. */
static void
test_gone(void **state)
{
	struct memory_tree small = {0};
	AUTO(buf) a = {0};
	AUTO(buf) b = {0};
	struct history h = {.log = &vkey};
	struct error err = {0};

	(void)state;
	h.heads[0] = head_of(&honest, 7, false, &a);
	h.heads[1] = head_of(&honest, 5000, false, &b);
	memory_tree_init(&small, 7);
	memory_tree_fill(&small, &hasher, 7);
	served = &small;
	assert_int_equal(judge(&h, true, &err), HISTORY_GONE);
	assert_int_not_equal(err.code, ERR_NONE);
	assert_int_equal(h.evidence.len, 0);
	memory_tree_release(&small);
	buf_release(&h.evidence);
}

/* What the log did not sign is no evidence against it, and nobody is accused. */
static void
test_not_signed(void **state)
{
	AUTO(buf) a = {0};
	AUTO(buf) b = {0};
	struct history h = {.log = &vkey};
	struct error err = {0};

	(void)state;
	h.heads[0] = head_of(&honest, 400, false, &a);
	h.heads[1] = head_of(&other, 400, false, &b);
	b.ptr[b.len - 10] ^= 1;
	assert_int_equal(judge(&h, false, &err), HISTORY_UNKNOWN);
	assert_int_not_equal(err.code, ERR_NONE);
	assert_int_equal(h.evidence.len, 0);
	buf_release(&h.evidence);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_pairs),
	    cmocka_unit_test(test_not_told),
	    cmocka_unit_test(test_gone),
	    cmocka_unit_test(test_not_signed),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
