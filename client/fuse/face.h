/* SPDX-License-Identifier: Apache-2.0 */
/* face.h - the kernel's face of the client: /dev/fuse on one side, fs.h on the other.
 *
 * A struct face is one mount; a struct flane is one of its threads: loop, lane of the core, its
 * reads from the device, its buffers. A request is read, served in a fiber and answered on one
 * thread. libfuse decodes requests and encodes replies; reading, writing and threads are ours.
 *
 * A handler learns its flane by flane_here(), which is valid until the handler first suspends.
 */
#pragma once
#define FUSE_USE_VERSION 314
#include "client/core/book.h"
#include "client/core/fs.h"
#include "client/fuse/away.h"
#include "client/fuse/options.h"
#include "client/fuse/uring.h"
#include "common/buf.h"
#include "common/co.h"
#include "common/loop_fd.h"
#include <fuse3/fuse_lowlevel.h>
#include <linux/fuse.h>
#include <pthread.h>
#include <stdatomic.h>

#define REQ_MAX_WRITE MAX_BULK /* bytes of a READ or WRITE, if the kernel lets us */
#define REQ_HEAD 80 /* fuse_in_header + fuse_write_in: what stands before the bytes of a WRITE */
#define REQ_SMALL 8192 /* requests up to this are copied away from the big buffer */
#define LANE_INFLIGHT 512
#define LANE_BIG 40 /* big buffers of a lane: WRITEs in flight */
#define LANE_READ_BYTES (160ULL << 20)
#define ACL_CACHE 1024

struct face {
	struct options opt;
	struct fs *fs;
	struct book *book; /* see client/core/book.h */
	bool inherited;	   /* another process has served the mount before */
	struct agains *agains;
	struct fuse_session *se;
	int fd;	      /* /dev/fuse */
	int end_fd;   /* eventfd: the session is over */
	uint32_t max_req; /* bytes of a READ or WRITE */
	atomic_bool ended, serving; /* the session is; requests are taken from the kernel */
	atomic_bool leaving; /* another process will take over: no new requests */
	atomic_uint acl_gen; /* counts own changes of xattrs */
	struct glance *glance;
	struct notifier *notifier;
	struct known *known;
	struct kicker *kicker; /* NULL: there are no rings */
	bool keeps_names; /* the kernel can be told to forget all names */
	bool attached;	  /* mount(2) was called */
	const char *path; /* the mount point */
	struct root_seen root;
	bool uring_want;  /* the kernel will be asked for io_uring */
	uint32_t uring_queues, nlanes;
	atomic_bool uring_on; /* it agreed */
	struct flane *lane[64];
	atomic_ullong reading; /* bit set: that lane reads the device, or has been asked to */
	atomic_uint blocked;   /* lanes that cannot take more requests */
};

/* A request that is being served. */
struct serve {
	struct flane *fl;
	struct serve *next;	  /* while it is free */
	TAILQ_ENTRY(serve) link; /* while it is served */
	bool big;
	uint32_t len;
	uint64_t asked_ns; /* loop_clock() when it was read */
	uint8_t *data; /* fuse_in_header and what follows */
	struct uring_ent *ent; /* it came over io_uring, and is not answered */
	uint32_t slot;	       /* besides 1: a slot of the ring's memory that is its own */
	bool again;	       /* the last process had it and did not answer */
	bool looked;	       /* see interrupt_look() */
	uint64_t kill_ns;      /* since then its caller is being killed; 0: it is not */
	bool given_up;	       /* nobody waits for the answer any more */
};

struct acl_seen { /* an inode that had no ACL a moment ago */
	uint64_t ino, until_ns;
	uint32_t gen;
	uint32_t tid; /* only this thread may rely on it */
};

struct flane {
	struct face *face;
	uint32_t index;
	pthread_t thread;
	struct loop *loop;
	struct lane *ln;
	struct loop_fd *dev;
	bool want, blocked; /* reads the device; cannot take more now */
	uint64_t sample_wall, sample_cpu;
	uint32_t inflight, nbig, wakes;
	bool many; /* the last look into the queue found more than one request */
	struct serve *free_small, *free_big;
	TAILQ_HEAD(, serve) serving;
	struct buf_pool *pool; /* for replies to READ */
	struct co_waitq mem_q, idle_q;
	struct acl_seen acl[ACL_CACHE];
	struct loop_work serve_work, stop_work, uring_work, leave_work;
	struct uring *uring; /* NULL: there is only /dev/fuse */
	struct loop_timer settle; /* see fs_settle() */
	struct loop_timer look, soft; /* armed while requests (look: of the ring) are served */
	/* how starting went, told to the main thread */
	pthread_mutex_t lock;
	pthread_cond_t cond;
	bool started, stopped, left;
	int rc;
	char why[512];
};

