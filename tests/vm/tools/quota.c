// SPDX-License-Identifier: Apache-2.0
/*
 * e4c-quota DEVICE set UID KIB   a hard limit of blocks for a user
 * e4c-quota DEVICE get UID       the bytes that he is charged
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/quota.h>

int main(int argc, char **argv)
{
	struct dqblk quota = { 0 };

	if (argc == 5 && !strcmp(argv[2], "set")) {
		quota.dqb_bhardlimit = strtoull(argv[4], NULL, 0);
		quota.dqb_valid = QIF_BLIMITS;
		if (quotactl(QCMD(Q_SETQUOTA, USRQUOTA), argv[1], atoi(argv[3]), (char *)&quota) == 0)
			return 0;
	} else if (argc == 4 && !strcmp(argv[2], "get")) {
		if (quotactl(QCMD(Q_GETQUOTA, USRQUOTA), argv[1], atoi(argv[3]), (char *)&quota) == 0) {
			printf("%llu\n", (unsigned long long)quota.dqb_curspace);
			return 0;
		}
	} else {
		fprintf(stderr, "e4c-quota: see the head of tools/quota.c\n");
		return 2;
	}
	fprintf(stderr, "quotactl: %s\n", strerrorname_np(errno));
	return 1;
}
