// SPDX-License-Identifier: GPL-2.0-only
/*
 * What journaled overwrites leave behind: which transaction overwrote each
 * inode last, so that only blocks that may be in the log are revoked when they are
 * freed; and how many pages the running transaction pins, which nobody else counts.
 */
#include "e4c.h"
#include <linux/mm.h>

/* Entries of the record before it is first swept. */
#define SWEEP_MIN 4096

void e4c_record_init(struct super_block *sb)
{
	struct e4c_sb_state *state = &EXT4_SB(sb)->s_e4c;

	xa_init(&state->overwritten);
	state->sweep_at = SWEEP_MIN;
	spin_lock_init(&state->pinned_lock);
}

/* No inode is left. */
void e4c_record_free(struct super_block *sb)
{
	xa_destroy(&EXT4_SB(sb)->s_e4c.overwritten);
}

static bool in_log(struct super_block *sb, tid_t tid)
{
	return tid_geq(tid, READ_ONCE(EXT4_SB(sb)->s_journal->j_tail_sequence));
}

/*
 * Forget inodes whose overwrites have left the log. What is left is no more than
 * the log has blocks, and twice that many come together before the next time.
 */
static void sweep(struct super_block *sb)
{
	struct e4c_sb_state *state = &EXT4_SB(sb)->s_e4c;
	unsigned int left = 0;
	unsigned long ino;
	void *entry;

	xa_for_each(&state->overwritten, ino, entry) {
		if (in_log(sb, xa_to_value(entry)))
			left++;
		else	/* unless it was overwritten meanwhile */
			xa_cmpxchg(&state->overwritten, ino, entry, NULL, GFP_NOFS);
	}
	atomic_set(&state->overwritten_count, left);
	WRITE_ONCE(state->sweep_at, max(SWEEP_MIN, 2 * left));
}

static void pinned_count(struct e4c_sb_state *state, tid_t tid)
{
	spin_lock(&state->pinned_lock);
	if (state->pinned_tid != tid) {
		state->pinned_tid = tid;
		state->pinned = 0;
	}
	state->pinned++;
	spin_unlock(&state->pinned_lock);
}

/* A page of @inode was overwritten in the transaction of @handle. */
void e4c_overwrite_note(handle_t *handle, struct inode *inode)
{
	struct e4c_sb_state *state = &EXT4_SB(inode->i_sb)->s_e4c;
	tid_t tid = handle->h_transaction->t_tid;
	void *entry = xa_mk_value(tid), *before;

	pinned_count(state, tid);
	ext4_update_inode_fsync_trans(handle, inode, 1);
	if (xa_load(&state->overwritten, inode->i_ino) == entry)
		return;
	before = xa_store(&state->overwritten, inode->i_ino, entry, GFP_NOFS | __GFP_NOWARN);
	if (xa_is_err(before))
		/* Without memory: of any inode. Bit 32 says that there was one. */
		WRITE_ONCE(state->overwritten_any, BIT_ULL(32) | tid);
	else if (!before && atomic_inc_return(&state->overwritten_count) >=
			    READ_ONCE(state->sweep_at))
		sweep(inode->i_sb);
}

/* May data blocks of @inode be in the log? While it reaches back to their last overwrite. */
bool e4c_data_in_log(struct inode *inode)
{
	struct e4c_sb_state *state = &EXT4_SB(inode->i_sb)->s_e4c;
	void *entry = xa_load(&state->overwritten, inode->i_ino);
	u64 any = READ_ONCE(state->overwritten_any);

	return (entry && in_log(inode->i_sb, xa_to_value(entry))) ||
	       (any && in_log(inode->i_sb, (tid_t)any));
}

/*
 * Before a handle for writeback is started, with no page locked: the pages that a
 * transaction overwrites stay in memory until it has committed, and no dirty limit
 * counts them. With a large journal and little memory they would be all there is. So
 * a transaction that pins a thirty-second of memory commits, and one may follow
 * while it does.
 */
void e4c_overwrites_throttle(struct inode *inode)
{
	struct e4c_sb_state *state = &EXT4_SB(inode->i_sb)->s_e4c;
	journal_t *journal = EXT4_JOURNAL(inode);
	unsigned long limit = max(2048UL, totalram_pages() / 32), pinned;
	tid_t tid, started;
	bool running;

	spin_lock(&state->pinned_lock);
	pinned = state->pinned;
	tid = state->pinned_tid;
	spin_unlock(&state->pinned_lock);
	if (pinned < limit)
		return;
	read_lock(&journal->j_state_lock);
	running = journal->j_running_transaction && journal->j_running_transaction->t_tid == tid;
	read_unlock(&journal->j_state_lock);
	if (!running || !jbd2_journal_start_commit(journal, &started))
		return;
	/* Joining it again and again before it is locked must end. */
	jbd2_log_wait_commit(journal, pinned < 2 * limit ? tid - 1 : tid);
}
