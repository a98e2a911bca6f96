/* SPDX-License-Identifier: Apache-2.0 */
/* limits.h - every limit of Sheen that a user, a peer or a disk can meet, in one place.
 *
 * Sizes are bytes. Whoever lets data in (wire.c, the codecs, the option parsers) checks them.
 */
#pragma once

#define MAX_NAME 255		     /* one path component */
#define MAX_PATH 4096		     /* a symlink's target, a printed path */
#define MAX_FSNAME 8		     /* as Lustre: [-_a-zA-Z0-9]{1,8} */
#define MAX_POOL_NAME 15
#define MAX_TARGET_NAME 32	     /* "fsname-OST0000" */
#define MAX_OST_INDEX 0xffdf
#define MAX_STRIPES 2000
#define STRIPE_SIZE_UNIT 65536
#define STRIPE_SIZE_MAX (0x100000000ULL - STRIPE_SIZE_UNIT)
#define STRIPE_SIZE_DEFAULT (4U << 20)
#define MAX_LAYOUT_COMPS 64
#define MAX_LAYOUT_BLOB 65536	     /* encoded layout, any form */
#define MAX_XATTR_NAME 255
#define MAX_XATTR_VALUE 65536
#define MAX_XATTR_LIST 65536
#define XATTRS_SMALL 8192	     /* all of an inode, encoded: so much is told at once */
#define MAX_LINKS 65000
#define MAX_FILE_SIZE INT64_MAX
#define MAX_NIDS 8		     /* addresses of one server or one MGS list */
#define MAX_GROUPS 65536

#define MAX_BODY (256U << 10)	     /* body of a frame, either way */
#define MAX_BULK (4U << 20)	     /* bulk data of a frame */
#define MAX_BULK_IOV 128	     /* pieces of one bulk: 4 MiB over the smallest stripe, twice */
#define READDIR_BODY (64U << 10)     /* entries of one readdir reply */
#define READDIR_OPENS 256	     /* files that one readdir may open */
#define READDIR_LAYOUT 512	     /* with layouts up to this size */
#define MAX_PARAM_NAME 255
#define MAX_PARAM_TEXT (192U << 10)  /* values of one get_param reply */
#define MAX_CONN_INFLIGHT 64	     /* requests of one connection that a server works on at once */
#define SESSION_SLOTS 64	     /* modifying requests in flight of one connection */
