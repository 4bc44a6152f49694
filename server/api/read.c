/* SPDX-License-Identifier: Apache-2.0 */
#include <strings.h>

#include "core/base/cleanup.h"
#include "core/base/encoding.h"
#include "core/base/json.h"
#include "core/base/reader.h"
#include "server/api/api.h"
#include "server/api/reply.h"
#include "server/api/prove.h"

#define IMMUTABLE "public, max-age=604800, immutable"

static struct head *
newest_head(struct api *api, struct error *err)
{
	struct head *head = head_current(api->heads);

	if (!head)
		(void)error_reason(err, ERR_UNAVAILABLE, "no-checkpoint",
		    "the server has no checkpoint to show yet; try again");
	return head;
}

/* The newest with a quorum, where witnesses are asked; it never goes back. */
static struct head *
shown_head(struct api *api, struct error *err)
{
	struct head *head;

	if (!api->cosigned)
		return newest_head(api, err);
	head = head_current(api->cosigned);
	if (!head)
		(void)error_reason(err, ERR_UNAVAILABLE, "no-checkpoint",
		    "no quorum of witnesses has cosigned a checkpoint yet; try "
		    "again");
	return head;
}

/* Takes the reference. */
static bool
send_head(struct exchange *x, struct head *head)
{
	struct response r;
	char etag[sizeof(head->etag)];

	if (!head)
		return false;
	if (reply_again(x, &head->body))
		return true;
	memcpy(etag, head->etag, sizeof(etag));
	r = (struct response){
	    .status = 200,
	    .content_type = "text/plain; charset=utf-8",
	    .shared = &head->body,
	    .shared_len = head->body.data.len,
	    .fixed = true,
	};
	response_header(&r, "Cache-Control", "no-cache");
	response_header(&r, "Access-Control-Allow-Origin", "*");
	reply_conditional(x, &r, etag);
	return true;
}

bool
api_checkpoint(
    struct api *api, struct exchange *x, struct bytes rest, struct error *err)
{
	(void)rest;
	return send_head(x, shown_head(api, err));
}

/* The newest that may be shown at all, cosigned or not. */
bool
api_signed(
    struct api *api, struct exchange *x, struct bytes rest, struct error *err)
{
	(void)rest;
	return send_head(x, newest_head(api, err));
}

/* The next of a header's items, without the blanks around it. */
static struct bytes
next_item(struct reader *list, uint8_t end)
{
	struct bytes item = list->rest;

	if (!reader_until(list, end, &item))
		list->rest = (struct bytes){0};
	while (item.len > 0 && (item.ptr[0] == ' ' || item.ptr[0] == '\t'))
		item = bytes_slice(item, 1, item.len);
	while (item.len > 0 &&
	    (item.ptr[item.len - 1] == ' ' || item.ptr[item.len - 1] == '\t'))
		item.len--;
	return item;
}

/* "q=0", "q=0.0" and so on: anything but this. */
static bool
weight_zero(struct bytes weight)
{
	if (weight.len < 3 || (weight.ptr[0] | 0x20) != 'q' ||
	    weight.ptr[1] != '=')
		return false;
	for (size_t i = 2; i < weight.len; i++)
		if (weight.ptr[i] != '0' && weight.ptr[i] != '.')
			return false;
	return true;
}

/* Whether the client takes gzip: listed, and not with q=0. */
static bool
accepts_gzip(struct exchange *x)
{
	struct reader list = {exchange_header(x, "accept-encoding")};

	while (!reader_done(&list)) {
		struct reader item = {next_item(&list, ',')};
		struct bytes coding = next_item(&item, ';');

		if (coding.len == 4 &&
		    strncasecmp((const char *)coding.ptr, "gzip", 4) == 0)
			return !weight_zero(next_item(&item, ';'));
	}
	return false;
}

static bool
tile_body(struct api *api, struct tile_place place, bool gzip,
    struct httpd_body **body, size_t *len, struct error *err)
{
	struct tree_cursor c;
	bool ok;

	if (!api_cursor_take(api, &c, err))
		return false;
	if (place.level == TILE_ENTRIES) {
		ok = tree_bundle(&c, place, gzip, body, len, err);
	} else {
		ok = tree_tile(&c, place, body, err);
		*len = place.width * HASH_LEN;
	}
	api_cursor_give(api, &c);
	return ok;
}

bool
api_tile(
    struct api *api, struct exchange *x, struct bytes rest, struct error *err)
{
	struct tile_place place;
	struct head *head;
	struct response r = {
	    .status = 200,
	    .content_type = "application/octet-stream",
	};
	bool exists, bundle, gzip;
	char etag[64];

