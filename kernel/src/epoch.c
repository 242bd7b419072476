// SPDX-License-Identifier: GPL-2.0-only
/*
 * Epochs: a nonce prefix is good for one. An epoch ends where this kernel's memory
 * may have more than one future: a snapshot of a VM that was restored, a
 * hibernation image, each of which can be restored twice.
 */
#include "e4c.h"
#include <linux/random.h>
#include <linux/suspend.h>
#include <linux/timekeeping.h>
#include <asm/archrandom.h>

static atomic_t epoch = ATOMIC_INIT(1);
/* From before the image is made until all that follows its restoration has run. */
static atomic_t hibernating = ATOMIC_INIT(0);

/* The present epoch; during hibernation each call begins another. */
u32 e4c_epoch_now(void)
{
	return atomic_read(&hibernating) ? atomic_inc_return(&epoch) : atomic_read(&epoch);
}

/*
 * The random generator is restored along with everything else, and
 * repeats itself until it is seeded anew. So what no image holds is mixed in: the
 * processor's cycles and its own random numbers, if it has any, and the time.
 */
void e4c_prefix_draw(u8 prefix[8])
{
	u64 draw, present = random_get_entropy();
	unsigned long hardware = 0;

	get_random_bytes(&draw, sizeof(draw));
	/* User Mode Linux, which does not hibernate, has a function there that is for itself. */
	if (IS_ENABLED(CONFIG_UML) || !arch_get_random_longs(&hardware, 1))
		hardware = 0;
	draw ^= present ^ rol64(ktime_get_real_fast_ns(), 32) ^ hardware;
	memcpy(prefix, &draw, sizeof(draw));
}

static int vm_forked(struct notifier_block *nb, unsigned long action, void *data)
{
	atomic_inc(&epoch);
	return 0;
}

/* Processes run again before PM_POST_HIBERNATION is told: hence the state in between. */
static int power_changed(struct notifier_block *nb, unsigned long action, void *data)
{
	switch (action) {
	case PM_HIBERNATION_PREPARE:
		atomic_set(&hibernating, 1);
		break;
	case PM_POST_HIBERNATION:
		atomic_inc(&epoch);
		atomic_set(&hibernating, 0);
		break;
	}
	return NOTIFY_DONE;
}

static struct notifier_block vmfork_nb = { .notifier_call = vm_forked };
static struct notifier_block power_nb = { .notifier_call = power_changed };

int e4c_epoch_init(void)
{
	int err = register_random_vmfork_notifier(&vmfork_nb);

	if (err)
		return err;
	err = register_pm_notifier(&power_nb);
	if (err)
		unregister_random_vmfork_notifier(&vmfork_nb);
	return err;
}

void e4c_epoch_exit(void)
{
	unregister_pm_notifier(&power_nb);
	unregister_random_vmfork_notifier(&vmfork_nb);
}
