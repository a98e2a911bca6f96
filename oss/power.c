/* SPDX-License-Identifier: Apache-2.0 */
/* power.c - see power.h. The text has one length, so that a torn change of it is either of both. */
#include "oss/power.h"
#include "common/log.h"
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

enum { TEXT_LEN = 94 };

/* A life has fewer changes than this, and than nanoseconds: so numbers grow even if the clock was
 * set back, or the file is lost. */
#define LIFE_CHANGES (1ULL << 40)

/* As long as it is not known, power may have been lost at any time. */
static void machine_name(struct ost *ost)
{
	char *out = ost->machine;
	int fd = -1;
	ssize_t n = 0;

	if (ost->cfg.machine)
		snprintf(out, MACHINE_LEN, "%s", ost->cfg.machine);
	else
		fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
	if (fd >= 0) {
		n = read(fd, out, MACHINE_LEN - 1);
		close(fd);
	}
	if (!ost->cfg.machine)
		out[n > 0 ? n : 0] = 0;
	out[strcspn(out, " \n")] = 0;
}

/* As long as something is missing no machine has it all. */
static int store(struct ost *ost, bool clean)
{
	const char *machine = ost->lost || !ost->machine[0] ? "?" : ost->machine;
	char text[TEXT_LEN + 1];
	struct iovec iov = {text, TEXT_LEN};
	struct disk_file *f;
	int rc;

	rc = snprintf(text, sizeof(text), "%016" PRIx64 " %-*s %u %016" PRIx64 " %016" PRIx64 "\n",
		      ost->power, MACHINE_LEN, machine, clean && !ost->lost, ost->base, ost->mark);
	assert(rc == TEXT_LEN);
	rc = disk_co_open(ost->disk, POWER_PATH, true, &f);
	if (rc)
		return rc;
	rc = disk_co_write(f, &iov, 1, 0);
	if (rc == 0)
		rc = disk_co_sync(f);
	disk_file_close(f);
	return rc;
}

static void warn(const struct ost *ost, int rc)
{
	log_warn("%s: %s/%s cannot be kept: %s", ost->name, ost->cfg.dir, POWER_PATH, err_str(rc));
}

/* What the last life wrote; an older release wrote no numbers. */
static int load(struct ost *ost)
{
	char text[TEXT_LEN + 1] = "", was[MACHINE_LEN] = "";
	struct iovec iov = {text, TEXT_LEN};
	struct disk_file *f;
	unsigned clean = 0;
	uint64_t power = 0;
	ssize_t n;
	int rc = disk_co_open(ost->disk, POWER_PATH, true, &f);

	if (rc)
		return rc;
	n = disk_co_read(f, &iov, 1, 0);
	disk_file_close(f);
	if (n < 0)
		return (int)n;
	rc = sscanf(text, "%16" SCNx64 " %39s %1u %16" SCNx64 " %16" SCNx64, &power, was, &clean,
		    &ost->base, &ost->mark);
	if (rc < 5)
		ost->base = ost->mark = 0;
	if (rc >= 3 && power && (clean || (ost->machine[0] && strcmp(was, ost->machine) == 0)))
		ost->power = power;
	return 0;
}

void power_co_start(struct ost *ost)
{
	uint64_t now = (uint64_t)loop_realtime(ost->cfg.loop);
	int rc;

	machine_name(ost);
	rc = load(ost);
	if (rc)
		ost->power = 0;
	ost->lost = !ost->power && ost->cfg.registered;
	ost->power = ost->power ? ost->power : ost->cfg.boot_id; /* nobody had this one before */
	ost->base = max_u64(now, max_u64(ost->base, ost->mark) + LIFE_CHANGES);
	cache_number_from(ost->cache, ost->base, ost->mark);
	if (rc == 0)
		rc = store(ost, false);
	if (rc) { /* what the file says later is not this number */
		ost->power = ost->cfg.boot_id;
		warn(ost, rc);
	}
}

void power_co_recovered(struct ost *ost)
{
	int rc;

	ost->lost = false;
	rc = store(ost, false);
	if (rc)
		warn(ost, rc);
}

int power_co_sync_all(struct ost *ost)
{
	uint64_t upto, before = ost->mark;
	int rc = cache_co_sync_all(ost->cache, &upto);

	if (rc || ost->lost || upto <= before) /* what is missing has lower numbers */
		return rc;
	ost->mark = upto;
	rc = store(ost, false);
	if (rc)
		ost->mark = before;
	else
		cache_is_stable(ost->cache, upto);
	return rc;
}

void power_co_stop(struct ost *ost)
{
	int rc;

	if (!ost->power) /* it did not start */
		return;
	rc = power_co_sync_all(ost);
	if (rc == 0)
		rc = store(ost, true);
	if (rc)
		log_err("%s: its disk cannot be synced: %s", ost->name, err_str(rc));
}
