/* SPDX-License-Identifier: Apache-2.0 */
/* mds_proto.h - what a metadata server answers.
 *
 * A `layout` in a reply is the encoding of layout.h; empty when the file has none, is no regular
 * file, or the client need not know (its size is sure and it did not open the file).
 * open_id names an open file of a session; the client picks it. Replies carry the attributes
 * after the operation; parent_attr are those of the directory that it changed. Times are of the MDS
 * unless the request gives them.
 */
#pragma once
/* clang-format off */
#define MDS_RPCS(X) \
	X(200, mds, lookup,      RPC_LOSABLE, "find a name in a directory") \
	X(201, mds, getattr,     RPC_LOSABLE, "attributes of an inode") \
	X(202, mds, setattr,     RPC_MODIFIES, "chmod, chown, utimens, truncate") \
	X(203, mds, create,      RPC_MODIFIES, "make a name with a new inode of any type, and open it if asked to") \
	X(204, mds, link,        RPC_MODIFIES, "give an inode another name") \
	X(205, mds, unlink,      RPC_MODIFIES, "remove a name (unlink or rmdir)") \
	X(206, mds, rename,      RPC_MODIFIES, "move a name, replacing or exchanging the target") \
	X(207, mds, readlink,    RPC_LOSABLE, "target of a symbolic link") \
	X(208, mds, open,        RPC_MODIFIES, "open a regular file; O_TRUNC included") \
	X(209, mds, close,       RPC_MODIFIES | RPC_RIDES, "end an open; gives size, blocks and times after writes") \
	X(210, mds, readdir,     RPC_LOSABLE, "entries of a directory from a cookie on, with attributes if asked for") \
	X(211, mds, getxattr,    RPC_LOSABLE, "value of an extended attribute") \
	X(212, mds, setxattr,    RPC_MODIFIES, "set an extended attribute") \
	X(213, mds, listxattr,   RPC_LOSABLE, "names of the extended attributes") \
	X(214, mds, removexattr, RPC_MODIFIES, "remove an extended attribute") \
	X(215, mds, statfs,      RPC_LOSABLE, "space of the MDT and of every OST") \
	X(216, mds, setlk,       RPC_LONG,     "take, change or give back a file lock; waits if asked to") \
	X(217, mds, getlk,       RPC_LOSABLE, "the first lock that conflicts") \
	X(218, mds, cancel,      0,            "end a waiting setlk of this session with EINTR") \
	X(219, mds, layout,      RPC_MODIFIES, "layout of a file; makes its objects if asked to") \
	X(220, mds, fid2path,    RPC_LOSABLE, "the n-th path of an inode") \
	X(221, mds, alloc_seq,   RPC_MODIFIES, "a fresh sequence for new FIDs") \
	X(222, mds, sync,        RPC_LOSABLE, "answered when everything answered before is on disk") \
	X(223, mds, reopen,      0,            "after a restart of the MDS: this file is still open here") \
	X(224, mds, parent,      RPC_LOSABLE, "parent and name of an inode (its first link)") \
	X(225, mds, reclaimed,   0,            "after a restart of the MDS: this lane has told all that it holds") \
	X(226, mds, recalls,     RPC_LONG,     "leases to give back; renews the term of all leases, waits for news if asked to") \
	X(227, mds, data,        RPC_LOSABLE, "a lease on the data of a file; waits until others have given theirs back") \
	X(228, mds, give_back,   0,            "leases on data that were recalled, or are not wanted any more") \
	X(229, mds, own,         0,            "a directory for this client alone, and which files in it only this client knows") \
	X(230, mds, replay,      0,            "after a restart of the MDS: which changes of this client it has; the client has done the others again") \
	X(231, mds, hsm_state,   0,            "what the archive has of a file, and what is under way for it") \
	X(232, mds, hsm_set,     RPC_MODIFIES, "sets and clears flags of that by hand") \
	X(233, mds, hsm_request, RPC_MODIFIES, "asks for a file to be archived, its copy to be removed, or for that to be given up") \
	X(234, mds, hsm_next,    RPC_LONG,     "a mover asks for work; waits for some") \
	X(235, mds, hsm_progress, RPC_MODIFIES, "a mover tells how far it is, or that it is done") \
	X(236, mds, hsm_restore, RPC_MODIFIES, "a mover begins to bring the data of a file back: where they go, and under which number") \
	X(237, mds, hsm_wait,    RPC_LONG,     "waits until bytes of a released file are back") \
	X(238, mds, hsm_range,   0,            "a mover has brought a range of a file back, and asks for the next one") \
	X(239, mds, hsm_import,  0,            "entries of an archive become released files, directories and symbolic links")

