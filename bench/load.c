/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A closed-loop load generator for a log on loopback: N clients, each with one
 * submission (or one batch) on its way. One thread, epoll, no allocation per
 * request, so that it takes as little of the machine as it can.
 *
 * Its key signs with one fixed nonce: s = k^-1 (z + r d) costs a microsecond,
 * and verifying costs what it always costs. Such signatures give the key away;
 * it exists for the run only.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

#include <openssl/bn.h>
#include <openssl/ec.h>
#include <openssl/obj_mac.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509.h>

#include "core/base/cleanup.h"
#include "core/base/encoding.h"
#include "core/model/entry.h"
#include "core/model/tle.h"

#define ANSWER_MAX  (8u << 20)
#define REQUEST_MAX (1u << 20)
#define SAMPLE	    1000 /* every so many answers one is verified in full */

struct options {
	const char *host;
	unsigned port;
	size_t clients;
	uint64_t entries;
	size_t batch; /* 0: one a request */
	uint64_t first;
	unsigned rate; /* entries a second, 0: as fast as it goes */
	bool x509;
	const char *vkey;
	unsigned timeout_s;
	bool quiet;
};

struct client {
	int fd;
	struct buf out;
	size_t sent;
	struct buf in;
	size_t body_at, body_len;
	bool busy;
	uint64_t number; /* of the first entry on its way */
	uint64_t since;
};

struct load {
	struct options o;
	int epoll;
	struct client *clients;
	uint64_t next, done, failed, started_ns, ended_ns;
	uint64_t by_status[600];
	float *latency_ms;
	size_t latencies;
	uint64_t verified;
	/* the key */
	BN_CTX *bn;
	BIGNUM *n, *d, *r, *kinv, *z, *s;
	struct buf verifier; /* JSON member with key or certificate */
	struct hasher hasher;
	struct key_verifier *key_verifier;
	struct vkey log;
};

static void
die(const char *what)
{
	(void)fprintf(stderr, "load: %s: %s\n", what, strerror(errno));
	exit(1);
}

static void
check(bool ok, const struct error *err)
{
	if (ok)
		return;
	(void)fprintf(stderr, "load: %s\n", err->text);
	exit(1);
}

static uint64_t
now_ns(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static void
put_verifier(struct load *l, EVP_PKEY *key)
{
	uint8_t *der = NULL;
	int len;

	buf_init(&l->verifier, 8192);
	if (l->o.x509) {
		X509 *cert = X509_new();
		X509_NAME *name = X509_get_subject_name(cert);

		(void)X509_set_version(cert, 2);
		(void)ASN1_INTEGER_set(X509_get_serialNumber(cert), 7);
		(void)X509_gmtime_adj(X509_getm_notBefore(cert), -60);
		(void)X509_gmtime_adj(X509_getm_notAfter(cert), 86400);
		(void)X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC,
		    (const unsigned char *)"load", -1, -1, 0);
		(void)X509_set_issuer_name(cert, name);
		(void)X509_set_pubkey(cert, key);
		if (X509_sign(cert, key, EVP_sha256()) <= 0)
			die("X509_sign");
		len = i2d_X509(cert, &der);
		X509_free(cert);
		buf_put_str(&l->verifier, "\"x509Certificate\"");
	} else {
		len = i2d_PUBKEY(key, &der);
		buf_put_str(&l->verifier, "\"publicKey\"");
	}
	buf_put_str(&l->verifier, ":{\"rawBytes\":\"");
	base64_put(&l->verifier, bytes_of(der, (size_t)len));
	buf_put_str(&l->verifier, "\"}");
	OPENSSL_free(der);
}

static void
make_key(struct load *l)
{
	EVP_PKEY *key = EVP_EC_gen("P-256");
	EC_GROUP *group = EC_GROUP_new_by_curve_name(NID_X9_62_prime256v1);
	EC_POINT *point = EC_POINT_new(group);
	BIGNUM *k = BN_new();

	l->bn = BN_CTX_new();
	l->n = BN_dup(EC_GROUP_get0_order(group));
	l->r = BN_new();
	l->z = BN_new();
	l->s = BN_new();
	if (!EVP_PKEY_get_bn_param(key, "priv", &l->d) ||
	    !BN_rand_range(k, l->n) ||
	    !EC_POINT_mul(group, point, k, NULL, NULL, l->bn) ||
	    !EC_POINT_get_affine_coordinates(group, point, l->r, NULL, l->bn) ||
	    !BN_nnmod(l->r, l->r, l->n, l->bn))
		die("key");
	l->kinv = BN_mod_inverse(NULL, k, l->n, l->bn);
	put_verifier(l, key);
	BN_free(k);
	EC_POINT_free(point);
	EC_GROUP_free(group);
	EVP_PKEY_free(key);
}

