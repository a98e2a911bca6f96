/* SPDX-License-Identifier: Apache-2.0 */
/* The XML of both services' lists: as they write it, and as nobody should. */
#include "blob/azure_int.h"
#include "blob/s3_int.h"
#include "tests/unit/unit.h"

static char out[4096], marker[BLOB_MARKER_MAX];

static int note(void *arg, const struct blob_entry *e)
{
	size_t n = strlen(out);

	(void)arg;
	if (e->is_prefix)
		snprintf(out + n, sizeof(out) - n, "%s*;", e->name);
	else
		snprintf(out + n, sizeof(out) - n, "%s %llu %lld %s%s%s;", e->name,
			 (unsigned long long)e->props->size, (long long)e->props->mtime,
			 e->props->etag, e->props->is_dir ? " dir" : "",
			 e->props->meta.n ? e->props->meta.v[0].value : "");
	return 0;
}

typedef int parse_fn(const char *xml, size_t len, blob_entry_fn *fn, void *arg,
		     char marker[BLOB_MARKER_MAX]);

static int parse(parse_fn *fn, const char *text)
{
	uint8_t *copy = exact_copy(text, strlen(text));
	int rc;

	out[0] = 0;
	rc = fn((char *)copy, strlen(text), note, NULL, marker);
	free(copy);
	return rc;
}

#define PROPS                                                                                      \
	"<Properties><Last-Modified>Wed, 21 Oct 2015 07:28:00 GMT</Last-Modified><Etag>0x1</Etag>" \
	"<Content-Length>7</Content-Length></Properties>"
#define AZURE(x)                                                                                   \
	"<?xml version=\"1.0\"?><EnumerationResults ServiceEndpoint=\"x\"><Blobs>" x               \
	"</Blobs><NextMarker>m1</NextMarker></EnumerationResults>"

static void azures_page(void **state)
{
	(void)state;
	assert_int_equal(parse(azure_parse_page,
			       AZURE("<Blob><Name>a/b</Name>" PROPS
				     "<Metadata><hdi_isfolder>true</hdi_isfolder></Metadata></Blob>"
				     "<Blob><Name Encoded=\"true\">c%20%EF%BF%BE</Name>" PROPS
				     "<Metadata /></Blob>"
				     "<BlobPrefix><Name>d/</Name></BlobPrefix>")),
			 0);
	assert_string_equal(
		out, "a/b 7 1445412480 \"0x1\" dirtrue;c \xef\xbf\xbe 7 1445412480 \"0x1\";d/*;");
	assert_string_equal(marker, "m1");
}

#define CONTENTS                                                                                   \
	"<LastModified>2015-10-21T07:28:00.000Z</LastModified><ETag>&quot;e&quot;</ETag><Size>7</" \
	"Size>"

static void s3s_page(void **state)
{
	(void)state;
	assert_int_equal(
		parse(s3_parse_page,
		      "<ListBucketResult "
		      "xmlns='x'><EncodingType>url</EncodingType><IsTruncated>true</IsTruncated>"
		      "<Contents><Key>a%2Bb/%01</Key>" CONTENTS
		      "<Owner><ID>x</ID></Owner></Contents>"
		      "<CommonPrefixes><Prefix>d%20/</Prefix></CommonPrefixes>"
		      "<NextContinuationToken>t1</NextContinuationToken></ListBucketResult>"),
		0);
	assert_string_equal(out, "a+b/\001 7 1445412480 \"e\";d /*;");
	assert_string_equal(marker, "t1");
	assert_int_equal(parse(s3_parse_page,
			       "<ListBucketResult><IsTruncated>false</"
			       "IsTruncated><NextContinuationToken>old</NextContinuationToken>"
			       "<Contents><Key>a%2Bb</Key>" CONTENTS
			       "</Contents></ListBucketResult>"),
			 0);
	assert_string_equal(out, "a%2Bb 7 1445412480 \"e\";");
	assert_string_equal(marker, "");
}

static void hostile_pages_are_refused(void **state)
{
	static const char *const azure[] = {
		AZURE("<Blob><Name>a</Name></Blob>"),
		AZURE("<Blob>" PROPS "</Blob>"),
		AZURE("<Blob><Name></Name>" PROPS "</Blob>"),
		AZURE("<BlobPrefix></BlobPrefix>"),
		AZURE("<Blob><Name>a</Name><Properties><Content-Length>-1</Content-Length></"
		      "Properties></Blob>"),
		AZURE("<Blob><Name>a</Name><Properties><Last-Modified>x</Last-Modified></"
		      "Properties></Blob>"),
		AZURE("<Blob><Name>a</Name><Properties><Content-Length>99999999999999999999</"
		      "Content-Length></Properties></Blob>"),
		AZURE("<Blob><Name>a</Name>" PROPS "</Blob") "x",
	};
	static const char *const s3[] = {
		"<ListBucketResult><Contents><Key>a</Key></Contents></ListBucketResult>",
		"<ListBucketResult><Contents>" CONTENTS "</Contents></ListBucketResult>",
		"<ListBucketResult><Contents><Key>a</Key><Size>x</Size></Contents></"
		"ListBucketResult>",
		"<ListBucketResult><Contents><Key>a</Key><LastModified>x</LastModified></"
		"Contents></ListBucketResult>",
		"<ListBucketResult><IsTruncated>true</IsTruncated></ListBucketResult>",
		"<ListBucketResult><Contents><Key>a</Key>" CONTENTS,
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(azure); i++)
		assert_int_equal(parse(azure_parse_page, azure[i]), -EBADMSG);
	for (size_t i = 0; i < ARRAY_SIZE(s3); i++)
		assert_int_equal(parse(s3_parse_page, s3[i]), -EBADMSG);
}

