/* SPDX-License-Identifier: Apache-2.0 */
/* seq.c - FIDs for new files, from sequences that the MDS gives to this lane.
 * A sequence that is not used up when the client ends is lost; there are 2^46 of them. */
#include "client/core/core.h"

int seq_co_fid(struct lane *ln, struct fid *out)
{
	int rc = 0;

	co_mutex_lock(&ln->seq_lock);
	if (!ln->next_fid.seq || ln->next_fid.oid > FID_OID_MAX) {
		struct mds_alloc_seq_req q = {};
		struct mds_alloc_seq_rep p;
		uint64_t tag = fiber_tag();
		RPC_CALL(call);

		/* A sequence is for others as well: it is never asked for again. */
		fiber_set_tag(0);
		rc = mds_co_alloc_seq(ln->mdt->imp, &call, &q, &p);
		fiber_set_tag(tag);
		if (rc == 0)
			ln->next_fid = (struct fid){p.seq, 1, 0};
	}
	if (rc == 0 && !fid_is_normal(&ln->next_fid))
		rc = -EPROTO;
	if (rc == 0) {
		*out = ln->next_fid;
		ln->next_fid.oid++;
	}
	co_mutex_unlock(&ln->seq_lock);
	return rc;
}
