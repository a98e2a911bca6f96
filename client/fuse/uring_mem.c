/* SPDX-License-Identifier: Apache-2.0 */
/* uring_mem.c - see uring_mem.h. */
#include "client/fuse/uring_mem.h"
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

struct uring_mem {
	int fd; /* ours, or -1 */
	uint64_t off, stride, bytes_recs, bytes_kernel, bytes_mine;
	struct uring_rec *recs;
	uint8_t *kernel, *mine;
	int at; /* the descriptor to map */
	bool inherited;
	uint32_t ents, nspare, nslots;
	uint32_t spare[];
};

/* Far from everything that is put somewhere by chance: it will be free in the next process, too. */
#define FAR 0x200000000000ULL

static void *map(const struct uring_mem *m, uint64_t off, uint64_t len, uint64_t where)
{
	uint64_t hint = where || m->fd >= 0 ? where : FAR + 2 * m->off + off;
	void *want = (void *)(uintptr_t)hint; // NOLINT(performance-no-int-to-ptr)
	void *p = mmap(want, len, PROT_READ | PROT_WRITE,
		       MAP_SHARED | MAP_NORESERVE | (where ? MAP_FIXED_NOREPLACE : 0), m->at,
		       (off_t)(m->off + off));

	if (p == MAP_FAILED)
		return NULL;
	if (where && p != want) {
		munmap(p, len);
		errno = EEXIST;
		return NULL;
	}
	return p;
}

static int open_file(struct uring_mem *m, const struct uring_place *place)
{
	m->fd = -1;
	if (place) {
		m->at = place->fd;
		m->off = place->off;
		m->inherited = place->ring->kernel;
		return 0;
	}
	m->at = m->fd = memfd_create("sheen-requests", MFD_CLOEXEC);
	if (m->fd < 0 || ftruncate(m->fd, (off_t)(m->bytes_recs + m->bytes_mine)))
		return -errno;
	return 0;
}

static int map_all(struct uring_mem *m, struct book_ring *ring)
{
	m->recs = map(m, 0, m->bytes_recs, ring ? ring->recs : 0);
	if (m->recs)
		m->kernel = map(m, m->bytes_recs, m->bytes_kernel, ring ? ring->kernel : 0);
	if (m->kernel)
		m->mine = map(m, m->bytes_recs, m->bytes_mine, 0);
	if (!m->mine)
		return -errno;
	if (ring)
		*ring = (struct book_ring){.recs = (uintptr_t)m->recs,
					   .kernel = (uintptr_t)m->kernel,
					   .ents = m->ents,
					   .spare = m->nslots - m->ents};
	return 0;
}

int uring_mem_create(uint32_t len, uint32_t ents, uint32_t spare, const struct uring_place *place,
		     struct uring_mem **out)
{
	struct uring_mem *m = calloc(1, sizeof(*m) + (ents + spare) * sizeof(m->spare[0]));
	int rc;

	if (!m)
		return -ENOMEM;
	m->ents = ents;
	m->nslots = ents + spare;
	m->stride = URING_HEADROOM + ((uint64_t)len + 4095) / 4096 * 4096;
	m->bytes_recs = ((uint64_t)ents * sizeof(struct uring_rec) + 4095) / 4096 * 4096;
	m->bytes_kernel = m->stride * ents;
	m->bytes_mine = m->stride * (ents + spare);
	if (place && m->bytes_recs + m->bytes_mine > URING_LANE_BYTES)
		rc = -E2BIG;
	else
		rc = open_file(m, place);
	if (rc == 0)
		rc = map_all(m, place ? place->ring : NULL);
	if (rc) {
		uring_mem_destroy(m);
		return rc;
	}
	while (m->nspare < spare) {
		m->spare[m->nspare] = ents + m->nspare;
		m->nspare++;
	}
	*out = m;
	return 0;
}

void uring_mem_destroy(struct uring_mem *m)
{
	if (!m)
		return;
	if (m->recs)
		munmap(m->recs, m->bytes_recs);
	if (m->kernel)
		munmap(m->kernel, m->bytes_kernel);
	if (m->mine)
		munmap(m->mine, m->bytes_mine);
	if (m->fd >= 0)
		close(m->fd);
	free(m);
}

struct uring_rec *uring_mem_rec(const struct uring_mem *m, uint32_t ent)
{
	return &m->recs[ent];
}

bool uring_mem_is_inherited(const struct uring_mem *m)
{
	return m->inherited;
}

/* Puts a slot at the kernel's address of an entry. */
static int put(struct uring_mem *m, uint32_t ent, uint32_t slot)
{
	m->recs[ent].slot = slot;
	return mmap(m->kernel + ent * m->stride, m->stride, PROT_READ | PROT_WRITE,
		    MAP_SHARED | MAP_FIXED | MAP_NORESERVE, m->at,
		    (off_t)(m->off + m->bytes_recs + slot * m->stride)) == MAP_FAILED
		       ? -ENOMEM
		       : 0;
}

int uring_mem_inherit(struct uring_mem *m, const bool *used)
{
	bool *taken = calloc(m->nslots, sizeof(*taken));
	bool *own = calloc(m->ents, sizeof(*own)); /* has the slot that is there already */
	uint32_t i, next = 0;
	int rc = taken && own ? 0 : -ENOMEM;

	for (i = 0; i < m->ents && rc == 0; i++) {
		uint32_t slot = m->recs[i].slot;

		if (!used[i])
			continue;
		if (slot >= m->nslots || taken[slot])
			rc = -EPROTO;
		else
			taken[slot] = true;
		if (rc == 0 && slot != i)
			rc = put(m, i, slot);
	}
	for (i = 0; i < m->ents && rc == 0; i++)
		if (!used[i] && !taken[i])
			taken[i] = own[i] = true;
	for (i = 0; i < m->ents && rc == 0; i++) {
		if (used[i] || own[i])
			continue;
		while (taken[next])
			next++;
		taken[next] = true;
		rc = put(m, i, next);
	}
	m->nspare = 0;
	for (i = 0; i < m->nslots && rc == 0; i++)
		if (!taken[i])
			m->spare[m->nspare++] = i;
	for (i = 0; i < m->ents && rc == 0; i++)
		if (own[i])
			m->recs[i].slot = i;
	free(own);
	free(taken);
	return rc;
}

uint8_t *uring_mem_kernel(const struct uring_mem *m, uint32_t ent)
{
	return m->kernel + ent * m->stride + URING_HEADROOM;
}

uint8_t *uring_mem_slot(const struct uring_mem *m, uint32_t slot)
{
	return m->mine + slot * m->stride + URING_HEADROOM;
}

int uring_mem_swap(struct uring_mem *m, uint32_t ent, uint32_t *slot)
{
	uint32_t fresh;

	if (!m->nspare)
		return -ENOMEM;
	fresh = m->spare[m->nspare - 1];
	if (put(m, ent, fresh))
		return -ENOMEM;
	m->nspare--;
	*slot = fresh;
	return 0;
}

/* MADV_DONTNEED would leave the pages in the file. */
static void drop(struct uring_mem *m, uint32_t slot, uint64_t from)
{
	if (madvise(m->mine + slot * m->stride + from, m->stride - from, MADV_REMOVE))
		return; /* then it stays, which costs nothing but memory */
}

void uring_mem_give(struct uring_mem *m, uint32_t slot)
{
	drop(m, slot, 0);
	m->spare[m->nspare++] = slot;
}

void uring_mem_trim(struct uring_mem *m, uint32_t slot)
{
	if (m->stride > URING_HEADROOM + URING_KEPT)
		drop(m, slot, URING_HEADROOM + URING_KEPT);
}
