/* SPDX-License-Identifier: Apache-2.0 */
/* power.c - see power.h. The text has one length, so that a torn change of it is either of both. */
#include "oss/power.h"
#include "common/log.h"
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

enum { TEXT_LEN = 60, MACHINE_LEN = 40 };

/* As long as it is not known, power may have been lost at any time. */
static void machine_name(const struct ost *ost, char out[MACHINE_LEN])
{
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

static int store(struct ost *ost, struct disk_file *f, bool clean)
{
	char text[TEXT_LEN + 1], machine[MACHINE_LEN];
	struct iovec iov = {text, TEXT_LEN};
	int rc;

	machine_name(ost, machine);
	rc = snprintf(text, sizeof(text), "%016" PRIx64 " %-*s %u\n", ost->power, MACHINE_LEN,
		      machine[0] ? machine : "?", clean);
	assert(rc == TEXT_LEN);
	rc = disk_co_write(f, &iov, 1, 0);
	return rc ? rc : disk_co_sync(f);
}

static int load(struct ost *ost, struct disk_file *f)
{
	char text[TEXT_LEN + 1] = "", was[MACHINE_LEN] = "", machine[MACHINE_LEN];
	struct iovec iov = {text, TEXT_LEN};
	ssize_t n = disk_co_read(f, &iov, 1, 0);
	unsigned clean = 0;
	uint64_t power = 0;

	if (n < 0)
		return (int)n;
	machine_name(ost, machine);
	if (sscanf(text, "%16" SCNx64 " %39s %1u", &power, was, &clean) == 3 && power &&
	    (clean || (machine[0] && strcmp(was, machine) == 0))) {
		ost->power = power;
		return 0;
	}
	ost->power = ost->cfg.boot_id; /* nobody had this one before */
	if (ost->cfg.registered)
		log_warn("%s: was not stopped in order before its machine was: writes that were "
			 "not synced may be lost; fsync tells those clients that wait for them",
			 ost->name);
	return 0;
}

void power_co_start(struct ost *ost)
{
	struct disk_file *f;
	int rc = disk_co_open(ost->disk, POWER_PATH, true, &f);

	if (rc == 0) {
		rc = load(ost, f);
		if (rc == 0)
			rc = store(ost, f, false);
		disk_file_close(f);
	}
	if (rc) { /* what the file says later is not this number */
		ost->power = ost->cfg.boot_id;
		log_warn("%s: %s/%s cannot be kept: %s", ost->name, ost->cfg.dir, POWER_PATH,
			 err_str(rc));
	}
}

void power_co_stop(struct ost *ost)
{
	struct disk_file *f;
	int rc;

	if (!ost->power) /* it did not start */
		return;
	rc = cache_co_sync_all(ost->cache);
	if (rc == 0)
		rc = disk_co_open(ost->disk, POWER_PATH, true, &f);
	if (rc == 0) {
		rc = store(ost, f, true);
		disk_file_close(f);
	}
	if (rc)
		log_err("%s: its disk cannot be synced: %s", ost->name, err_str(rc));
}