/* target: of a symbolic link, so that whoever looks it up can follow it even if it is replaced meanwhile.
 * open_id: not 0: an open for reading is expected to follow; if it is a regular file, and that costs nobody else anything, the
 * MDS opens it under that id. opened: it has, `lease` has LEASE_SHARED, and the layout is there. cookie: of the name, as in
 * mds_readdir: what follows there is often looked up next. 0: it is in no listing. */
#define REQ_mds_lookup(F)  F(fid, parent) F(name, name) F(u64, open_id)
#define REP_mds_lookup(F)  F(fid, fid) F(attr, attr) F(blob, layout) F(u64, open_seq) F(u64, seq) F(u32, lease) \
	F(str, target) F(u8, opened) F(u64, cookie)
/* under_lease: the caller works on the data under a lease, and only wants to know what the MDS knows; others that
 * keep data back are not asked. */
#define REQ_mds_getattr(F) F(fid, fid) F(u32, under_lease)
#define REP_mds_getattr(F) F(attr, attr) F(blob, layout) F(u64, open_seq) F(u64, seq) F(u32, lease)
/* valid: SETATTR_*. ctime_floor: newest time this client saw on the file's objects. age: not 0
 * (SETATTR_LATER only): ns since the client answered it itself, under LEASE_EXCLUSIVE and LEASE_UPDATE, perhaps of the last life
 * of the server: nobody else has any; answered: when that was by its clock. */
#define REQ_mds_setattr(F) F(fid, fid) F(u32, valid) F(u32, mode) F(u32, uid) F(u32, gid) F(u64, size) \
	F(i64, atime) F(i64, mtime) F(i64, ctime_floor) F(u64, open_id) F(u64, age) F(i64, answered)
#define REP_mds_setattr(F) F(attr, attr) F(blob, layout) F(u64, open_seq) F(u64, seq) F(u32, lease)
/* mode with type. An empty name makes an inode without a name (O_TMPFILE); open_id 0 does not open.
 * open_flags: OPEN_*. target: of a symlink. layout: the wish of the client, or empty. data: as in mds_open. If the name exists
 * and OPEN_EXCL is not given, a regular file is opened instead (fid tells), which OPEN_TRUNC does not cut: the client does,
 * when what it keeps of that file is written. next_cookie: of the directory, so that a name that is made again after a loss of
 * power gets its place again; so for link and rename. */
#define REQ_mds_create(F)  F(fid, parent) F(optname, name) F(fid, fid) F(u32, mode) F(u32, umask) F(u32, uid) \
	F(u32, gid) F(u64, rdev) F(u32, open_flags) F(u64, open_id) F(str, target) F(blob, layout) F(u32, data)
#define REP_mds_create(F)  F(fid, fid) F(attr, attr) F(blob, layout) F(u64, open_seq) F(u32, sole) \
	F(attr, parent_attr) F(u64, seq) F(u32, lease) F(u32, parent_lease) F(u64, next_cookie)
#define REQ_mds_link(F)    F(fid, fid) F(fid, parent) F(name, name)
#define REP_mds_link(F)    F(attr, attr) F(blob, layout) F(attr, parent_attr) F(u64, seq) F(u32, lease) \
	F(u32, parent_lease) F(u64, next_cookie)