static void a_name_does_not_stay_for_the_next(void **state)
{
	(void)state;
	/* The second has no size: it must not get that of the first. */
	assert_int_equal(parse(azure_parse_page, AZURE("<Blob><Name>a</Name>" PROPS
						       "</Blob><Blob><Name>b</Name></Blob>")),
			 -EBADMSG);
	assert_string_equal(out, "a 7 1445412480 \"0x1\";");
	assert_int_equal(parse(s3_parse_page, "<L><Contents><Key>a</Key>" CONTENTS
					      "</Contents><Contents>" CONTENTS "</Contents></L>"),
			 -EBADMSG);
	assert_string_equal(out, "a 7 1445412480 \"e\";");
}

static int note_block(void *arg, const char *id, uint64_t size)
{
	size_t n = strlen(out);

	(void)arg;
	snprintf(out + n, sizeof(out) - n, "%s %llu;", id, (unsigned long long)size);
	return 0;
}

static void azures_blocks(void **state)
{
	const char *xml = "<BlockList><CommittedBlocks><Block><Name>YQ==</Name><Size>1</Size></"
			  "Block></CommittedBlocks>"
			  "<UncommittedBlocks><Block><Name>YWI=</Name><Size>2</Size></"
			  "Block><Block><Name>?</Name></Block></UncommittedBlocks></BlockList>";

	(void)state;
	out[0] = 0;
	assert_int_equal(azure_parse_blocks(xml, strlen(xml), "CommittedBlocks", note_block, NULL),
			 0);
	assert_string_equal(out, "a 1;");
	out[0] = 0;
	assert_int_equal(
		azure_parse_blocks(xml, strlen(xml), "UncommittedBlocks", note_block, NULL), 0);
	assert_string_equal(out, "ab 2; 0;");
}

static int note_part(void *arg, uint64_t number, const char *etag, uint64_t size)
{
	size_t n = strlen(out);

	(void)arg;
	snprintf(out + n, sizeof(out) - n, "%llu %s %llu;", (unsigned long long)number, etag,
		 (unsigned long long)size);
	return 0;
}

static void s3s_parts(void **state)
{
	const char *xml = "<ListPartsResult><IsTruncated>true</"
			  "IsTruncated><NextPartNumberMarker>7</NextPartNumberMarker>"
			  "<Part><PartNumber>3</PartNumber><ETag>\"x\"</ETag><Size>5</Size></"
			  "Part></ListPartsResult>";
	const char *end = "<L><IsTruncated>false</IsTruncated><NextPartNumberMarker>7</"
			  "NextPartNumberMarker></L>";
	const char *bad = "<L><Part><PartNumber>3</PartNumber></Part></L>";
	const char *endless = "<L><IsTruncated>true</IsTruncated></L>";
	uint64_t next;

	(void)state;
	out[0] = 0;
	assert_int_equal(s3_parse_parts(xml, strlen(xml), note_part, NULL, &next), 0);
	assert_string_equal(out, "3 \"x\" 5;");
	assert_int_equal(next, 7);
	assert_int_equal(s3_parse_parts(end, strlen(end), note_part, NULL, &next), 0);
	assert_int_equal(next, 0);
	assert_int_equal(s3_parse_parts(bad, strlen(bad), note_part, NULL, &next), -EBADMSG);
	assert_int_equal(s3_parse_parts(endless, strlen(endless), note_part, NULL, &next),
			 -EBADMSG);
}

static void faults_with_and_without_sense(void **state)
{
	static const char good[] = "<?xml version='1.0'?><Error><Code>NoSuchKey</Code><Message>not "
				   "&lt;there&gt;</Message><Resource>x</Resource></Error>";
	struct str body = STR_INIT;
	char code[10], message[16];

	(void)state;
	str_puts(&body, good);
	call_parse_fault(&body, code, sizeof(code), message, sizeof(message));
	assert_string_equal(code, "NoSuchKey");
	assert_string_equal(message, "not <there>");
	str_clear(&body);
	str_puts(&body, "<html><body>502 Bad Gateway");
	call_parse_fault(&body, code, sizeof(code), message, sizeof(message));
	assert_string_equal(code, "");
	assert_string_equal(message, "");
	str_fini(&body);
	call_parse_fault(&body, code, sizeof(code), message, sizeof(message));
	assert_string_equal(code, "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(azures_page),
		cmocka_unit_test(s3s_page),
		cmocka_unit_test(hostile_pages_are_refused),
		cmocka_unit_test(a_name_does_not_stay_for_the_next),
		cmocka_unit_test(azures_blocks),
		cmocka_unit_test(s3s_parts),
		cmocka_unit_test(faults_with_and_without_sense),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