/* ---- flane.c ---- */
must_check int flane_create(struct face *f, uint32_t index, struct flane **out);
/* Runs the thread and waits until the lane has started; text in why. */
must_check int flane_start(struct flane *fl, char *why, size_t why_len);
/* Waits for requests in flight, stops the lane, ends the thread. -ETIMEDOUT: it hangs. */
must_check int flane_stop(struct flane *fl, uint32_t timeout_s);
void flane_destroy(struct flane *fl);
/* Requests in flight end, for a while; what is kept back is sent off. */
void flane_leave(struct flane *fl);
bool flane_has_left(struct flane *fl, uint32_t timeout_s);
struct flane *flane_here(void);
uint64_t asked_here(void); /* when the request was read */
struct serve *serve_here(void);
/* The body of the request behind its header, if it has that many bytes; else NULL. */
const void *serve_body(const struct serve *s, size_t len);
static inline const struct fuse_in_header *serve_head(const struct serve *s)
{
	return (const struct fuse_in_header *)s->data;
}
/* Memory for a reply; waits for it. */
struct buf *flane_co_buf(struct flane *fl, uint32_t len);
/* For a reply to READ of s: the ring's own memory, or that of *b. */
uint8_t *flane_co_read_mem(struct flane *fl, struct serve *s, uint32_t len, struct buf **b);
/* For requests that are not read from the device: a small one to be filled in (NULL: no memory),
 * which is then given to one of the others. */
struct serve *flane_serve_get(struct flane *fl);
void flane_serve_put(struct serve *s);
void flane_serve(struct flane *fl, struct serve *s);
void flane_look(struct flane *fl); /* interrupt_look() soon */

/* ---- transport.c ---- /dev/fuse or io_uring */
/* Main thread, in this order: before lanes are created; how many; the parameter that tells. */
void transport_plan(struct face *f);
uint32_t transport_lanes(const struct face *f);
must_check int transport_param(struct face *f);
/* The lane's thread, before anything else. */
void transport_lane(struct flane *fl, uint32_t nlanes);
/* What the kernel offers; it is known what we want; it knows that. */
void transport_init_in(struct face *f, const struct fuse_init_in *in);
void transport_start(struct face *f);
/* The kernel does not take an entry. */
void transport_refused(struct face *f, int rc);
/* Sends an answer the way its request came. As writev(2). */
ssize_t transport_write(struct face *f, const struct iovec *iov, int n);
/* From "0-3,6\n": one more than the last. 0: not understood. */
uint32_t transport_cpus(const char *list);

/* ---- fast.c ---- */
/* Requests that need no server are answered right where they are read. True: it was one. */
bool fast_serve(struct flane *fl, const struct serve *s);
/* Writes a reply by hand. */
int raw_reply(struct face *f, uint64_t unique, int rc, const void *body, size_t len);

/* ---- glance.c ---- attributes that were told a moment ago */
must_check int glance_create(struct glance **out);
void glance_destroy(struct glance *g);
/* Every request comes by here first. True: it was a GETATTR and is answered (from a lease, too). */
bool glance_request(struct flane *fl, const struct serve *s);
/* It is over. */
void glance_done(struct flane *fl, const struct serve *s);
/* LOOKUP of that thread is about to be answered with e. */
void glance_looked_up(struct flane *fl, uint32_t tid, const struct entry *e);
/* CREATE of that thread is about to be answered, with e or with an error (NULL). */
void glance_created(struct flane *fl, uint32_t tid, const struct entry *e);

/* The kernel is told of a directory. */
void glance_dir(struct flane *fl, const struct fid *fid, const struct attr *a);
/* What it was told last of one that is gone. */
bool glance_removed_dir(struct flane *fl, const struct fid *fid, struct attr *out);

/* ---- notify.c ---- what the kernel must forget */
must_check int notifier_create(struct face *f, struct notifier **out);
void notifier_destroy(struct notifier *n); /* after all lanes have stopped */
/* fs_cfg.co_invalidate */
void notifier_co_invalidate(void *face, struct lane *ln, const struct fs_inval *v, uint32_t n,
			    bool names);

/* ---- known.c ---- which inodes the kernel knows */
must_check int known_create(struct known **out);
void known_destroy(struct known *k);
/* An answer will name the node. Before anything else is decided about it: whoever takes leases back
 * meanwhile must see that the kernel may get to know it. */
void known_add(struct known *k, uint64_t node);
/* FORGET, or the answer could not be written. */
void known_forget(struct known *k, uint64_t node, uint64_t n);
/* Answers that were not taken back; 0: the kernel does not know the node. */
uint64_t known_count(struct known *k, uint64_t node);

/* ---- balance.c ---- how many lanes read the device */
/* Lets one lane more read, if there is one. Any thread. */
void balance_more(struct face *f);
/* Now and then, on the lane's thread: does it have too much to do, or too little? */
void balance_check(struct flane *fl);
void balance_block(struct flane *fl, bool blocked);
void balance_start(struct flane *fl); /* posted by balance_more() */
void balance_stop(struct flane *fl);

/* ---- kick.c ---- requests to ourselves, on a CPU whose queue had no entries left */
must_check int kicker_create(struct face *f, struct kicker **out);
void kicker_destroy(struct kicker *k); /* when the mount is over */
void kicker_kick(struct kicker *k, uint32_t queue); /* any thread */
/* Nothing is served any more: fills the ring, so that the kernel hands nothing to this process
 * while it ends. False: it may still do so. */
