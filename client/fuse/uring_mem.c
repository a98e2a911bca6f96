/* SPDX-License-Identifier: Apache-2.0 */
/* uring_mem.c - see uring_mem.h. */
#include "client/fuse/uring_mem.h"
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

struct uring_mem {
	int fd;
	uint64_t stride, bytes_kernel, bytes_mine;
	uint8_t *kernel, *mine;
	uint32_t nspare;
	uint32_t spare[];
};

static uint8_t *map(const struct uring_mem *m, uint64_t len)
{
	void *p = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, m->fd, 0);

	return p == MAP_FAILED ? NULL : p;
}

int uring_mem_create(uint32_t len, uint32_t ents, uint32_t spare, struct uring_mem **out)
{
	struct uring_mem *m = calloc(1, sizeof(*m) + spare * sizeof(m->spare[0]));
	int rc = -ENOMEM;

	if (!m)
		return -ENOMEM;
	m->stride = URING_HEADROOM + ((uint64_t)len + 4095) / 4096 * 4096;
	m->bytes_kernel = m->stride * ents;
	m->bytes_mine = m->stride * (ents + spare);
	m->fd = memfd_create("sheen-requests", MFD_CLOEXEC);
	if (m->fd >= 0 && ftruncate(m->fd, (off_t)m->bytes_mine) == 0) {
		m->kernel = map(m, m->bytes_kernel);
		m->mine = map(m, m->bytes_mine);
	} else {
		rc = -errno;
	}
	if (!m->kernel || !m->mine) {
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
	if (m->kernel)
		munmap(m->kernel, m->bytes_kernel);
	if (m->mine)
		munmap(m->mine, m->bytes_mine);
	if (m->fd >= 0)
		close(m->fd);
	free(m);
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
	if (mmap(m->kernel + ent * m->stride, m->stride, PROT_READ | PROT_WRITE,
		 MAP_SHARED | MAP_FIXED | MAP_NORESERVE, m->fd,
		 (off_t)(fresh * m->stride)) == MAP_FAILED)
		return -ENOMEM;
	m->nspare--;
	*slot = fresh;
	return 0;
}

void uring_mem_give(struct uring_mem *m, uint32_t slot)
{
	uring_mem_drop(m, slot);
	m->spare[m->nspare++] = slot;
}

/* MADV_DONTNEED would leave the pages in the file. */
void uring_mem_drop(struct uring_mem *m, uint32_t slot)
{
	if (madvise(m->mine + slot * m->stride, m->stride, MADV_REMOVE))
		return; /* then it stays, which costs nothing but memory */
}