	if (!tile_path_parse(rest, &place, err))
		return false;
	head = newest_head(api, err);
	if (!head)
		return false;
	exists = tile_exists(place, head->size);
	head_release(head);
	if (!exists)
		return error_reason(err, ERR_NOTFOUND, "no-such-tile",
		    "the log is not large enough to have this tile");
	bundle = place.level == TILE_ENTRIES;
	gzip = bundle && place.width == TILE_WIDTH && accepts_gzip(x);
	if (!tile_body(api, place, gzip, &r.shared, &r.shared_len, err))
		return false;
	/* Full ones never change, and are what everybody reads. */
	r.fixed = place.width == TILE_WIDTH;
	if (r.fixed && reply_again(x, r.shared))
		return true;
	response_header(&r, "Cache-Control", IMMUTABLE);
	response_header(&r, "Access-Control-Allow-Origin", "*");
	if (bundle)
		response_header(&r, "Vary", "Accept-Encoding");
	if (gzip)
		response_header(&r, "Content-Encoding", "gzip");
	(void)snprintf(etag, sizeof(etag), "\"%08x-%u-%llu-%u%s\"",
	    api->vkey.key_id, place.level, (unsigned long long)place.index,
	    place.width, gzip ? "-gz" : "");
	reply_conditional(x, &r, etag);
	return true;
}

/* Begins a JSON answer that nobody caches. */
static void
json_reply(struct response *r)
{
	reply_text(r, 200, "application/json");
	response_header(r, "Cache-Control", "no-store");
	response_header(r, "Access-Control-Allow-Origin", "*");
}

static bool
json_send(struct exchange *x, struct response *r, bool ok, struct error *err)
{
	if (!ok || !buf_ok(&r->text, err)) {
		response_release(r);
		return false;
	}
	exchange_reply(x, r);
	return true;
}

static bool
entry_put(struct api *api, const struct head *head, uint64_t index,
    struct buf *out, struct error *err)
{
	AUTO(buf) leaf = BUF_INIT(UINT16_MAX);
	struct tree_cursor c;
	bool ok;

	if (index >= head->size)
		return error_reason(err, ERR_NOTFOUND, "no-such-entry",
		    "the log has %llu entries; this index is beyond them",
		    (unsigned long long)head->size);
	if (!api_cursor_take(api, &c, err))
		return false;
	ok = tree_entry(&c, index, &leaf, err) &&
	    prove_entry(
		&c, &api->vkey.log_id, head, index, buf_bytes(&leaf), out, err);
	api_cursor_give(api, &c);
	return ok;
}

bool
api_entry(
    struct api *api, struct exchange *x, struct bytes rest, struct error *err)
{
	struct response r;
	struct head *head;
	uint64_t index;
	bool ok;

	if (!decimal_parse(rest, &index))
		return error_reason(err, ERR_SYNTAX, "bad-index",
		    "an entry is named by its index in decimal digits");
	head = newest_head(api, err);
	if (!head)
		return false;
	json_reply(&r);
	ok = entry_put(api, head, index, &r.text, err);
	head_release(head);
	return json_send(x, &r, ok, err);
}

/* "<first>/<second>", both decimal. */
static bool
two_numbers(struct bytes in, uint64_t *first, uint64_t *second,
    const char *shape, struct error *err)
{
	struct reader r = {in};

	if (reader_decimal(&r, first) && reader_literal(&r, BYTES_LIT("/")) &&
	    reader_decimal(&r, second) && reader_done(&r))
		return true;
	return error_reason(err, ERR_SYNTAX, "bad-proof-address",
	    "the address ends in %s, in decimal digits", shape);
}

static bool
within_head(struct api *api, uint64_t size, struct error *err)
{
	struct head *head = newest_head(api, err);
	uint64_t have;

	if (!head)
		return false;
	have = head->size;
	head_release(head);
	if (size > have)
		return error_reason(err, ERR_NOTFOUND, "beyond-checkpoint",
		    "the newest checkpoint has size %llu, smaller than %llu",
		    (unsigned long long)have, (unsigned long long)size);
	return true;
}

static void
put_root(struct tree_cursor *c, uint64_t size, const char *name,
    struct buf *out, bool *ok, struct error *err)
{
	struct node_reader nodes = tree_nodes(c);
	struct hash root;

	*ok = *ok && merkle_root(&c->hasher, &nodes, size, &root, err) &&
	    hasher_ok(&c->hasher, err);
	if (!*ok)
		return;
	buf_printf(out, "\"%s\":\"", name);
	base64_put(out, hash_bytes(&root));
	buf_put_str(out, "\",");
}

static void
put_hashes(const struct proof *proof, struct buf *out)
{
	buf_put_str(out, "\"hashes\":[");
	for (size_t i = 0; i < proof->len; i++) {
		buf_put_str(out, i > 0 ? ",\"" : "\"");
		base64_put(out, hash_bytes(&proof->hashes[i]));
		buf_put_u8(out, '"');
	}
	buf_put_str(out, "]}");
}

/*
 * The proof of an entry under the checkpoint that a quorum has cosigned. Who is
 * too early is told to come again: 404, since it is not there, with a time.
 */
static bool
cosigned_put(struct api *api, const struct head *head, uint64_t index,
    struct buf *out, struct error *err)
{
	AUTO(buf) leaf = BUF_INIT(UINT16_MAX);
	struct proof proof;
	struct tree_cursor c;
	bool ok;

