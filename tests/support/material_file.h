/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MTLOG_TESTS_SUPPORT_MATERIAL_FILE_H
#define MTLOG_TESTS_SUPPORT_MATERIAL_FILE_H

#include "core/base/json.h"
#include "tests/support/vector_file.h"

#define MATERIAL_FILE_MAX (4u << 20)
#define MATERIAL_MAX	  16

/* DER (certificates, tokens) out of the files of the public vectors. */
struct material {
	size_t count;
	struct bytes der[MATERIAL_MAX];
	struct buf storage[MATERIAL_MAX];
};

static inline void
material_release(struct material *m)
{
	for (size_t i = 0; i < MATERIAL_MAX; i++)
		buf_release(&m->storage[i]);
	m->count = 0;
}

static inline bool
material_add(struct material *m, struct bytes base64)
{
	struct buf *b = &m->storage[m->count];

	if (m->count == MATERIAL_MAX)
		return false;
	buf_init(b, MATERIAL_FILE_MAX);
	if (!base64_decode(base64, b))
		return false;
	m->der[m->count++] = buf_bytes(b);
	return true;
}

/* material_pem reads the blocks of a PEM file. */
static inline bool
material_pem(const char *path, struct material *out)
{
	AUTO(buf) file = BUF_INIT(MATERIAL_FILE_MAX);
	struct reader r;
	struct bytes line;

	if (!vector_read(path, &file))
		return false;
	reader_init(&r, buf_bytes(&file));
	while (reader_line(&r, &line)) {
		AUTO(buf) text = BUF_INIT(MATERIAL_FILE_MAX);

		if (!bytes_starts(line, BYTES_LIT("-----BEGIN ")))
			continue;
		while (reader_line(&r, &line) &&
		    !bytes_starts(line, BYTES_LIT("-----END ")))
			buf_put(&text, line);
		if (!material_add(out, buf_bytes(&text)))
			return false;
	}
	return true;
}

/* material_list reads member `name` of each object in a JSON list. */
static inline bool
material_list(const json_t *list, const char *name, struct material *out)
{
	for (size_t i = 0; i < json_array_size(list); i++)
		if (!material_add(out,
			json_text(
			    json_object_get(json_array_get(list, i), name))))
			return false;
	return true;
}

/* material_bundle reads the certificates of a Sigstore bundle: one or a
 * chain. */
static inline bool
material_bundle(const json_t *bundle, struct material *out)
{
	const json_t *m = json_object_get(bundle, "verificationMaterial");
	const json_t *one = json_object_get(m, "certificate");
	const json_t *chain = json_object_get(m, "x509CertificateChain");

	if (one)
		return material_add(
		    out, json_text(json_object_get(one, "rawBytes")));
	return material_list(
	    json_object_get(chain, "certificates"), "rawBytes", out);
}

/* material_json reads a whole JSON file; NULL if it is not there or not JSON.
 */
static inline json_t *
material_json(const char *path)
{
	AUTO(buf) file = BUF_INIT(MATERIAL_FILE_MAX);
	struct error err = {0};
	json_t *value = NULL;

	if (!vector_read(path, &file) ||
	    !json_parse(buf_bytes(&file), MATERIAL_FILE_MAX, &value, &err))
		return NULL;
	return value;
}

#endif