/* child: not 0: the client has answered already, by LEASE_OWN of the parent: without that, or if the name leads elsewhere, -ESTALE.
 * when: the time that the directory gets then. */
#define REQ_mds_unlink(F)  F(fid, parent) F(name, name) F(u32, rmdir) F(fid, child) F(i64, when)
#define REP_mds_unlink(F)  F(fid, fid) F(u32, nlink) F(attr, parent_attr) F(u64, seq) F(u32, parent_lease)
/* flags: RENAME_NOREPLACE 1, RENAME_EXCHANGE 2 as in renameat2(2). replaced: what to_name led to before, if
 * anything; the same as fid: both are names of one inode, and nothing has changed. from_, to_: the directories afterwards. */
#define REQ_mds_rename(F)  F(fid, from_parent) F(name, from_name) F(fid, to_parent) F(name, to_name) F(u32, flags)
#define REP_mds_rename(F)  F(fid, fid) F(fid, replaced) F(u64, seq) F(attr, from_attr) F(u32, from_lease) \
	F(attr, to_attr) F(u32, to_lease) F(u64, next_cookie)
#define REQ_mds_readlink(F) F(fid, fid)
#define REP_mds_readlink(F) F(str, target)
/* open_seq: counts openings and closings of writers of the file, and its truncations; close gives it back.
 * Replies about a file of unsure size carry it as well: a client that opened with that number as the sole
 * writer (sole: nobody else had it open for writing) knows from its own writes what the objects hold.
 * data: the lease on the data that is wanted (LEASE_SHARED, LEASE_EXCLUSIVE, or 0); lease: what there is of that,
 * and LEASE_UPDATE for a sole writer. */
#define REQ_mds_open(F)    F(fid, fid) F(u32, open_flags) F(u64, open_id) F(u32, data)
#define REP_mds_open(F)    F(attr, attr) F(blob, layout) F(u64, open_seq) F(u32, sole) F(u64, seq) F(u32, lease)
/* flags: CLOSE_*. size, blocks, mtime: of the objects, valid with CLOSE_WROTE.
 * attr, lease: what the close made of the attributes, if there is a lease on them. */
#define REQ_mds_close(F)   F(fid, fid) F(u64, open_id) F(u32, flags) F(u64, open_seq) F(u64, size) F(u64, blocks) \
	F(i64, mtime) F(i64, atime)
#define REP_mds_close(F)   F(u64, seq) F(attr, attr) F(u32, lease)
/* cookie 0 starts. entries: mds_dirent records. flags: READDIR_*. parent: for "..". READDIR_OPEN: with READDIR_PLUS; opens of
 * these files are expected to follow. Up to `opens` are opened as mds_lookup does, under open_id and the numbers behind it. */
#define REQ_mds_readdir(F) F(fid, fid) F(u64, cookie) F(u32, max_bytes) F(u32, flags) F(u64, open_id) F(u32, opens)
#define REP_mds_readdir(F) F(blob, entries) F(u32, eof) F(fid, parent) F(u64, seq)
/* none: there is no such attribute (which is no error: it may be remembered under the lease, as a value may).
 * all: tell all that the inode has, if they are small (XATTRS_SMALL) and there is a lease by which they may be kept. whole: they
 * are in all (mds_xattr records, the layout as lustre.lov), and there are no others. */
#define REQ_mds_getxattr(F) F(fid, fid) F(str, name) F(u8, all)
#define REP_mds_getxattr(F) F(blob, value) F(u8, none) F(u64, seq) F(u32, lease) F(u8, whole) F(blob, all)
/* flags: XATTR_CREATE 1, XATTR_REPLACE 2 as in setxattr(2). priv: the caller is root. */
#define REQ_mds_setxattr(F) F(fid, fid) F(str, name) F(blob, value) F(u32, flags) F(u32, priv)
#define REP_mds_setxattr(F) F(attr, attr) F(u64, seq)
#define REQ_mds_listxattr(F) F(fid, fid) F(u8, all)
#define REP_mds_listxattr(F) F(blob, names) F(u64, seq) F(u32, lease) F(u8, whole) F(blob, all)
#define REQ_mds_removexattr(F) F(fid, fid) F(str, name)
#define REP_mds_removexattr(F) F(u64, seq)
#define REQ_mds_statfs(F)
#define REP_mds_statfs(F)  F(blob, targets)
/* reclaim: it was held before the MDS restarted; new locks wait until all clients are back.
 * space: enum lock_space. type: F_RDLCK 0, F_WRLCK 1, F_UNLCK 2. end inclusive, UINT64_MAX = EOF. */