static size_t
put_integer(uint8_t *out, const BIGNUM *n)
{
	uint8_t raw[33] = {0};
	size_t len;

	(void)BN_bn2binpad(n, raw + 1, 32);
	len = (size_t)BN_num_bytes(n);
	if (BN_is_bit_set(n, (int)(8 * len - 1)))
		len++;
	out[0] = 2;
	out[1] = (uint8_t)len;
	memcpy(out + 2, raw + 33 - len, len);
	return len + 2;
}

/* One submission: the digest is a hash of its number. */
static void
put_submission(struct load *l, uint64_t number, struct buf *out)
{
	uint8_t seed[16] = "load entry", der[80];
	struct hash digest;
	size_t len;

	memcpy(seed + 8, &number, sizeof(number));
	sha256(&l->hasher, BYTES_OF(seed), &digest);
	(void)BN_bin2bn(digest.b, HASH_LEN, l->z);
	(void)BN_mod_mul(l->s, l->r, l->d, l->n, l->bn);
	(void)BN_mod_add(l->s, l->s, l->z, l->n, l->bn);
	(void)BN_mod_mul(l->s, l->s, l->kinv, l->n, l->bn);
	len = put_integer(der + 2, l->r);
	len += put_integer(der + 2 + len, l->s);
	der[0] = 0x30;
	der[1] = (uint8_t)len;
	buf_put_str(out, "{\"hashedRekordRequestV002\":{\"digest\":\"");
	base64_put(out, hash_bytes(&digest));
	buf_put_str(out, "\",\"signature\":{\"content\":\"");
	base64_put(out, bytes_of(der, len + 2));
	buf_put_str(out, "\",\"verifier\":{");
	buf_put(out, buf_bytes(&l->verifier));
	buf_put_str(out, ",\"keyDetails\":\"PKIX_ECDSA_P256_SHA_256\"}}}}");
}

static void
build_request(struct load *l, struct client *c)
{
	AUTO(buf) body = BUF_INIT(REQUEST_MAX);
	size_t lines = l->o.batch ? l->o.batch : 1;

	c->number = l->o.first + l->next;
	for (size_t i = 0; i < lines; i++) {
		put_submission(l, c->number + i, &body);
		if (l->o.batch)
			buf_put_u8(&body, '\n');
	}
	l->next += lines;
	buf_clear(&c->out);
	buf_printf(&c->out,
	    "POST %s HTTP/1.1\r\nHost: %s\r\nContent-Type: "
	    "application/json\r\nContent-Length: %zu\r\n\r\n",
	    l->o.batch ? "/api/v1/batch" : "/api/v2/log/entries", l->o.host,
	    body.len);
	buf_put(&c->out, buf_bytes(&body));
	if (c->out.failed)
		die("request too large");
}

static void
verify_sample(struct load *l, const struct client *c, struct bytes json)
{
	AUTO(buf) request = BUF_INIT(REQUEST_MAX);
	AUTO(buf) leaf = BUF_INIT(UINT16_MAX);
	AUTO(entry) e = {0};
	AUTO(tle) t = {0};
	struct error err = {0};

	put_submission(l, c->number, &request);
	check(entry_request_parse(buf_bytes(&request), &e, &err), &err);
	entry_format(&e, &leaf);
	check(tle_parse(json, &t, &err), &err);
	check(tle_verify(&t, &l->log, buf_bytes(&leaf), &l->hasher,
		  l->key_verifier, &err),
	    &err);
	l->verified++;
}

static void
answered(struct load *l, struct client *c)
{
	size_t lines = l->o.batch ? l->o.batch : 1;
	unsigned status =
	    (unsigned)strtoul((const char *)c->in.ptr + 9, NULL, 10);
	struct bytes body = bytes_of(c->in.ptr + c->body_at, c->body_len);
	bool ok = status == (l->o.batch ? 200 : 201);

	if (l->latencies < l->o.entries)
		l->latency_ms[l->latencies++] =
		    (float)(now_ns() - c->since) / 1e6f;
	l->by_status[status < 600 ? status : 0] += 1;
	if (!ok) {
		if (l->failed == 0)
			(void)fprintf(stderr, "load: %u: %.*s\n", status,
			    (int)(body.len > 300 ? 300 : body.len), body.ptr);
		l->failed += lines;
	} else if (l->done / SAMPLE != (l->done + lines) / SAMPLE &&
	    !l->o.batch && l->o.vkey) {
		verify_sample(l, c, body);
	}
	l->done += lines;
	c->busy = false;
}

