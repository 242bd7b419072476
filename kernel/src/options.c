// SPDX-License-Identifier: GPL-2.0-only
/*
 * The mount options that ext4 does not have:
 *
 *   encrypt_key_sig=IDENTIFIER   the default key of the mount; see default_keys.c
 *   devices, nodevices           may device nodes on the volume be opened?
 *
 * What is on a device node is not authentic, so who writes to the disk could
 * put one anywhere. mount(8) keeps its own options dev and nodev to itself, and no
 * file system hears of them: hence another name, and none by default.
 */
#include "e4c.h"
#include <linux/fs_context.h>
#include <linux/fs_parser.h>
#include <linux/hex.h>
#include <linux/seq_file.h>

static int parse_key(struct e4c_default_key *key, struct fs_parameter *param)
{
	if (param->type != fs_value_is_string || strlen(param->string) != 2 * sizeof(key->identifier) ||
	    hex2bin(key->identifier, param->string, sizeof(key->identifier))) {
		pr_err("ext4crypt: encrypt_key_sig must be a key identifier of 32 hexadecimal digits: see ext4crypt status\n");
		return -EINVAL;
	}
	key->set = true;
	return 0;
}

static int parse_devices(struct e4c_options *options, struct fs_context *fc,
			 struct fs_parameter *param, bool allowed)
{
	if (param->type != fs_value_is_flag) {
		pr_err("ext4crypt: %s takes no value: mount with -o %s\n", param->key, param->key);
		return -EINVAL;
	}
	/* The superblock's own options come in a context of no type, and who has the disk writes them. */
	if (!fc->fs_type) {
		pr_err("ext4crypt: %s in the superblock's mount options does not count: clear it with tune2fs -E mount_opts=, and mount with -o %s\n",
		       param->key, param->key);
		return -EINVAL;
	}
	options->devices_given = true;
	options->devices = allowed;
	return 0;
}

/* Hook in option parsing. -ENOPARAM: not ours. */
int e4c_parse_param(struct e4c_options *options, struct fs_context *fc, struct fs_parameter *param)
{
	if (!strcmp(param->key, "encrypt_key_sig"))
		return parse_key(&options->key, param);
	if (!strcmp(param->key, "devices"))
		return parse_devices(options, fc, param, true);
	if (!strcmp(param->key, "nodevices"))
		return parse_devices(options, fc, param, false);
	return -ENOPARAM;
}

static void devices_apply(struct super_block *sb)
{
	if (EXT4_SB(sb)->s_e4c.devices)
		sb->s_iflags &= ~SB_I_NODEV;
	else
		sb->s_iflags |= SB_I_NODEV;
}

/* Hook where the options take effect; a remount without an option keeps it. */
void e4c_apply_options(struct super_block *sb, const struct e4c_options *options)
{
	struct e4c_sb_state *state = &EXT4_SB(sb)->s_e4c;

	state->key_before = state->key;
	state->devices_before = state->devices;
	if (options->key.set)
		state->key = options->key;
	if (options->devices_given)
		state->devices = options->devices;
	devices_apply(sb);
}

/* Hook where a remount is refused after that. */
void e4c_restore_options(struct super_block *sb)
{
	struct e4c_sb_state *state = &EXT4_SB(sb)->s_e4c;

	state->key = state->key_before;
	state->devices = state->devices_before;
	devices_apply(sb);
}

/* Hook in /proc/mounts. */
void e4c_show_options(struct seq_file *seq, char sep, struct super_block *sb)
{
	const struct e4c_sb_state *state = &EXT4_SB(sb)->s_e4c;

	if (state->key.set)
		seq_printf(seq, "%cencrypt_key_sig=%*phN", sep, (int)sizeof(state->key.identifier),
			   state->key.identifier);
	if (state->devices)
		seq_printf(seq, "%cdevices", sep);
}
