/* SPDX-License-Identifier: Apache-2.0 */
/* seeds.c - writes first inputs for every fuzz target: `seeds DIR` fills DIR/<target>/.
 *
 * They are real encodings: every message with plausible fields, layouts in both forms, whole
 * frames, labels and texts as people write them. Generated, so they follow the protocol when it
 * grows.
 */
#include "common/layout.h"
#include "common/log.h"
#include "common/lov.h"
#include "common/proto/proto.h"
#include "common/wire.h"
#include "mds/schema.h"
#include "oss/object.h"
#include "tests/fuzz/fuzz.h"
#include <sys/stat.h>

static const char *dir;

static void save(const char *target, const char *name, const void *ptr, size_t len)
{
	char path[4096];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", dir, target);
	mkdir(path, 0777);
	snprintf(path, sizeof(path), "%s/%s/%s", dir, target, name);
	f = fopen(path, "w");
	if (!f || fwrite(ptr, 1, len, f) != len || fclose(f))
		die("%s: %s", path, err_str(errno));
}

static void put_int(struct wbuf *w, uint64_t v, uint32_t bytes)
{
	while (bytes--) {
		uint8_t b = (uint8_t)(v >> 8 * bytes);

		wbuf_put(w, &b, 1);
	}
}

/* Appends one plausible value of a field's type. */
static void put_field(struct wbuf *w, const char *type)
{
	const struct fid fid = {FID_SEQ_NORMAL + 1, 7, 0};
	const struct span text = SPAN_STR("some-name");
	const uint64_t num = 0x10001;
	const struct attr attr = {.mode = 0100644, .nlink = 1, .size = 4711};

	if (!strcmp(type, "fid"))
		enc_fid(w, &fid);
	else if (!strcmp(type, "attr"))
		enc_attr(w, &attr);
	else if (strstr(type, "name") || !strcmp(type, "str") || !strcmp(type, "blob"))
		enc_blob(w, &text);
	else if (!strcmp(type, "u8"))
		wbuf_put(w, &num, 1);
	else if (!strcmp(type, "u16"))
		wbuf_put(w, &num, 2);
	else if (!strcmp(type, "u32") || !strcmp(type, "i32"))
		wbuf_put(w, &num, 4);
	else if (!strcmp(type, "u64") || !strcmp(type, "i64"))
		wbuf_put(w, &num, 8);
	else
		die("seeds: unknown field type %s", type);
}

/* fields: " fid:parent name:name" */
static void put_fields(struct wbuf *w, const char *fields)
{
	char copy[2048], *at = copy, *tok;

	snprintf(copy, sizeof(copy), "%s", fields);
	while ((tok = strsep(&at, " "))) {
		char *colon = strchr(tok, ':');

		if (!colon)
			continue;
		*colon = 0;
		put_field(w, tok);
	}
}

static void save_frame(const struct rpc_desc *d, struct span body)
{
	uint8_t mem[8192] = {1};
	struct wire_hdr h = {.version = WIRE_VERSION, .rpc = d->nr, .xid = 1, .session = 2,
			     .body_len = body.len};
	char name[64];

	if (d->flags & RPC_BULK_IN)
		h.bulk_len = 100;
	if (1 + WIRE_HDR_LEN + body.len + h.bulk_len > sizeof(mem))
		return;
	mem[0] = 0; /* no flags: as it is */
	wire_enc(&h, body.ptr, mem + 1);
	memcpy(mem + 1 + WIRE_HDR_LEN, body.ptr, body.len);
	snprintf(name, sizeof(name), "%s_%s", d->service, d->name);
	save("fuzz_frame", name, mem, 1 + WIRE_HDR_LEN + body.len + h.bulk_len);
}