static void
connect_client(struct load *l, struct client *c, bool again)
{
	struct sockaddr_in a = {
	    .sin_family = AF_INET,
	    .sin_port = htons((uint16_t)l->o.port),
	};
	struct epoll_event e = {.events = EPOLLIN, .data.ptr = c};
	int one = 1;

	if (again)
		(void)close(c->fd);
	(void)inet_pton(AF_INET, l->o.host, &a.sin_addr);
	c->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (c->fd < 0 || connect(c->fd, (struct sockaddr *)&a, sizeof(a)) < 0)
		die("connect");
	(void)setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	(void)fcntl(c->fd, F_SETFL, O_NONBLOCK);
	if (epoll_ctl(l->epoll, EPOLL_CTL_ADD, c->fd, &e) < 0)
		die("epoll");
	buf_init(&c->out, REQUEST_MAX + 1024);
	buf_init(&c->in, ANSWER_MAX);
}

static void
want_write(struct load *l, struct client *c, bool on)
{
	struct epoll_event e = {
	    .events = EPOLLIN | (on ? (unsigned)EPOLLOUT : 0),
	    .data.ptr = c,
	};

	(void)epoll_ctl(l->epoll, EPOLL_CTL_MOD, c->fd, &e);
}

static void
send_more(struct load *l, struct client *c)
{
	ssize_t n = write(c->fd, c->out.ptr + c->sent, c->out.len - c->sent);

	if (n < 0 && errno != EAGAIN)
		die("write");
	if (n > 0)
		c->sent += (size_t)n;
	if (c->sent < c->out.len)
		want_write(l, c, true);
}

static void
next_request(struct load *l, struct client *c)
{
	if (l->next >= l->o.entries)
		return;
	build_request(l, c);
	c->sent = 0;
	c->busy = true;
	c->body_at = 0;
	buf_clear(&c->in);
	c->since = now_ns();
	send_more(l, c);
}

/* Whether the whole answer is in c->in. */
static bool
whole_answer(struct client *c)
{
	if (c->body_at == 0) {
		char *end, *len;

		if (!buf_reserve(&c->in, 1))
			die("answer too large");
		c->in.ptr[c->in.len] = '\0';
		end = strstr((char *)c->in.ptr, "\r\n\r\n");
		if (!end)
			return false;
		len = strcasestr((char *)c->in.ptr, "content-length:");
		if (!len || len > end)
			die("no Content-Length");
		c->body_at = (size_t)(end - (char *)c->in.ptr) + 4;
		c->body_len = strtoul(len + 15, NULL, 10);
	}
	return c->in.len >= c->body_at + c->body_len;
}

static void
receive(struct load *l, struct client *c)
{
	uint8_t *p = buf_reserve(&c->in, 16384);
	ssize_t n;

	if (!p)
		die("answer too large");
	n = read(c->fd, p, 16384);
	if (n < 0 && errno == EAGAIN)
		return;
	if (n <= 0) {
		if (c->busy) {
			l->failed++;
			l->by_status[0]++;
			l->done += l->o.batch ? l->o.batch : 1;
			c->busy = false;
		}
		connect_client(l, c, true);
		next_request(l, c);
		return;
	}
	buf_grow(&c->in, (size_t)n);
	if (whole_answer(c)) {
		answered(l, c);
		if (l->o.rate == 0)
			next_request(l, c);
	}
}

/* With a rate: idle clients get work as time passes. */
static void
feed(struct load *l)
{
	uint64_t due = (now_ns() - l->started_ns) / 1000 * l->o.rate / 1000000;

	for (size_t i = 0; i < l->o.clients && l->next < due; i++)
		if (!l->clients[i].busy)
			next_request(l, &l->clients[i]);
}

