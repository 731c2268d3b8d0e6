#ifndef EXPORT_ALL_H
#define EXPORT_ALL_H

/* `rds-csi export-all`: puts the exports of all volumes of this cluster on under the
 * plain NQN where that is safe, for the way back to the driver before this one. Only
 * main.c includes it. */
enum {
	EXPORT_ALL_ON = 0,    /* every volume is on, or would be put on */
	EXPORT_ALL_LEFT = 1,  /* some were left */
	EXPORT_ALL_FLAG = 2,  /* a bad flag */
	EXPORT_ALL_UNDONE = 3 /* box or API server gave no answer, or a controller runs */
};

/* argv[0] is "export-all". The exit status. */
int export_all_main(int argc, char **argv);
#endif