static void save_message(const struct rpc_desc *d, void *arg)
{
	(void)arg;
	for (int reply = 0; reply < 2; reply++) {
		struct wbuf w;
		char name[64];

		wbuf_init(&w, MAX_BODY);
		put_int(&w, d->nr, 2);
		put_int(&w, (uint64_t)reply, 1);
		put_fields(&w, reply ? d->rep_fields : d->req_fields);
		snprintf(name, sizeof(name), "%s_%s_%s", d->service, d->name,
			 reply ? "rep" : "req");
		save("fuzz_messages", name, w.ptr, w.len);
		if (!reply)
			save_frame(d, (struct span){w.ptr + 3, w.len - 3});
		wbuf_fini(&w);
	}
}

#define RECORD_TEXT(t, n) " " #t ":" #n
#define RECORD_SEED(nm) {#nm, "" STRUCT_##nm(RECORD_TEXT)},
static const struct {
	const char *name, *fields;
} records[] = {ALL_STRUCTS(RECORD_SEED)};

static void save_records(void)
{
	for (uint32_t i = 0; i < ARRAY_SIZE(records); i++) {
		struct wbuf w;

		wbuf_init(&w, MAX_BODY);
		put_int(&w, 10000 + i, 2);
		put_int(&w, 0, 1);
		put_fields(&w, records[i].fields);
		save("fuzz_messages", records[i].name, w.ptr, w.len);
		wbuf_fini(&w);
	}
}

static void save_layout(const char *name, const struct layout *l)
{
	const struct fid fid = {FID_SEQ_NORMAL + 1, 7, 0};
	char file[64];

	for (int lustre = 0; lustre < 2; lustre++) {
		struct wbuf w;
		int rc = 0;

		wbuf_init(&w, MAX_LAYOUT_BLOB);
		put_int(&w, (uint64_t)lustre, 1);
		put_int(&w, 5 * MIB + 13, 8);
		put_int(&w, 9 * MIB, 8);
		if (lustre)
			rc = lov_enc(&w, l, &fid);
		else
			rc = layout_enc(&w, l);
		if (rc)
			die("seeds: layout %s: %s", name, err_str(rc));
		snprintf(file, sizeof(file), "%s_%s", name, lustre ? "lov" : "own");
		save("fuzz_layout", file, w.ptr, w.len);
		wbuf_fini(&w);
	}
}

static void save_layouts(void)
{
	static const uint32_t ost[] = {0, 1, 2, 3};
	struct layout *l;

	if (layout_plain(1 << 20, 4, -1, "", ost, &l))
		die("seeds: no layout");
	save_layout("four", l);
	layout_free(l);
	if (layout_plain(0, -1, 2, "flash", NULL, &l))
		die("seeds: no layout");
	save_layout("wish", l);
	layout_free(l);
}

static void save_text(int what, const char *name, const char *text)
{
	char buf[4096];
	int n = snprintf(buf, sizeof(buf), "%c%s", what, text);

	save("fuzz_records", name, buf, (size_t)n);
}

static void save_texts(void)
{
	save_text(1, "label", "version=1\ntype=OST\nfsname=lustre\nindex=3\n"
		  "uuid=00112233-4455-6677-8899-aabbccddeeff\nmgsnode=10.0.0.1@tcp\nservicenode=\n"
		  "port=990\nregistered=1\nparam=obdfilter.*.degraded=1\n");
	save_text(3, "target", "lustre-OST000a");
	save_text(4, "nids", "10.0.0.1@tcp:23700,10.0.0.2@tcp:10.0.0.3@tcp0:988");
	save_text(4, "source", "10.0.0.1@tcp,::1@tcp:23700:/lustre/a/b");
	save_text(5, "param_get", "osc.*.{stats,max_rpcs_in_flight}");
	save_text(5, "param_set", "osc/lustre-OST000[0-9]*/max_rpcs_in_flight=16");
	save_text(6, "fid", "[0x200000401:0x1:0x0]");
	save_text(7, "object_path", "O/200000401/ab/1f2ab.1.1999");
}

