/* SPDX-License-Identifier: Apache-2.0 */
#include "client/lib/monitor_parts.h"
#include "core/base/cleanup.h"
#include "core/base/encoding.h"
#include "core/base/json.h"
#include "core/base/times.h"
#include "io/file.h"

#define FEED_MAX    (16u << 20)
#define METRICS_MAX (1u << 20)

/* --- Atom (RFC 4287) --- */

/* Characters that XML cannot have become question marks. */
static void
put_xml(struct buf *out, struct bytes text)
{
	for (size_t i = 0; i < text.len; i++) {
		uint8_t c = text.ptr[i];

		if (c == '<')
			buf_put_str(out, "&lt;");
		else if (c == '>')
			buf_put_str(out, "&gt;");
		else if (c == '&')
			buf_put_str(out, "&amp;");
		else if (c == '"')
			buf_put_str(out, "&quot;");
		else if (c == '\'')
			buf_put_str(out, "&#39;");
		else if (c < 0x20 && c != '\n' && c != '\t')
			buf_put_u8(out, '?');
		else if (c == 0xef && text.len - i >= 3 &&
		    text.ptr[i + 1] == 0xbf && text.ptr[i + 2] >= 0xbe) {
			buf_put_u8(out, '?'); /* U+FFFE, U+FFFF */
			i += 2;
		} else
			buf_put_u8(out, c);
	}
}

/* A name for ever: a UUID of version 8 (RFC 9562), made of the event's id. */
static void
put_uuid(struct buf *out, const struct hash *id)
{
	struct hash u = *id;

	u.b[6] = (uint8_t)((u.b[6] & 0x0f) | 0x80);
	u.b[8] = (uint8_t)((u.b[8] & 0x3f) | 0x80);
	buf_put_str(out, "urn:uuid:");
	for (size_t i = 0; i < 16; i++) {
		if (i == 4 || i == 6 || i == 8 || i == 10)
			buf_put_u8(out, '-');
		hex_put(out, bytes_of(&u.b[i], 1));
	}
}

static bool
put_entry(struct buf *out, const struct journal_event *e, struct error *err)
{
	AUTO_PTR(json_t) value = NULL;
	const json_t *time, *log, *kind, *message;

	if (!json_parse(e->json, JOURNAL_EVENT_MAX, &value, err))
		return false;
	time = json_object_get(value, "time");
	log = json_object_get(value, "log");
	kind = json_object_get(value, "kind");
	message = json_object_get(value, "message");
	if (!json_is_string(time) || !json_is_string(log) ||
	    !json_is_string(kind) || !json_is_string(message))
		return error_set(err, ERR_IO, "the journal has no event there");
	buf_put_str(out, "<entry><id>");
	put_uuid(out, &e->id);
	buf_put_str(out, "</id><updated>");
	put_xml(out, json_text(time));
	buf_put_str(out, "</updated><category term=\"");
	put_xml(out, json_text(kind));
	buf_put_str(out, "\"/><title>");
	put_xml(out, json_text(log));
	buf_put_str(out, ": ");
	put_xml(out, json_text(message));
	buf_put_str(out, "</title><content type=\"text\">");
	put_xml(out, e->json);
	buf_put_str(out, "</content></entry>\n");
	return true;
}

static void
put_head(struct monitor *m, struct buf *out)
{
	AUTO(buf) all = BUF_INIT(65536);
	struct hash id;

	/* One feed for this set of logs, wherever its file lies. */
	for (size_t i = 0; i < m->o.log_count; i++)
		buf_printf(&all, "%s\n", m->o.logs[i].key.name);
	sha256(&m->hasher, buf_bytes(&all), &id);
	buf_put_str(out,
	    "<?xml version=\"1.0\" encoding=\"utf-8\"?>\n"
	    "<feed xmlns=\"http://www.w3.org/2005/Atom\">\n<id>");
	put_uuid(out, &id);
	buf_put_str(out,
	    "</id>\n<title>mtlog monitor</title>\n"
	    "<author><name>mtlog monitor</name></author>\n"
	    "<updated>");
	time_put(out, monitor_now(m));
	buf_put_str(out, "</updated>\n");
}

/* The newest ones. */
static bool
put_entries(struct monitor *m, struct buf *out, struct error *err)
{
	struct journal_event e;

	for (size_t i = 0; i < JOURNAL_KEPT && journal_at(m->journal, i, &e);
	     i++)
		if (!put_entry(out, &e, err))
			return false;
	return true;
}

