/* SPDX-License-Identifier: Apache-2.0 */
/* xml.h - answers of the services, parsed piece by piece without ever trusting them.
 *
 * Built on expat. A DOCTYPE is refused, so there are no entities but the five of XML itself;
 * elements may nest XML_DEPTH_MAX deep, a name and an element's text have a bound, attributes are
 * few. The parser keeps one text at a time, whatever the size of the document.
 *
 * The functions are called from within xml_parse(), on its stack: in a fiber they may suspend.
 */
#pragma once
#include "common/base.h"

#define XML_DEPTH_MAX 16
#define XML_NAME_MAX  256
#define XML_TEXT_MAX  (16U << 10)

struct xml_element {
	const char *name;   /* as written */
	const char *parent; /* "" for the root */
	int depth;          /* 1: the root */
	const char *text;   /* its own text, without that of its children; only at the end */
	bool encoded;       /* it had the attribute Encoded="true" (Azure: percent-encoding) */
};

struct xml_events {
	/* Return 0 to go on, anything else ends the parsing with that. NULL: not of interest. */
	int (*start)(void *arg, const struct xml_element *e);
	int (*end)(void *arg, const struct xml_element *e);
};

/* 0; -EBADMSG: not well-formed, a DOCTYPE, too deep, too long; -ENOMEM; or what a function gave. */
must_check int xml_parse(const void *data, size_t len, const struct xml_events *ev, void *arg);