#define REQ_mds_setlk(F)   F(fid, fid) F(u8, space) F(u64, owner) F(u32, pid) F(u8, type) F(u64, start) F(u64, end) F(u8, wait) \
	F(u8, reclaim)
#define REP_mds_setlk(F)
#define REQ_mds_getlk(F)   F(fid, fid) F(u8, space) F(u64, owner) F(u32, pid) F(u8, type) F(u64, start) F(u64, end)
#define REP_mds_getlk(F)   F(u8, type) F(u64, start) F(u64, end) F(u32, pid)
#define REQ_mds_cancel(F)  F(u64, xid)
#define REP_mds_cancel(F)
#define REQ_mds_layout(F)  F(fid, fid) F(u32, instantiate)
#define REP_mds_layout(F)  F(blob, layout) F(u64, seq)
#define REQ_mds_fid2path(F) F(fid, fid) F(u32, linkno)
#define REP_mds_fid2path(F) F(str, path) F(u32, nlinks)
#define REQ_mds_alloc_seq(F)
#define REP_mds_alloc_seq(F) F(u64, seq)
#define REQ_mds_sync(F)    F(fid, fid)
#define REP_mds_sync(F)
#define REQ_mds_reopen(F)  F(fid, fid) F(u32, open_flags) F(u64, open_id)
#define REP_mds_reopen(F)  F(u64, open_seq)
#define REQ_mds_parent(F)  F(fid, fid)
#define REP_mds_parent(F)  F(fid, parent) F(optname, name)

/* lanes: how many the client has; when all of them have said so, it is back. opens_only: they have
 * told what is open, and not written yet what they kept. session: of which that is true; said to
 * another life of the server it counts for nothing. */
#define REQ_mds_reclaimed(F) F(u32, lane) F(u32, lanes) F(u32, opens_only) F(u64, session)
#define REP_mds_reclaimed(F)

/* Leases. seq in a reply: its place among all grants and recalls; what it says of an inode is not news if a
 * higher number has been heard of that inode. lease: bits that the client now has on the inode, parent_lease: on
 * the directory that it changed; the attributes beside them may be kept as long as the lease is.
 * recalls: returned is the highest seq of recalls that the client has obeyed; its reply tells the others, in
 * their order (mds_recall records), waiting up to a third of the term for the first if wait is set. renewed:
 * every lease of the session is good for term_ms from when the request was sent, once these recalls are obeyed.
 * excess: the client has more leases than it may; it should
 * give so many inodes back that it has not used for longest, soon, or the MDS recalls some of its own choice.
 * heard: recalls up to this number need not be told again. Those of data are not returned by `returned`, but one by
 * one with mds_give_back, because obeying them may take long. */
#define REQ_mds_recalls(F) F(u64, returned) F(u32, wait) F(u64, heard)
#define REP_mds_recalls(F) F(blob, recalls) F(u32, renewed) F(u32, term_ms) F(u32, excess)
/* granted: number of the answer with which the lease on data was given; of what the client gives back by itself (seq 0): of
 * the newest answer it has heard. What was granted anew since then stays. */
#define STRUCT_mds_recall(F) F(fid, fid) F(u32, bits) F(u64, seq) F(u64, granted)

/* want: LEASE_SHARED to read, LEASE_EXCLUSIVE to write; LEASE_CONTENDED may be given instead if others have the file
 * open, unless exact is set (for pages in the kernel's cache). lease: what the client has now; 0: try again. released: the
 * data are not all back from the archive yet: what is read has to be waited for with mds_hsm_wait first.
 * leases: mds_recall records, seq 0 for those that were not recalled. */