bool kicker_fill(const struct face *f, uint32_t timeout_ms);

/* ---- interrupt.c ---- FUSE_INTERRUPT: the caller of a request got a signal */
void interrupt_ask(struct face *f, const struct serve *s);
/* Now and then: whoever has a signal of which nobody told, among requests of the ring that were
 * asked before then? Each is looked at once. And who has waited long enough while he is being
 * killed? True: look again. */
bool interrupt_look(struct flane *fl, uint64_t before_ns);
/* It was given up, and is over now: the kernel forgets what it may have changed. Suspends. */
void interrupt_co_over(const struct serve *s);

/* ---- session.c ---- */
/* What was agreed with the kernel is agreed here as well, without its knowing. */
void session_inherit(struct face *f);
void session_note_init(struct face *f, const struct serve *s); /* for that */
must_check int session_create(struct face *f);
void session_destroy(struct face *f);
/* No more requests will come; wakes main. Any thread. */
void face_end(struct face *f);

/* ---- reply.c ---- */
must_check int face_fid(const struct face *f, fuse_ino_t node, struct fid *out);
uint64_t face_node(const struct face *f, const struct fid *fid);
void reply_stat(const struct fid *fid, const struct attr *a, struct stat *st);
/* asked: asked_here(); what the kernel may keep depends on what happened since. Entries count as
 * known from here on: they are sent, or known_forget() takes that back. */
void reply_entry_param(struct flane *fl, uint64_t asked, const struct entry *e,
		       struct fuse_entry_param *p);
/* Answers with p of reply_entry_param(). */
void reply_send_entry(struct flane *fl, fuse_req_t req, const struct fuse_entry_param *p);
void reply_entry(struct flane *fl, fuse_req_t req, uint64_t asked, int rc, const struct entry *e);
void reply_attr(struct flane *fl, fuse_req_t req, uint64_t asked, int rc, const struct fid *fid,
		const struct attr *a);
void reply_rc(fuse_req_t req, int rc);
/* What an operation on an inode (not on a name) gives when there is no such inode any more: the
 * name that led to it was replaced meanwhile, and ESTALE makes the kernel look it up again. */
static inline int stale_rc(int rc)
{
	return rc == -ENOENT ? -ESTALE : rc;
}
void reply_open_out(const struct face *f, struct file *file, struct fuse_open_out *o);
void reply_entry_out(struct flane *fl, uint64_t asked, const struct entry *e,
		     struct fuse_entry_out *o);
void reply_attr_out(const struct fid *fid, const struct attr *a, struct fuse_attr *o);
/* How long the kernel may keep that a name leads here, and what is there. */
uint64_t reply_keep_ns(struct flane *fl, uint64_t asked, const struct fid *fid,
		       const struct attr *a, bool name);
struct cred reply_cred(fuse_req_t req);
/* Before the handler suspends. */
static inline struct file *fi_file(const struct fuse_file_info *fi)
{
	return fs_file(flane_here()->face->fs, fi->fh);
}
/* In every handler that may suspend: its caller can be killed meanwhile, and close the file. */
static inline void file_dropp(struct file **f)
{
	file_drop(*f);
}
#define HOLD_FILE(fi_) \
	CLEANUP(file_dropp) struct file *held_##fi_ __attribute__((unused)) = \
		file_hold(fi_ ? fi_file(fi_) : NULL)
/* The inode had no ACL and no security attribute when its attributes were got just now. */
void acl_note(struct flane *fl, const struct fid *fid, const struct attr *a, uint32_t tid);
bool acl_none(struct flane *fl, const struct fid *fid, uint32_t tid);

/* ---- handlers ---- */
#define FACE_OPS(X)                                                                        \
	X(lookup) X(getattr) X(setattr) X(readlink) X(mknod) X(mkdir) X(unlink) X(rmdir)   \
	X(symlink) X(rename) X(link) X(open) X(read) X(write) X(flush) X(release) X(fsync) \
	X(readdir) X(readdirplus) X(fsyncdir) X(statfs) X(setxattr) X(getxattr)            \
	X(listxattr) X(removexattr) X(create) X(getlk) X(setlk) X(flock) X(fallocate)      \
	X(lseek) X(copy_file_range) X(ioctl)
void ops_name(struct fuse_lowlevel_ops *o);
void ops_dir(struct fuse_lowlevel_ops *o);
void ops_file(struct fuse_lowlevel_ops *o);
void ops_xattr(struct fuse_lowlevel_ops *o);
void ops_lock(struct fuse_lowlevel_ops *o);
void ops_ioctl(struct fuse_lowlevel_ops *o);
void tmpfile_co_serve(struct flane *fl, const struct serve *s); /* libfuse 3.14 does not know it */

/* ---- channel.c ---- what tools read and set */
bool channel_is_name(const char *name);
ssize_t channel_co_get(struct flane *fl, const struct fid *f, const char *name, char *b, size_t n);
int channel_co_set(struct flane *fl, const struct fid *f, const char *name, struct span value,
		   const struct cred *c);
