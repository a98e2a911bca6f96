/* SPDX-License-Identifier: Apache-2.0 */
/* book.c - see book.h. Tables that are nearly empty cost nothing: the file is sparse. */
#include "client/core/book.h"
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#define NOTES_BYTES ((BOOK_LANES + 1) * SESSION_SLOTS * sizeof(struct rpc_note))
#define HEAD_BYTES  (64ULL << 10)
#define FILES_AT    (HEAD_BYTES + (1ULL << 20))
#define LOCKS_AT    (FILES_AT + BOOK_FILES * sizeof(struct book_file))
#define BOOK_BYTES  (LOCKS_AT + BOOK_LOCKS * sizeof(struct book_lock))

static_assert(sizeof(struct book_head) <= HEAD_BYTES, "head");
static_assert(NOTES_BYTES <= 1 << 20, "notes");

struct book {
	int fd;
	bool inherited;
	uint8_t *mem;
	struct book_head *head;
	struct book_file *files;
	struct book_lock *locks;
	void **objects;
	pthread_mutex_t lock;
	uint32_t free_file;	      /* + 1 */
	uint32_t *free_lock, nfree, cap; /* indexes */
};

uint64_t book_size(void)
{
	return BOOK_BYTES;
}

static void *map(int fd, uint64_t len)
{
	int flags = MAP_NORESERVE | (fd < 0 ? MAP_PRIVATE | MAP_ANONYMOUS : MAP_SHARED);
	void *p = mmap(NULL, len, PROT_READ | PROT_WRITE, flags, fd, 0);

	return p == MAP_FAILED ? NULL : p;
}

static int free_lock_add(struct book *b, uint32_t index)
{
	uint32_t cap = b->cap ? 2 * b->cap : 64;
	uint32_t *at;

	if (b->nfree == b->cap) {
		at = realloc(b->free_lock, cap * sizeof(*at));
		if (!at)
			return -ENOMEM; /* the place is not used again */
		b->free_lock = at;
		b->cap = cap;
	}
	b->free_lock[b->nfree++] = index;
	return 0;
}

/* The lists of free places are this process's own. */
static void find_free(struct book *b)
{
	uint32_t i;

	for (i = b->head->nfiles; i-- > 0;)
		if (!b->files[i].state) {
			b->files[i].next_free = b->free_file;
			b->free_file = i + 1;
		}
	for (i = b->head->nlocks; i-- > 0;)
		if (!b->locks[i].used)
			(void)free_lock_add(b, i);
}

static int check(struct book *b)
{
	struct book_head *h = b->head;

	if (!h->magic) {
		*h = (struct book_head){.magic = BOOK_MAGIC, .version = BOOK_VERSION};
		return 0;
	}
	if (h->magic != BOOK_MAGIC || h->version != BOOK_VERSION || h->nfiles > BOOK_FILES ||
	    h->nlocks > BOOK_LOCKS)
		return -EPROTO;
	b->inherited = h->mounted;
	find_free(b);
	return 0;
}

int book_open(int fd, struct book **out)
{
	struct book *b = calloc(1, sizeof(*b));
	int rc = -ENOMEM;

	if (!b)
		return -ENOMEM;
	b->fd = fd;
	pthread_mutex_init(&b->lock, NULL);
	b->mem = map(fd, BOOK_BYTES);
	b->objects = map(-1, BOOK_FILES * sizeof(void *));
	if (b->mem && b->objects) {
		b->head = (struct book_head *)b->mem;
		b->files = (struct book_file *)(b->mem + FILES_AT);
		b->locks = (struct book_lock *)(b->mem + LOCKS_AT);
		rc = check(b);
	}
	if (rc) {
		book_close(b);
		return rc;
	}
	b->head->generation++;
	*out = b;
	return 0;
}

void book_close(struct book *b)
{
	if (!b)
		return;
	if (b->mem)
		munmap(b->mem, BOOK_BYTES);
	if (b->objects)
		munmap(b->objects, BOOK_FILES * sizeof(void *));
	pthread_mutex_destroy(&b->lock);
	free(b->free_lock);
	free(b);
}

struct book_head *book_head(struct book *b)
{
	return b->head;
}

int book_fd(const struct book *b)
{
	return b->fd;
}

bool book_is_inherited(const struct book *b)
{
	return b->inherited;
}

struct rpc_note *book_notes(struct book *b)
{
	return (struct rpc_note *)(b->mem + HEAD_BYTES);
}

/* ---- files ---- */

struct book_file *book_file_get(struct book *b)
{
	struct book_file *f = NULL;

	pthread_mutex_lock(&b->lock);
	if (b->free_file) {
		f = &b->files[b->free_file - 1];
		b->free_file = f->next_free;
	} else if (b->head->nfiles < BOOK_FILES) {
		f = &b->files[b->head->nfiles];
	}
	if (f) {
		*f = (struct book_file){.tag = 0};
		f->state = BOOK_USED;
		if (f == &b->files[b->head->nfiles])
			b->head->nfiles++;
	}
	pthread_mutex_unlock(&b->lock);
	return f;
}

void book_file_put(struct book *b, struct book_file *f)
{
	uint32_t i = book_file_index(b, f);

	book_set_object(b, i, NULL);
	f->state = 0;
	pthread_mutex_lock(&b->lock);
	f->next_free = b->free_file;
	b->free_file = i + 1;
	pthread_mutex_unlock(&b->lock);
}

void book_file_set(struct book_file *f, uint32_t bits)
{
	atomic_fetch_or(&f->state, bits);
}

void book_file_clear(struct book_file *f, uint32_t bits)
{
	atomic_fetch_and(&f->state, ~bits);
}

uint32_t book_file_index(const struct book *b, const struct book_file *f)
{
	return (uint32_t)(f - b->files);
}

struct book_file *book_file_at(struct book *b, uint32_t index)
{
	return &b->files[index];
}

void book_set_object(struct book *b, uint32_t index, void *object)
{
	__atomic_store_n(&b->objects[index], object, __ATOMIC_RELEASE);
}

void *book_object(struct book *b, uint64_t index)
{
	return index < BOOK_FILES ? __atomic_load_n(&b->objects[index], __ATOMIC_ACQUIRE) : NULL;
}

/* ---- locks ---- */

struct book_lock *book_lock_get(struct book *b)
{
	struct book_lock *l = NULL;

	pthread_mutex_lock(&b->lock);
	if (b->nfree)
		l = &b->locks[b->free_lock[--b->nfree]];
	else if (b->head->nlocks < BOOK_LOCKS)
		l = &b->locks[b->head->nlocks++];
	pthread_mutex_unlock(&b->lock);
	return l;
}

void book_lock_put(struct book *b, struct book_lock *l)
{
	l->used = 0;
	pthread_mutex_lock(&b->lock);
	(void)free_lock_add(b, (uint32_t)(l - b->locks));
	pthread_mutex_unlock(&b->lock);
}

struct book_lock *book_lock_at(struct book *b, uint32_t index)
{
	return &b->locks[index];
}
