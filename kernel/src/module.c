// SPDX-License-Identifier: GPL-2.0-only
/*
 * What exists once for the module: the workers that open pages after a read,
 * and the epoch that a restored VM snapshot ends.
 */
#include "e4c.h"
#include <linux/random.h>
#include <linux/workqueue.h>

struct workqueue_struct *e4c_read_wq;

/* Inodes draw a new nonce prefix when it has changed. */
atomic_t e4c_epoch = ATOMIC_INIT(1);

static int vm_forked(struct notifier_block *nb, unsigned long action, void *data)
{
	atomic_inc(&e4c_epoch);
	return 0;
}

static struct notifier_block vmfork_nb = { .notifier_call = vm_forked };

/* Hook in module initialisation. */
int e4c_module_init(void)
{
	int err;

	e4c_read_wq = alloc_workqueue("ext4crypt_read",
				      WQ_UNBOUND | WQ_HIGHPRI | WQ_MEM_RECLAIM, 0);
	if (!e4c_read_wq)
		return -ENOMEM;
	err = register_random_vmfork_notifier(&vmfork_nb);
	if (err)
		destroy_workqueue(e4c_read_wq);
	return err;
}

/* Hook in module exit. */
void e4c_module_exit(void)
{
	unregister_random_vmfork_notifier(&vmfork_nb);
	/* Nodes are freed by our own callback. */
	rcu_barrier();
	destroy_workqueue(e4c_read_wq);
}