#define REQ_mds_data(F)    F(fid, fid) F(u32, want) F(u32, exact)
#define REP_mds_data(F)    F(attr, attr) F(blob, layout) F(u64, open_seq) F(u64, seq) F(u32, lease) F(u8, released)
#define REQ_mds_give_back(F) F(blob, leases)
#define REP_mds_give_back(F)

/* done: all was sent that the MDS did not have. transno: what has this number or a lower one it has. known: it remembers the client;
 * else what it does not have is lost. */
#define REQ_mds_replay(F)  F(u8, done)
#define REP_mds_replay(F)  F(u8, known) F(u64, transno)
/* Asks for LEASE_OWN of a directory; it is given if nobody else has LEASE_UPDATE of it. files: mds_fid records, up to max, of files
 * (no directories) behind the cookie that have one name, and that nobody else has open or leases of; next: where to go on,
 * 0: there are no more. As long as the lease is not recalled nobody else gets any. now: the server's clock.
 * again: after a restart of the MDS, before the client is back: requests are on their way that need the lease it had. */
#define REQ_mds_own(F)     F(fid, fid) F(u64, cookie) F(u32, max) F(u8, again)
#define REP_mds_own(F)     F(attr, attr) F(u64, seq) F(u32, lease) F(i64, now) F(blob, files) F(u64, next)
#define STRUCT_mds_fid(F)  F(fid, fid)

/* flags, action: of hsm.h. action: what is under way, HSM_NOOP: nothing; running: a mover is at it, which has moved so many bytes.
 * name, etag: of the copy. ctime: of the file when it was archived. changed: what the archive has is not the file any more, be it
 * attributes only. error: of the last action that failed since the MDS started; 0: none. */
#define REQ_mds_hsm_state(F) F(fid, fid)
#define REP_mds_hsm_state(F) F(u32, flags) F(u32, archive) F(u32, action) F(u8, running) F(u64, moved) F(u8, changed) F(str, name) \
	F(str, etag) F(i64, ctime) F(i32, error)
/* archive: 0: as it is. */
#define REQ_mds_hsm_set(F) F(fid, fid) F(u32, set) F(u32, clear) F(u32, archive)
#define REP_mds_hsm_set(F) F(u32, flags)
/* archive 0: where it is already, or the default. data: for the mover. cookie: of the work; 0: nothing is to be done. */
#define REQ_mds_hsm_request(F) F(fid, fid) F(u32, action) F(u32, archive) F(str, data)
#define REP_mds_hsm_request(F) F(u64, cookie)
/* archives: a bit for each id that the mover serves, the lowest is 1. have: mds_hsm_cookie records of what it is at; of what it was
 * given and does not know of it is told again. work: mds_hsm_work records, up to max. */
#define REQ_mds_hsm_next(F) F(u32, archives) F(u32, max) F(blob, have)
#define REP_mds_hsm_next(F) F(blob, work)
#define STRUCT_mds_hsm_cookie(F) F(u64, cookie)
/* action HSM_CANCEL: the mover should end this one, which it has; HSM_RELEASE: it should ask for that (mds_hsm_request), nobody
 * hears what came of it. name, etag: of the copy that there is;
 * same: it holds the data of the file, only name or attributes are others; released: nobody else has them. */
#define STRUCT_mds_hsm_work(F) F(u64, cookie) F(u32, action) F(fid, fid) F(u32, archive) F(str, name) F(str, etag) F(str, data) F(u8, same) \
	F(u8, released)
/* done: with error, 0 or -errno; then name and etag say what the archive has now. stop: it is not wanted any more. changed: the
 * file is not what it was when the work was given out; what was read is not to be put into the archive. */
