// SPDX-License-Identifier: GPL-2.0-only
/*
 * /sys/fs/ext4crypt/DEVICE/authentication/: counters since the mount, and the
 * crypto driver in use.
 */
#include "e4c.h"
#include <linux/kobject.h>
#include <linux/sysfs.h>

static struct e4c_sb_state *state_of(struct kobject *kobj)
{
	return &container_of(kobj->parent, struct ext4_sb_info, s_kobj)->s_e4c;
}

static ssize_t counter_show(struct kobject *kobj, enum e4c_counter counter, char *buf)
{
	return sysfs_emit(buf, "%lld\n", atomic64_read(&state_of(kobj)->counter[counter]));
}

#define COUNTER(_name, _counter)							\
static ssize_t _name##_show(struct kobject *kobj, struct kobj_attribute *attr, char *buf) \
{											\
	return counter_show(kobj, _counter, buf);					\
}											\
static struct kobj_attribute _name##_attr = __ATTR_RO(_name)

COUNTER(pages_sealed, E4C_PAGES_SEALED);
COUNTER(pages_opened, E4C_PAGES_OPENED);
COUNTER(pages_journaled, E4C_PAGES_JOURNALED);
COUNTER(failures, E4C_FAILURES);

static ssize_t aead_driver_show(struct kobject *kobj, struct kobj_attribute *attr, char *buf)
{
	return sysfs_emit(buf, "%s\n", state_of(kobj)->aead_driver);
}
static struct kobj_attribute aead_driver_attr = __ATTR_RO(aead_driver);

static struct attribute *attrs[] = {
	&pages_sealed_attr.attr,
	&pages_opened_attr.attr,
	&pages_journaled_attr.attr,
	&failures_attr.attr,
	&aead_driver_attr.attr,
	NULL
};

static const struct attribute_group group = { .attrs = attrs };

/* Hook after ext4 has made the directory of this mount. Not having it is no error. */
void e4c_sysfs_add(struct super_block *sb)
{
	struct ext4_sb_info *sbi = EXT4_SB(sb);
	struct kobject *kobj = kobject_create_and_add("authentication", &sbi->s_kobj);

	if (kobj && sysfs_create_group(kobj, &group)) {
		kobject_put(kobj);
		kobj = NULL;
	}
	sbi->s_e4c.kobj = kobj;
}

/* Hook before ext4 removes it: with the mount goes its record. */
void e4c_sysfs_remove(struct super_block *sb)
{
	e4c_record_free(sb);
	kobject_put(EXT4_SB(sb)->s_e4c.kobj);
	EXT4_SB(sb)->s_e4c.kobj = NULL;
}