static void save_tables(void)
{
	struct object_record rec = {.fid = {FID_SEQ_NORMAL + 1, 7, 0}, .comp = 1, .stripe = 2};
	struct wbuf w;

	for (uint32_t i = 0; i < MDS_NTABLES; i++) {
		wbuf_init(&w, MAX_BODY);
		put_int(&w, 0, 1);
		put_int(&w, i, 1);
		put_fields(&w, mds_table_texts[i].value);
		save("fuzz_records", mds_table_texts[i].name, w.ptr, w.len);
		wbuf_fini(&w);
	}
	wbuf_init(&w, MAX_BODY);
	put_int(&w, 2, 1);
	object_record_enc(&w, &rec);
	save("fuzz_records", "object_record", w.ptr, w.len);
	wbuf_fini(&w);
}

/* Answers of blob services: which parser, then the text. */
static void save_blob(void)
{
	static const struct {
		uint8_t which;
		const char *text;
	} seeds[] = {
		{0, "HTTP/1.1 206 X\r\nETag: \"x\"\r\nRetry-After: 7\r\nContent-Range: bytes "
		    "0-9/100\r\n"
		    "Last-Modified: Wed, 21 Oct 2015 07:28:00 GMT\r\n\r\n"},
		{1, "https://a.b:80/c?sig=x&se=2015-10-21T07%3A28%3A00Z Bearer x AccountKey=Zm9v"},
		{1, "{\"access_token\":\"ey.J\",\"expires_in\":\"3599\",\"expires_on\":5}"},
		{2, "<?xml version='1.0'?><Error><Code>NoSuchKey</Code><Message>m "
		    "&lt;</Message></Error>"},
		{3, "<EnumerationResults><Blobs><Blob><Name "
		    "Encoded='true'>a%20</Name><Properties><Last-Modified>"
		    "Wed, 21 Oct 2015 07:28:00 "
		    "GMT</Last-Modified><Etag>0x1</Etag><Content-Length>7</Content-Length>"
		    "<Content-MD5>XrY7u+Ae7tCTyyK7j1rNww==</Content-MD5></"
		    "Properties><Metadata><a>b</a></Metadata></Blob>"
		    "<BlobPrefix><Name>c/</Name></BlobPrefix></Blobs><NextMarker>m</NextMarker></"
		    "EnumerationResults>"},
		{4, "<ListBucketResult><EncodingType>url</EncodingType><IsTruncated>true</"
		    "IsTruncated><Contents><Key>a</Key>"
		    "<LastModified>2015-10-21T07:28:00.000Z</LastModified><ETag>&quot;e&quot;</"
		    "ETag><Size>7</Size></Contents>"
		    "<CommonPrefixes><Prefix>p/</Prefix></CommonPrefixes><NextContinuationToken>t</"
		    "NextContinuationToken>"
		    "</ListBucketResult>"},
		{5, "<BlockList><UncommittedBlocks><Block><Name>YWI=</Name><Size>2</Size></Block></"
		    "UncommittedBlocks></BlockList>"},
		{6, "<L><IsTruncated>true</IsTruncated><NextPartNumberMarker>7</"
		    "NextPartNumberMarker><Part><PartNumber>3"
		    "</PartNumber><ETag>x</ETag><Size>5</Size></Part></L>"},
	};

	for (uint32_t i = 0; i < ARRAY_SIZE(seeds); i++) {
		struct wbuf w;
		char name[16];

		wbuf_init(&w, MAX_BODY);
		put_int(&w, seeds[i].which, 1);
		wbuf_put(&w, seeds[i].text, (uint32_t)strlen(seeds[i].text));
		snprintf(name, sizeof(name), "seed%u", i);
		save("fuzz_blob", name, w.ptr, w.len);
		wbuf_fini(&w);
	}
}

int main(int argc, char **argv)
{
	if (argc != 2)
		die("usage: seeds DIR");
	dir = argv[1];
	mkdir(dir, 0777);
	rpc_desc_each(save_message, NULL);
	save_records();
	save_layouts();
	save_texts();
	save_tables();
	save_blob();
	return 0;
}