/* The feed follows from the journal, so it is only ever late. */
bool
monitor_feed(struct monitor *m, struct error *err)
{
	AUTO(buf) out = BUF_INIT(FEED_MAX);
	uint64_t last;
	bool ok;

	if (!m->o.feed)
		return true;
	put_head(m, &out);
	monitor_lock(m);
	last = journal_last(m->journal);
	if (m->feed_known && m->feed_written == last) {
		monitor_unlock(m);
		return true;
	}
	ok = put_entries(m, &out, err);
	monitor_unlock(m);
	buf_put_str(&out, "</feed>\n");
	if (!ok || !buf_ok(&out, err) ||
	    !file_write(m->o.feed, buf_bytes(&out), 0644, err))
		return false;
	m->feed_known = true;
	m->feed_written = last;
	return true;
}

/* --- Prometheus --- */

static void
put_label(struct buf *out, const struct watched *w)
{
	buf_put_str(out, "{log=\"");
	for (const char *p = w->log->key.name; *p; p++) {
		if (*p == '"' || *p == '\\')
			buf_put_u8(out, '\\');
		buf_put_u8(out, (uint8_t)*p);
	}
	buf_put_str(out, "\"");
}

static void
put_family(
    struct buf *out, const char *name, const char *type, const char *help)
{
	buf_printf(out,
	    "# HELP mtlog_monitor_%s %s\n# TYPE mtlog_monitor_%s %s\n", name,
	    help, name, type);
}

#define OF(member)                                                             \
	static uint64_t value_##member(const struct watched *w)                \
	{                                                                      \
		return w->shown.member;                                        \
	}

OF(size)
OF(next)
OF(seen)
OF(reached)
OF(failures)
OF(opaque)

static uint64_t
value_stalled(const struct watched *w)
{
	return w->shown.stalled > 0;
}

static const struct metric {
	const char *name, *type, *help;
	uint64_t (*value)(const struct watched *w);
} metrics[] = {
    {"size", "gauge", "Entries in the newest verified head.", value_size},
    {"read", "gauge", "Entries that were read.", value_next},
    {"head_seen_timestamp_seconds", "gauge", "When that head was first seen.",
	value_seen},
    {"success_timestamp_seconds", "gauge",
	"When a round last went well; 0: not since the start.", value_reached},
    {"failed_rounds_total", "counter", "Rounds that did not go well.",
	value_failures},
    {"opaque_entries_total", "counter",
	"Entries whose statement could not be read.", value_opaque},
    {"stalled", "gauge", "Whether there was nothing new for too long.",
	value_stalled},
};

static void
put_events(struct monitor *m, struct buf *out)
{
	put_family(
	    out, "events_total", "counter", "Events since the start, by kind.");
	for (size_t i = 0; i < m->o.log_count; i++)
		for (unsigned k = 0; k < MONITOR_KINDS; k++) {
			buf_put_str(out, "mtlog_monitor_events_total");
			put_label(out, &m->logs[i]);
			buf_printf(out, ",kind=\"%s\"} %llu\n",
			    monitor_kind_name(k),
			    (unsigned long long)m->logs[i].events[k]);
		}
}

static void
put_metrics(struct monitor *m, struct buf *out)
{
	for (size_t k = 0; k < sizeof(metrics) / sizeof(metrics[0]); k++) {
		const struct metric *f = &metrics[k];

		put_family(out, f->name, f->type, f->help);
		for (size_t i = 0; i < m->o.log_count; i++) {
			buf_printf(out, "mtlog_monitor_%s", f->name);
			put_label(out, &m->logs[i]);
			buf_printf(out, "} %llu\n",
			    (unsigned long long)f->value(&m->logs[i]));
		}
	}
	put_events(m, out);
	put_family(out, "hook_failures_total", "counter",
	    "Runs of the hook that failed since the start.");
	buf_printf(out, "mtlog_monitor_hook_failures_total %llu\n",
	    (unsigned long long)m->hook_failures);
	put_family(out, "hook_pending", "gauge",
	    "Events that the hook was not told yet.");
	buf_printf(out, "mtlog_monitor_hook_pending %llu\n",
	    (unsigned long long)journal_pending(m->journal, JOURNAL_HOOK));
}

bool
monitor_metrics(struct monitor *m, struct error *err)
{
	AUTO(buf) out = BUF_INIT(METRICS_MAX);

	if (!m->o.metrics)
		return true;
	monitor_lock(m);
	put_metrics(m, &out);
	monitor_unlock(m);
	return buf_ok(&out, err) &&
	    file_write(m->o.metrics, buf_bytes(&out), 0644, err);
}