#define REQ_mds_hsm_progress(F) F(u64, cookie) F(u64, moved) F(u8, done) F(i32, error) F(str, name) F(str, etag)
#define REP_mds_hsm_progress(F) F(u8, stop) F(u8, changed)
/* The objects are empty, and take writes under trunc_gen from nobody else, until the file is cut or the work is begun again.
 * -ESTALE: it is not the mover's work. */
#define REQ_mds_hsm_restore(F) F(u64, cookie)
#define REP_mds_hsm_restore(F) F(blob, layout) F(u32, trunc_gen) F(u64, size)
/* Until the byte at off is back, and, if it is behind the end, until all are; the restore is asked for. whole: all are back. Else from
 * offset from to offset to, and they are read with trunc_gen and with the power of each object, of mds_power records. -EIO: they
 * cannot be brought back. */
#define REQ_mds_hsm_wait(F) F(fid, fid) F(u64, off)
#define REP_mds_hsm_wait(F) F(u8, whole) F(u64, from) F(u64, to) F(u64, size) F(u64, unit) F(u32, trunc_gen) F(blob, power)
/* power: of the OST at the first write to an object (oss_write), in the order of the layout; 0: nothing was written. */
#define STRUCT_mds_power(F) F(u64, power)
/* worker: a number for each of those that the mover has at it, up to MAX_HSM_WORKERS. off, len: what it was given and has written
 * now, len 0: nothing; then the next it gets, len 0: nothing is left. What it was given before and not told of goes to others.
 * stop: the work is not wanted any more. -ESTALE: it is not the mover's work. After a restart of the MDS it still is, if the number
 * under which it writes is that of the file; what it had brought before is brought once more. */
#define REQ_mds_hsm_range(F) F(u64, cookie) F(u32, trunc_gen) F(u32, worker) F(u64, off) F(u64, len) F(blob, power)
#define REP_mds_hsm_range(F) F(u64, off) F(u64, len) F(u8, stop)
/* mode: enum hsm_import_mode. entries: mds_import_entry records, at most IMPORT_BATCH; results: one mds_import_result for each. What
 * was not answered may be sent again: an entry that is there is left alone. The answer comes when all is on the disk.
 * fid: what it gets if it is made. mode: with type; size, blob and etag: of the copy; implied: a directory that only has to be
 * there. fid of a result: what the name leads to; there: IMPORT_LOCAL and so on; error -EAGAIN: others were in the way, again. */
#define REQ_mds_hsm_import(F) F(u32, mode) F(u32, archive) F(blob, entries)
#define REP_mds_hsm_import(F) F(blob, results)
#define STRUCT_mds_import_entry(F) F(fid, parent) F(name, name) F(fid, fid) F(u8, implied) F(u32, mode) F(u32, uid) F(u32, gid) \
	F(i64, atime) F(i64, mtime) F(u64, size) F(str, target) F(str, blob) F(str, etag)
#define STRUCT_mds_import_result(F) F(u8, what) F(u8, there) F(i32, error) F(fid, fid)

/* Records that follow each other in a blob. With READDIR_PLUS every record carries attr; a file of
 * unsure size has ATTR_SIZE_UNSURE in it and the client asks again. With READDIR_OPEN each is a mds_dirent_open: opened, if the
 * file is, and its layout then. */
#define STRUCT_mds_xattr(F) F(str, name) F(blob, value)
#define STRUCT_mds_dirent(F) F(u64, cookie) F(fid, fid) F(u8, dtype) F(name, name)
#define STRUCT_mds_dirent_plus(F) F(u64, cookie) F(fid, fid) F(u8, dtype) F(name, name) F(attr, attr) F(u32, lease)
#define STRUCT_mds_dirent_open(F) F(u64, cookie) F(fid, fid) F(u8, dtype) F(name, name) F(attr, attr) F(u32, lease) \
	F(u8, opened) F(blob, layout)
/* state: enum target_state. Sizes in bytes. */
#define STRUCT_mds_target_stat(F) F(u8, type) F(u32, index) F(u32, state) F(u64, total) F(u64, free) F(u64, avail) \
	F(u64, files) F(u64, ffree) F(i32, error)
/* clang-format on */