	if (!api_cursor_take(api, &c, err))
		return false;
	ok = tree_entry(&c, index, &leaf, err) &&
	    prove_inclusion(&c, head, index, buf_bytes(&leaf), &proof, err);
	buf_printf(out, "{\"logIndex\":\"%llu\",\"treeSize\":\"%llu\",",
	    (unsigned long long)index, (unsigned long long)head->size);
	put_root(&c, head->size, "rootHash", out, &ok, err);
	if (ok) {
		buf_put_str(out, "\"checkpoint\":{\"envelope\":");
		json_put_string(out, buf_bytes(&head->note));
		buf_put_str(out, "},");
		put_hashes(&proof, out);
	}
	api_cursor_give(api, &c);
	return ok;
}

static bool
too_early(
    struct api *api, struct exchange *x, uint64_t index, struct error *err)
{
	struct head *head = newest_head(api, err);
	struct response r;
	uint64_t size;

	if (!head)
		return false;
	size = head->size;
	head_release(head);
	if (index >= size && !witnessing_required(api->witnessing))
		return error_reason(err, ERR_NOTFOUND, "no-such-entry",
		    "the log has %llu entries; this index is beyond them",
		    (unsigned long long)size);
	(void)error_reason(err, ERR_NOTFOUND, "not-cosigned-yet",
	    "no quorum of witnesses has cosigned entry %llu yet; try again",
	    (unsigned long long)index);
	reply_error(&r, err);
	response_header(&r, "Retry-After", "1");
	exchange_reply(x, &r);
	return true;
}

static bool
send_cosigned(
    struct api *api, struct exchange *x, struct bytes number, struct error *err)
{
	struct head *head;
	struct response r;
	uint64_t index;
	bool ok;

	if (!decimal_parse(number, &index))
		return error_reason(err, ERR_SYNTAX, "bad-proof-address",
		    "the address ends in <index>/cosigned, in decimal digits");
	if (!api->cosigned)
		return error_reason(err, ERR_NOTFOUND, "no-witnesses",
		    "this log asks no witnesses");
	head = head_current(api->cosigned);
	if (!head || index >= head->size) {
		head_release(head);
		return too_early(api, x, index, err);
	}
	json_reply(&r);
	ok = cosigned_put(api, head, index, &r.text, err);
	head_release(head);
	return json_send(x, &r, ok, err);
}

bool
api_inclusion(
    struct api *api, struct exchange *x, struct bytes rest, struct error *err)
{
	struct bytes cosigned = BYTES_LIT("/cosigned");
	uint64_t index = 0, size = 0;
	struct tree_cursor c;
	struct node_reader nodes;
	struct proof proof;
	struct response r;
	bool ok;

	if (rest.len > cosigned.len &&
	    bytes_equal(
		bytes_slice(rest, rest.len - cosigned.len, rest.len), cosigned))
		return send_cosigned(
		    api, x, bytes_slice(rest, 0, rest.len - cosigned.len), err);
	if (!two_numbers(rest, &index, &size, "<index>/<tree size>", err) ||
	    !within_head(api, size, err))
		return false;
	if (index >= size)
		return error_reason(err, ERR_NOTFOUND, "no-such-entry",
		    "a tree of size %llu has no entry %llu",
		    (unsigned long long)size, (unsigned long long)index);
	if (!api_cursor_take(api, &c, err))
		return false;
	nodes = tree_nodes(&c);
	ok = proof_inclusion(&c.hasher, &nodes, index, size, &proof, err);
	json_reply(&r);
	buf_printf(&r.text, "{\"logIndex\":\"%llu\",\"treeSize\":\"%llu\",",
	    (unsigned long long)index, (unsigned long long)size);
	put_root(&c, size, "rootHash", &r.text, &ok, err);
	if (ok)
		put_hashes(&proof, &r.text);
	api_cursor_give(api, &c);
	return json_send(x, &r, ok, err);
}

bool
api_consistency(
    struct api *api, struct exchange *x, struct bytes rest, struct error *err)
{
	uint64_t old_size = 0, new_size = 0;
	struct tree_cursor c;
	struct node_reader nodes;
	struct proof proof;
	struct response r;
	bool ok;

	if (!two_numbers(
		rest, &old_size, &new_size, "<old size>/<new size>", err) ||
	    !within_head(api, new_size, err))
		return false;
	if (old_size == 0 || old_size > new_size)
		return error_reason(err, ERR_USAGE, "bad-sizes",
		    "a consistency proof goes from a size of at least 1 to one "
		    "that is not smaller");
	if (!api_cursor_take(api, &c, err))
		return false;
	nodes = tree_nodes(&c);
	ok = proof_consistency(
	    &c.hasher, &nodes, old_size, new_size, &proof, err);
	json_reply(&r);
	buf_printf(&r.text, "{\"oldSize\":\"%llu\",\"newSize\":\"%llu\",",
	    (unsigned long long)old_size, (unsigned long long)new_size);
	put_root(&c, old_size, "oldRootHash", &r.text, &ok, err);
	put_root(&c, new_size, "newRootHash", &r.text, &ok, err);
	if (ok)
		put_hashes(&proof, &r.text);
	api_cursor_give(api, &c);
	return json_send(x, &r, ok, err);
}