static void
run(struct load *l)
{
	uint64_t limit;
	struct epoll_event events[256];

	l->started_ns = now_ns();
	limit = l->started_ns + (uint64_t)l->o.timeout_s * 1000000000u;
	for (size_t i = 0; i < l->o.clients && l->o.rate == 0; i++)
		next_request(l, &l->clients[i]);
	while (l->done < l->o.entries && now_ns() < limit) {
		int n = epoll_wait(l->epoll, events, 256, l->o.rate ? 1 : 1000);

		for (int i = 0; i < n; i++) {
			struct client *c = events[i].data.ptr;

			if (events[i].events & EPOLLOUT) {
				want_write(l, c, false);
				send_more(l, c);
			}
			if (events[i].events & (EPOLLIN | EPOLLHUP))
				receive(l, c);
		}
		if (l->o.rate)
			feed(l);
	}
	l->ended_ns = now_ns();
}

static int
by_value(const void *a, const void *b)
{
	float x = *(const float *)a, y = *(const float *)b;

	return (x > y) - (x < y);
}

static double
percentile(const struct load *l, double p)
{
	size_t i = (size_t)((double)l->latencies * p);

	return l->latencies
	    ? (double)l->latency_ms[i < l->latencies ? i : l->latencies - 1]
	    : 0;
}

static int
report(struct load *l)
{
	double s = (double)(l->ended_ns - l->started_ns) / 1e9;

	qsort(l->latency_ms, l->latencies, sizeof(float), by_value);
	(void)printf("{\"clients\":%zu,\"batch\":%zu,\"entries\":%llu,"
		     "\"failed\":%llu,\"seconds\":%.3f,\"rate\":%.0f,"
		     "\"p50_ms\":%.3f,\"p90_ms\":%.3f,\"p99_ms\":%.3f,"
		     "\"max_ms\":%.3f,\"verified\":%llu}\n",
	    l->o.clients, l->o.batch, (unsigned long long)l->done,
	    (unsigned long long)l->failed, s, (double)(l->done - l->failed) / s,
	    percentile(l, 0.5), percentile(l, 0.9), percentile(l, 0.99),
	    percentile(l, 1), (unsigned long long)l->verified);
	return l->failed > 0 || l->done < l->o.entries;
}

static void
read_options(struct options *o, int argc, char **argv)
{
	static const struct option longs[] = {
	    {"port", required_argument, NULL, 'p'},
	    {"clients", required_argument, NULL, 'c'},
	    {"entries", required_argument, NULL, 'n'},
	    {"batch", required_argument, NULL, 'b'},
	    {"first", required_argument, NULL, 'f'},
	    {"rate", required_argument, NULL, 'r'},
	    {"x509", no_argument, NULL, 'x'},
	    {"vkey", required_argument, NULL, 'v'},
	    {"timeout", required_argument, NULL, 't'},
	    {0},
	};
	int c;

	*o = (struct options){.host = "127.0.0.1",
	    .clients = 1,
	    .entries = 1000,
	    .timeout_s = 600};
	while ((c = getopt_long(argc, argv, "", longs, NULL)) != -1) {
		unsigned long long n = optarg ? strtoull(optarg, NULL, 10) : 0;

		switch (c) {
		case 'p':
			o->port = (unsigned)n;
			break;
		case 'c':
			o->clients = (size_t)n;
			break;
		case 'n':
			o->entries = n;
			break;
		case 'b':
			o->batch = (size_t)n;
			break;
		case 'f':
			o->first = n;
			break;
		case 'r':
			o->rate = (unsigned)n;
			break;
		case 'x':
			o->x509 = true;
			break;
		case 'v':
			o->vkey = optarg;
			break;
		case 't':
			o->timeout_s = (unsigned)n;
			break;
		default:
			(void)fputs("usage: load --port P [--clients N] "
				    "[--entries N] [--batch K] [--first N] "
				    "[--rate R] [--x509] [--vkey V] "
				    "[--timeout S]\n",
			    stderr);
			exit(2);
		}
	}
}

int
main(int argc, char **argv)
{
	static struct load l;
	struct error err = {0};

	read_options(&l.o, argc, argv);
	check(hasher_open(&l.hasher, &err), &err);
	l.key_verifier = key_verifier_open(&err);
	check(l.key_verifier != NULL, &err);
	if (l.o.vkey)
		check(vkey_parse(bytes_str(l.o.vkey), &l.log, &err), &err);
	make_key(&l);
	l.epoll = epoll_create1(EPOLL_CLOEXEC);
	l.clients = calloc(l.o.clients, sizeof(*l.clients));
	l.latency_ms = calloc(l.o.entries + 1, sizeof(float));
	if (!l.clients || !l.latency_ms)
		die("memory");
	for (size_t i = 0; i < l.o.clients; i++)
		connect_client(&l, &l.clients[i], false);
	run(&l);
	return report(&l);
}
