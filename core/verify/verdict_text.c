/* SPDX-License-Identifier: Apache-2.0 */
#include "core/base/cleanup.h"
#include "core/base/encoding.h"
#include "core/verify/verdict.h"

#define GREEN "\033[32m"
#define RED   "\033[31m"
#define DIM   "\033[2m"
#define PLAIN "\033[0m"

/* How many bytes at the start of `text` are one character to show as it is; 0:
 * none. */
static size_t
shown_length(struct bytes text)
{
	size_t n = text.ptr[0] < 0x80 ? 1
	    : text.ptr[0] < 0xe0      ? 2
	    : text.ptr[0] < 0xf0      ? 3
				      : 4;

	if (n == 1)
		return text.ptr[0] >= 0x20 && text.ptr[0] != 0x7f;
	if (n > text.len || !utf8_valid(bytes_slice(text, 0, n)))
		return 0;
	/* C1 controls; marks, embeddings and isolates that turn the direction
	 * of text; line separators; the byte order mark. */
	if (text.ptr[0] == 0xc2 && text.ptr[1] < 0xa0)
		return 0;
	if (text.ptr[0] == 0xd8 && text.ptr[1] == 0x9c)
		return 0;
	if (text.ptr[0] == 0xe2 && text.ptr[1] == 0x80 &&
	    (text.ptr[2] >= 0xa8 || text.ptr[2] == 0x8e ||
		text.ptr[2] == 0x8f || text.ptr[2] == 0x8b))
		return 0;
	if (text.ptr[0] == 0xe2 && text.ptr[1] == 0x81 && text.ptr[2] >= 0xa0 &&
	    text.ptr[2] <= 0xaf)
		return 0;
	if (text.ptr[0] == 0xef && text.ptr[1] == 0xbb && text.ptr[2] == 0xbf)
		return 0;
	return n;
}

void
escaped_put(struct buf *out, struct bytes text)
{
	while (text.len > 0) {
		size_t n = shown_length(text);

		if (n == 0) {
			buf_printf(out, "\\x%02x", text.ptr[0]);
			n = 1;
		} else if (text.ptr[0] == '\\') {
			buf_put_str(out, "\\\\");
		} else {
			buf_put(out, bytes_slice(text, 0, n));
		}
		text = bytes_slice(text, n, text.len);
	}
}

static void
paint(struct buf *out, bool colour, const char *how)
{
	if (colour)
		buf_put_str(out, how);
}

static void
put_check(const struct verdict_check *c, bool colour, struct buf *out)
{
	static const struct {
		const char *mark, *colour;
	} marks[] = {
	    [CHECK_NOT_REACHED] = {" ", DIM},
	    [CHECK_PASS] = {"\xe2\x9c\x93", GREEN},
	    [CHECK_FAIL] = {"\xe2\x9c\x97", RED},
	    [CHECK_NOT_ASKED] = {"-", DIM},
	};

	paint(out, colour, marks[c->result].colour);
	buf_printf(out, "  %s %-11s", marks[c->result].mark, c->name);
	if (c->result == CHECK_PASS)
		paint(out, colour, PLAIN);
	buf_put_u8(out, ' ');
	escaped_put(out,
	    c->result == CHECK_NOT_REACHED ? BYTES_LIT("not looked at")
					   : bytes_str(c->message));
	if (c->line > 0)
		buf_printf(out, " (line %u)", c->line);
	if (c->result != CHECK_PASS)
		paint(out, colour, PLAIN);
	buf_put_u8(out, '\n');
}

static void
put_names(
    struct buf *out, const char *what, const struct bytes *list, uint64_t count)
{
	for (size_t i = 0; i < count && i < VERDICT_MAX_NAMES; i++) {
		buf_printf(out, "    %s ", what);
		escaped_put(out, list[i]);
		buf_put_u8(out, '\n');
	}
	if (count > VERDICT_MAX_NAMES)
		buf_printf(out, "    %s … and %llu more\n", what,
		    (unsigned long long)(count - VERDICT_MAX_NAMES));
}

static void
put_files(const struct verdict_files *f, struct buf *out)
{
	for (size_t i = 0; i < f->changed_count && i < VERDICT_MAX_NAMES; i++) {
		const struct verdict_change *c = &f->changed[i];

		buf_put_str(out, "    changed ");
		escaped_put(out, c->name);
		buf_put_str(out, "\n      signed  ");
		hex_put(out, bytes_of(c->expected, c->digest_len));
		buf_put_str(out, "\n      on disk ");
		hex_put(out, bytes_of(c->actual, c->digest_len));
		buf_put_u8(out, '\n');
	}
	if (f->changed_count > VERDICT_MAX_NAMES)
		buf_printf(out, "    changed … and %llu more\n",
		    (unsigned long long)(f->changed_count - VERDICT_MAX_NAMES));
	put_names(out, "missing", f->missing, f->missing_count);
	put_names(out, "unsigned", f->unsigned_files, f->unsigned_count);
}

static void
put_weakened(unsigned weakened, struct buf *out)
{
	static const struct {
		enum verdict_weakness bit;
		const char *text;
	} words[] = {
	    {WEAK_LOGGED_OFF, "logged-off: no log was asked"},
	    {WEAK_ANY_IDENTITY, "any-identity: whoever has a certificate"},
	    {WEAK_ANY_NAME, "any-name: the signer chose the name"},
	    {WEAK_NO_QUORUM, "no-quorum: the log alone says what is in it"},
	    {WEAK_UNSIGNED_IGNORED,
		"unsigned-ignored: other files may be there"},
	    {WEAK_HOLD_OPEN,
		"hold-open: who may write the files can change them"},
	    {WEAK_LEGACY_V02, "legacy-v0.2: a form that was signed by mistake"},
	    {WEAK_FILES_CHOSEN, "files-chosen: the others were not looked at"},
	};

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if ((weakened & words[i].bit) != 0)
			buf_printf(out, "  ! %s\n", words[i].text);
}

void
verdict_text(const struct verdict *v, bool colour, struct buf *out)
{
	bool accepted = v->code == VERDICT_ACCEPTED;

	escaped_put(out, v->model);
	buf_put_u8(out, '\n');
	for (size_t i = 0; i < v->check_count; i++)
		put_check(&v->checks[i], colour, out);
	put_files(&v->files, out);
	put_weakened(v->weakened, out);
	paint(out, colour, accepted ? GREEN : RED);
	if (accepted) {
		buf_put_str(out, "accepted");
		paint(out, colour, PLAIN);
		if (v->name.len > 0) {
			buf_put_u8(out, ' ');
			escaped_put(out, v->name);
		}
		if (v->version.len > 0) {
			buf_put_u8(out, ' ');
			escaped_put(out, v->version);
		}
		buf_put_str(out, ", signed by ");
		escaped_put(out, v->party);
		buf_put_u8(out, '\n');
		return;
	}
	buf_printf(out, "refused  [%s]", v->reason);
	paint(out, colour, PLAIN);
	buf_put_u8(out, ' ');
	escaped_put(out, bytes_str(v->message));
	buf_put_u8(out, '\n');
}
