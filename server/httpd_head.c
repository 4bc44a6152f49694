/* SPDX-License-Identifier: Apache-2.0 */
#include "server/httpd_head.h"

#include <strings.h>

/* What the library keeps beside the text of a header, a query argument or a
 * cookie, all in the connection's memory. */
#define WEIGHT_PIECE 96

#define CHUNK_DIGITS 8
#define WORD_LONG    UINT8_MAX
#define TARGET_START 8	  /* bytes of a target that tell its form */
#define TLS_RECORD   0x16 /* first byte of a TLS client */

enum state {
	STATE_START, /* before a request line */
	STATE_START_LF,
	STATE_METHOD,
	STATE_TARGET,
	STATE_VERSION,
	STATE_LINE_LF, /* after the CR of a line with something on it */
	STATE_LINE,    /* first byte of a header line */
	STATE_NAME,
	STATE_VALUE_START,
	STATE_VALUE,
	STATE_HEAD_LF, /* after the CR of the empty line */
	STATE_BODY,
	STATE_CHUNK_SIZE,
	STATE_CHUNK_REST, /* extensions */
	STATE_CHUNK_SIZE_LF,
	STATE_CHUNK_DATA,
	STATE_CHUNK_CR,
	STATE_CHUNK_LF,
	STATE_CLOSED, /* what follows is no request */
};

enum header {
	HEADER_OTHER,
	HEADER_LENGTH,
	HEADER_ENCODING,
	HEADER_HOST,
	HEADER_CONNECTION,
	HEADER_COOKIE,
};

static const struct http_fault_answer answers[HTTP_FAULT_COUNT] = {
    [HTTP_FAULT_TLS] = {400, "malformed-request",
	"this is HTTP, and what came is TLS: ask with http://, or the proxy "
	"in front"},
    [HTTP_FAULT_METHOD] = {400, "malformed-request",
	"the request line does not begin with a method and one space"},
    [HTTP_FAULT_TARGET] = {400, "malformed-request",
	"the request target has a character it must not"},
    [HTTP_FAULT_TARGET_FORM] = {400, "malformed-request",
	"the request target is neither a path nor an http address"},
    [HTTP_FAULT_TARGET_LONG] = {414, "target-too-long",
	"the request target is longer than 4096 bytes"},
    [HTTP_FAULT_VERSION] = {400, "unsupported-version",
	"the request line does not end with HTTP/1.1 or HTTP/1.0"},
    [HTTP_FAULT_LINE_END] = {400, "malformed-request",
	"a line of the head does not end with CR LF"},
    [HTTP_FAULT_NAME] = {400, "malformed-request",
	"a header has no colon, or its name has a character it must not"},
    [HTTP_FAULT_VALUE] = {400, "malformed-request",
	"a header's value has a control character"},
    [HTTP_FAULT_FOLDED] = {400, "malformed-request",
	"a header is folded over two lines"},
    [HTTP_FAULT_HEAD_LARGE] = {431, "head-too-large",
	"the request's head is too large, or has too many headers, query "
	"arguments or cookies"},
    [HTTP_FAULT_LENGTH] = {400, "malformed-request",
	"Content-Length is not a plain number"},
    [HTTP_FAULT_LENGTH_TWICE] = {400, "malformed-request",
	"the body's length is given more than once"},
    [HTTP_FAULT_ENCODING] = {400, "malformed-request",
	"the transfer encoding is not chunked"},
    [HTTP_FAULT_ENCODING_OLD] = {400, "malformed-request",
	"HTTP/1.0 has no transfer encoding"},
    [HTTP_FAULT_HOST] = {400, "malformed-request",
	"there must be one Host header"},
    [HTTP_FAULT_BODY_UNWANTED] = {400, "malformed-request",
	"GET and HEAD take no body"},
    [HTTP_FAULT_BODY_LARGE] = {413, "body-too-large",
	"the body is larger than the limit"},
    [HTTP_FAULT_CHUNK] = {400, "malformed-request",
	"a chunk of the body is not framed as it must be"},
    [HTTP_FAULT_INCOMPLETE] = {400, "malformed-request",
	"the request ends before it is whole"},
};

const struct http_fault_answer *
http_fault_answer(enum http_fault fault)
{
	return &answers[fault];
}

void
http_reader_init(struct http_reader *r, uint64_t max_body)
{
	*r = (struct http_reader){.max_body = max_body};
}

