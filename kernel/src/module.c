// SPDX-License-Identifier: GPL-2.0-only
/*
 * What exists once for the module: the workers that open pages after a read, the
 * memory that writeback can always count on, the hash that keys are derived with, and the
 * epoch.
 */
#include "e4c.h"
#include <linux/workqueue.h>

struct workqueue_struct *e4c_read_wq;

/* Hook in module initialisation. */
int e4c_module_init(void)
{
	int err = e4c_hkdf_init();

	if (err)
		return err;
	err = -ENOMEM;
	e4c_read_wq = alloc_workqueue("ext4crypt_read",
				      WQ_UNBOUND | WQ_HIGHPRI | WQ_MEM_RECLAIM, 0);
	if (!e4c_read_wq)
		goto err_exit_hkdf;
	err = e4c_bounce_init();
	if (err)
		goto err_destroy_wq;
	err = e4c_epoch_init();
	if (err)
		goto err_exit_bounce;
	return 0;

err_exit_bounce:
	e4c_bounce_exit();
err_destroy_wq:
	destroy_workqueue(e4c_read_wq);
err_exit_hkdf:
	e4c_hkdf_exit();
	return err;
}

/* Hook in module exit. */
void e4c_module_exit(void)
{
	e4c_epoch_exit();
	/* Nodes are freed by our own callback. */
	rcu_barrier();
	e4c_bounce_exit();
	destroy_workqueue(e4c_read_wq);
	e4c_hkdf_exit();
}
