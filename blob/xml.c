/* SPDX-License-Identifier: Apache-2.0 */
/* xml.c - bounded XML on expat; the only file that includes expat.h. */
#include "blob/xml.h"
#include "blob/str.h"
#include <expat.h>
#include <stdlib.h>

enum { ATTRIBUTES_MAX = 16, PIECE = 64 << 10 };

struct level {
	char name[XML_NAME_MAX + 1];
	bool encoded;
};

struct parser {
	XML_Parser expat;
	const struct xml_events *ev;
	void *arg;
	struct level level[XML_DEPTH_MAX + 1]; /* 0 is what the root lies in */
	int depth;
	struct str text;
	bool leaf; /* no child since the last start: text belongs to the innermost element */
	int rc;
};

static void stop(struct parser *p, int rc)
{
	if (p->rc == 0)
		p->rc = rc;
	XML_StopParser(p->expat, XML_FALSE);
}

static struct xml_element element(const struct parser *p)
{
	return (struct xml_element){
		.name = p->level[p->depth].name,
		.parent = p->level[p->depth - 1].name,
		.depth = p->depth,
		.text = p->leaf ? str_get(&p->text) : "",
		.encoded = p->level[p->depth].encoded,
	};
}

static void XMLCALL on_start(void *arg, const XML_Char *name, const XML_Char **attr)
{
	struct parser *p = arg;
	struct level *l;
	struct xml_element e;
	int rc;

	if (p->rc)
		return; /* expat may still call after a stop */
	if (p->depth == XML_DEPTH_MAX || strlen(name) > XML_NAME_MAX) {
		stop(p, -EBADMSG);
		return;
	}
	l = &p->level[++p->depth];
	memcpy(l->name, name, strlen(name) + 1);
	l->encoded = false;
	for (int i = 0; attr[i]; i += 2) {
		if (i / 2 == ATTRIBUTES_MAX) {
			stop(p, -EBADMSG);
			return;
		}
		if (strcmp(attr[i], "Encoded") == 0 && strcmp(attr[i + 1], "true") == 0)
			l->encoded = true;
	}
	str_clear(&p->text);
	p->leaf = true;
	if (!p->ev->start)
		return;
	e = element(p);
	e.text = "";
	rc = p->ev->start(p->arg, &e);
	if (rc)
		stop(p, rc);
}

static void XMLCALL on_end(void *arg, const XML_Char *name)
{
	struct parser *p = arg;
	struct xml_element e;
	int rc = 0;

	(void)name;
	if (p->rc) /* so does the end of an empty element whose start was refused */
		return;
	e = element(p);
	if (p->ev->end)
		rc = p->ev->end(p->arg, &e);
	p->depth--;
	p->leaf = false;
	if (rc)
		stop(p, rc);
}

static void XMLCALL on_text(void *arg, const XML_Char *s, int len)
{
	struct parser *p = arg;

	if (p->rc || !p->leaf)
		return; /* blanks between elements */
	str_add(&p->text, s, (size_t)len);
	if (p->text.failed)
		stop(p, p->text.failed == -ENOMEM ? -ENOMEM : -EBADMSG);
}

static void XMLCALL on_doctype(void *arg, const XML_Char *name, const XML_Char *sysid,
			       const XML_Char *pubid, int internal)
{
	(void)name, (void)sysid, (void)pubid, (void)internal;
	stop(arg, -EBADMSG);
}

/* In pieces: expat's lengths are ints, and a stop takes effect between them at the latest. */
static int feed(struct parser *p, const char *data, size_t len)
{
	do {
		size_t n = min_u64(len, PIECE);

		if (XML_Parse(p->expat, data, (int)n, n == len) != XML_STATUS_OK) {
			if (p->rc)
				return p->rc;
			return XML_GetErrorCode(p->expat) == XML_ERROR_NO_MEMORY ? -ENOMEM
										 : -EBADMSG;
		}
		data += n;
		len -= n;
	} while (len);
	return p->rc;
}

int xml_parse(const void *data, size_t len, const struct xml_events *ev, void *arg)
{
	struct parser *p = calloc(1, sizeof(*p));
	int rc = -ENOMEM;

	if (!p)
		return -ENOMEM;
	p->ev = ev;
	p->arg = arg;
	p->text.max = XML_TEXT_MAX;
	p->expat = XML_ParserCreate("UTF-8"); /* whatever the document says of itself */
	if (p->expat) {
		XML_SetUserData(p->expat, p);
		XML_SetElementHandler(p->expat, on_start, on_end);
		XML_SetCharacterDataHandler(p->expat, on_text);
		XML_SetStartDoctypeDeclHandler(p->expat, on_doctype);
		rc = len ? feed(p, data, len) : -EBADMSG;
		XML_ParserFree(p->expat);
	}
	str_fini(&p->text);
	free(p);
	return rc;
}