bool
http_reader_between(const struct http_reader *r)
{
	return r->state == STATE_START || r->state == STATE_CLOSED;
}

/* Bytes by kind. */

/* Letters, digits and !#$%&'*+-.^_`|~ */
static bool
is_token(uint8_t c)
{
	static const uint64_t set[2] = {0x03ff6cfa00000000, 0x57ffffffc7fffffe};

	return c < 0x80 && (set[c >> 6] >> (c & 63) & 1);
}

static bool
is_text(uint8_t c)
{
	return (c >= ' ' && c != 0x7f) || c == '\t';
}

static bool
is_blank(char c)
{
	return c == ' ' || c == '\t';
}

static int
hex_value(uint8_t c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Words that matter are short; the rest of a long one does not. */

static void
word_begin(struct http_reader *r)
{
	r->word_len = 0;
}

static void
word_add(struct http_reader *r, uint8_t c)
{
	if (r->word_len < sizeof(r->word))
		r->word[r->word_len++] = (char)c;
	else
		r->word_len = WORD_LONG;
}

static bool
word_is(const struct http_reader *r, const char *want)
{
	size_t len = strlen(want);

	return r->word_len == len && strncasecmp(r->word, want, len) == 0;
}

/* The parts of a head. */

static enum http_fault
next(struct http_reader *r, enum state state)
{
	r->state = (uint8_t)state;
	return HTTP_FAULT_NONE;
}

static enum http_fault
weigh(struct http_reader *r, uint32_t more)
{
	r->weight += more;
	return r->weight > HTTP_HEAD_MAX ? HTTP_FAULT_HEAD_LARGE
					 : HTTP_FAULT_NONE;
}

static void
begin_request(struct http_reader *r)
{
	*r = (struct http_reader){.heads = r->heads,
	    .whole = r->whole,
	    .max_body = r->max_body,
	    .state = STATE_METHOD};
}

static enum http_fault
on_method(struct http_reader *r, uint8_t c)
{
	if (c == ' ' && r->word_len > 0 && r->word_len != WORD_LONG) {
		r->head_only = word_is(r, "HEAD");
		r->bodyless = r->head_only || word_is(r, "GET");
		word_begin(r);
		return next(r, STATE_TARGET);
	}
	if (c == TLS_RECORD && r->word_len == 0)
		return HTTP_FAULT_TLS;
	if (!is_token(c) || r->word_len == WORD_LONG)
		return HTTP_FAULT_METHOD;
	word_add(r, c);
	return HTTP_FAULT_NONE;
}

static bool
target_form(const struct http_reader *r)
{
	return r->word[0] == '/' || strncasecmp(r->word, "http://", 7) == 0 ||
	    strncasecmp(r->word, "https://", 8) == 0 || word_is(r, "*");
}

static enum http_fault
on_target(struct http_reader *r, uint8_t c)
{
	if (c == ' ' && r->at > 0) {
		if (!target_form(r))
			return HTTP_FAULT_TARGET_FORM;
		word_begin(r);
		return next(r, STATE_VERSION);
	}
	/* A line that ends here has no version. */
	if (c == '\r' || c == '\n')
		return HTTP_FAULT_VERSION;
	if (c <= ' ' || c >= 0x7f)
		return HTTP_FAULT_TARGET;
	if (++r->at > HTTP_TARGET_MAX)
		return HTTP_FAULT_TARGET_LONG;
	if (r->at <= TARGET_START)
		word_add(r, c);
	return c == '?' || c == '&' ? weigh(r, WEIGHT_PIECE) : HTTP_FAULT_NONE;
}

static enum http_fault
version_done(struct http_reader *r, enum state then)
{
	r->old = word_is(r, "HTTP/1.0");
	/* Case matters here. */
	if (memcmp(r->word, "HTTP/1.", 7) != 0 ||
	    (!r->old && !word_is(r, "HTTP/1.1")))
		return HTTP_FAULT_VERSION;
	return then == STATE_LINE_LF ? next(r, then) : HTTP_FAULT_LINE_END;
}

static enum http_fault
on_version(struct http_reader *r, uint8_t c)
{
	if (c == '\r' || c == '\n')
		return version_done(r, c == '\r' ? STATE_LINE_LF : STATE_LINE);
	/* Another word: the target has a space. */
	if (r->word_len == 0 && c != 'H')
		return HTTP_FAULT_TARGET;
	if (c <= ' ' || r->word_len == 8)
		return HTTP_FAULT_VERSION;
	word_add(r, c);
	return HTTP_FAULT_NONE;
}

static enum http_fault
on_line(struct http_reader *r, uint8_t c)
{
	if (c == '\r')
		return next(r, STATE_HEAD_LF);
	if (c == '\n')
		return HTTP_FAULT_LINE_END;
	if (c == ' ' || c == '\t')
		return HTTP_FAULT_FOLDED;
	if (!is_token(c))
		return HTTP_FAULT_NAME;
	word_begin(r);
	word_add(r, c);
	(void)next(r, STATE_NAME);
	return r->trailer ? HTTP_FAULT_NONE : weigh(r, WEIGHT_PIECE);
}

static enum http_fault
name_done(struct http_reader *r)
{
	static const struct {
		const char *name;
		enum header header;
	} known[] = {
	    {"content-length", HEADER_LENGTH},
	    {"transfer-encoding", HEADER_ENCODING},
	    {"host", HEADER_HOST},
	    {"connection", HEADER_CONNECTION},
	    {"cookie", HEADER_COOKIE},
	};

	r->header = HEADER_OTHER;
	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (!r->trailer && word_is(r, known[i].name))
			r->header = (uint8_t)known[i].header;
	word_begin(r);
	return next(r, STATE_VALUE_START);
}

static enum http_fault
on_name(struct http_reader *r, uint8_t c)
{
	if (c == ':')
		return name_done(r);
	if (!is_token(c))
		return HTTP_FAULT_NAME;
	if (r->word_len != WORD_LONG)
		word_add(r, c);
	return HTTP_FAULT_NONE;
}

/* Is `word` one of a comma-separated list? */
static bool
list_has(const struct http_reader *r, const char *word)
{
	size_t len = strlen(word), from = 0;

	while (r->word_len != WORD_LONG && from < r->word_len) {
		size_t end = from, to;

		while (end < r->word_len && r->word[end] != ',')
			end++;
		to = end;
		while (to > from && is_blank(r->word[to - 1]))
			to--;
		while (from < to && is_blank(r->word[from]))
			from++;
		if (to - from == len &&
		    strncasecmp(r->word + from, word, len) == 0)
			return true;
		from = end + 1;
	}
	return false;
}

static enum http_fault
length_done(struct http_reader *r)
{
	uint64_t n = 0;

	if (r->lengths++ + r->encodings > 0)
		return HTTP_FAULT_LENGTH_TWICE;
	if (r->word_len == 0 || r->word_len == WORD_LONG ||
	    (r->word[0] == '0' && r->word_len > 1))
		return HTTP_FAULT_LENGTH;
	for (size_t i = 0; i < r->word_len; i++) {
		if (r->word[i] < '0' || r->word[i] > '9')
			return HTTP_FAULT_LENGTH;
		/* Above the limit it stays there. */
		if (n <= r->max_body)
			n = n * 10 + (uint64_t)(r->word[i] - '0');
	}
	r->length = n;
	return HTTP_FAULT_NONE;
}

static enum http_fault
value_done(struct http_reader *r)
{
	bool blank = r->word_len != WORD_LONG && r->word_len > 0 &&
	    is_blank(r->word[r->word_len - 1]);

	while (r->word_len != WORD_LONG && r->word_len > 0 &&
	    is_blank(r->word[r->word_len - 1]))
		r->word_len--;
	(void)next(r, STATE_LINE_LF);
	switch ((enum header)r->header) {
	/* The library takes no blank behind these two, and says so itself. */
	case HEADER_LENGTH:
		return blank ? HTTP_FAULT_LENGTH : length_done(r);
	case HEADER_ENCODING:
		if (blank)
			return HTTP_FAULT_ENCODING;
		if (r->encodings++ + r->lengths > 0)
			return HTTP_FAULT_LENGTH_TWICE;
		return word_is(r, "chunked") ? HTTP_FAULT_NONE
					     : HTTP_FAULT_ENCODING;
	case HEADER_HOST:
		return r->hosts++ > 0 ? HTTP_FAULT_HOST : HTTP_FAULT_NONE;
	case HEADER_CONNECTION:
		r->close = r->close || list_has(r, "close");
		r->keep = r->keep || list_has(r, "keep-alive");
		return HTTP_FAULT_NONE;
	case HEADER_OTHER:
	case HEADER_COOKIE:
	default:
		return HTTP_FAULT_NONE;
	}
}

static enum http_fault
on_value(struct http_reader *r, uint8_t c)
{
	if (c == '\r')
		return value_done(r);
	if (c == '\n')
		return HTTP_FAULT_LINE_END;
	if (!is_text(c))
		return HTTP_FAULT_VALUE;
	if (r->state == STATE_VALUE_START && is_blank((char)c))
		return HTTP_FAULT_NONE;
	r->state = STATE_VALUE;
	if (r->word_len != WORD_LONG)
		word_add(r, c);
	if (r->header != HEADER_COOKIE)
		return HTTP_FAULT_NONE;
	/* The library copies it, and cuts the copy to pieces. */
	return weigh(r, c == ';' || c == ',' ? WEIGHT_PIECE + 1 : 1);
}

static enum http_fault
request_done(struct http_reader *r)
{
	bool close = r->close || (r->old && !r->keep);

	r->whole++;
	word_begin(r);
	r->head_only = false;
	return next(r, close ? STATE_CLOSED : STATE_START);
}

static enum http_fault
head_done(struct http_reader *r)
{
	bool body = r->encodings > 0 || r->length > 0;

	if (r->trailer)
		return request_done(r);
	if (r->encodings > 0 && r->old)
		return HTTP_FAULT_ENCODING_OLD;
	if (r->hosts == 0 && !r->old)
		return HTTP_FAULT_HOST;
	if (body && r->bodyless)
		return HTTP_FAULT_BODY_UNWANTED;
	if (r->length > r->max_body)
		return HTTP_FAULT_BODY_LARGE;
	r->heads++;
	r->left = r->length;
	r->at = 0;
	if (r->encodings > 0) {
		r->length = 0;
		return next(r, STATE_CHUNK_SIZE);
	}
	return body ? next(r, STATE_BODY) : request_done(r);
}

/* Chunks: left is the size of the one at hand, length the sum. */

static enum http_fault
chunk_begins(struct http_reader *r)
{
	(void)next(r, STATE_CHUNK_DATA);
	r->at = 0;
	if (r->left == 0) {
		r->trailer = true;
		return next(r, STATE_LINE);
	}
	r->length += r->left;
	return r->length > r->max_body ? HTTP_FAULT_BODY_LARGE
				       : HTTP_FAULT_NONE;
}

static enum http_fault
on_chunk_size(struct http_reader *r, uint8_t c)
{
	int digit = hex_value(c);

	if (++r->at > HTTP_CHUNK_LINE)
		return HTTP_FAULT_CHUNK;
	if (r->state == STATE_CHUNK_SIZE && digit >= 0) {
		r->left = r->left * 16 + (uint64_t)digit;
		return r->at > CHUNK_DIGITS ? HTTP_FAULT_CHUNK
					    : HTTP_FAULT_NONE;
	}
	if (r->at == 1)
		return HTTP_FAULT_CHUNK;
	if (c == '\r')
		return next(r, STATE_CHUNK_SIZE_LF);
	if (r->state == STATE_CHUNK_SIZE ? c != ';' : !is_text(c))
		return HTTP_FAULT_CHUNK;
	return next(r, STATE_CHUNK_REST);
}

static enum http_fault
chunk_ended(struct http_reader *r)
{
	r->at = 0;
	r->left = 0;
	return next(r, STATE_CHUNK_SIZE);
}

/* `c` must be `want`, for `then` to follow. */
static enum http_fault
expect(struct http_reader *r, uint8_t c, uint8_t want, enum state then,
    enum http_fault otherwise)
{
	return c == want ? next(r, then) : otherwise;
}

static enum http_fault
on_start(struct http_reader *r, uint8_t c)
{
	/* One empty line may come before a request (RFC 9112, 2.2). */
	if (c == '\r' && r->word_len == 0)
		return next(r, STATE_START_LF);
	begin_request(r);
	return on_method(r, c);
}

static enum http_fault
step(struct http_reader *r, uint8_t c)
{
	switch ((enum state)r->state) {
	case STATE_START:
		return on_start(r, c);
	case STATE_START_LF:
		r->word_len = 1;
		return expect(r, c, '\n', STATE_START, HTTP_FAULT_METHOD);
	case STATE_METHOD:
		return on_method(r, c);
	case STATE_TARGET:
		return on_target(r, c);
	case STATE_VERSION:
		return on_version(r, c);
	case STATE_LINE_LF:
		return expect(r, c, '\n', STATE_LINE, HTTP_FAULT_LINE_END);
	case STATE_LINE:
		return on_line(r, c);
	case STATE_NAME:
		return on_name(r, c);
	case STATE_VALUE_START:
	case STATE_VALUE:
		return on_value(r, c);
	case STATE_HEAD_LF:
		return c == '\n' ? head_done(r) : HTTP_FAULT_LINE_END;
	case STATE_CHUNK_SIZE:
	case STATE_CHUNK_REST:
		return on_chunk_size(r, c);
	case STATE_CHUNK_SIZE_LF:
		return c == '\n' ? chunk_begins(r) : HTTP_FAULT_CHUNK;
	case STATE_CHUNK_CR:
		return expect(r, c, '\r', STATE_CHUNK_LF, HTTP_FAULT_CHUNK);
	case STATE_CHUNK_LF:
		return c == '\n' ? chunk_ended(r) : HTTP_FAULT_CHUNK;
	case STATE_BODY:
	case STATE_CHUNK_DATA:
	case STATE_CLOSED:
	default:
		return HTTP_FAULT_NONE;
	}
}

static bool
in_data(const struct http_reader *r)
{
	return r->state == STATE_BODY || r->state == STATE_CHUNK_DATA;
}

/* As much of the body as is there. */
static size_t
skip_data(struct http_reader *r, size_t there)
{
	size_t n = r->left < there ? (size_t)r->left : there;

	r->left -= n;
	if (r->left > 0)
		return n;
	if (r->state == STATE_BODY)
		(void)request_done(r);
	else
		(void)next(r, STATE_CHUNK_CR);
	return n;
}

/* Of a head or trailer, each byte counts. */
static enum http_fault
count_bytes(struct http_reader *r, size_t n)
{
	bool line = r->state >= STATE_LINE_LF && r->state <= STATE_HEAD_LF;

	if (r->trailer && line) {
		r->at += (uint32_t)n;
		return r->at > HTTP_TRAILER_MAX ? HTTP_FAULT_HEAD_LARGE
						: HTTP_FAULT_NONE;
	}
	return r->state >= STATE_METHOD && r->state <= STATE_HEAD_LF
	    ? weigh(r, (uint32_t)n)
	    : HTTP_FAULT_NONE;
}

/* How many bytes come next that mean nothing: most of a head. */
static size_t
plain_bytes(struct http_reader *r, const uint8_t *p, size_t n)
{
	size_t i = 0;

	if (n > HTTP_HEAD_MAX)
		n = HTTP_HEAD_MAX;
	if (r->state == STATE_VALUE &&
	    (r->header == HEADER_OTHER || r->header == HEADER_HOST)) {
		while (i < n && is_text(p[i]))
			i++;
	} else if (r->state == STATE_TARGET && r->at >= TARGET_START) {
		if (n > HTTP_TARGET_MAX - r->at)
			n = HTTP_TARGET_MAX - r->at;
		while (i < n && p[i] > ' ' && p[i] < 0x7f && p[i] != '?' &&
		    p[i] != '&')
			i++;
		r->at += (uint32_t)i;
	}
	return i;
}

size_t
http_reader_take(struct http_reader *r, struct bytes in)
{
	size_t i = 0, passed = 0;

	while (i < in.len && r->fault == HTTP_FAULT_NONE) {
		uint64_t whole = r->whole;
		size_t n;

		if (r->state == STATE_CLOSED)
			return passed;
		if (in_data(r)) {
			i += skip_data(r, in.len - i);
		} else if ((n = plain_bytes(r, in.ptr + i, in.len - i)) > 0) {
			i += n;
			r->fault = count_bytes(r, n);
		} else {
			r->fault = step(r, in.ptr[i++]);
			if (r->fault == HTTP_FAULT_NONE)
				r->fault = count_bytes(r, 1);
		}
		if (r->whole != whole)
			passed = i;
	}
	return r->fault == HTTP_FAULT_NONE ? in.len : passed;
}

void
http_reader_end(struct http_reader *r)
{
	if (r->fault == HTTP_FAULT_NONE && !http_reader_between(r))
		r->fault = HTTP_FAULT_INCOMPLETE;
}
