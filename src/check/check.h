#ifndef CHECK_CHECK_H
#define CHECK_CHECK_H

/* `rds-csi check`: looks at the box from where it runs and says, one line a finding, what
 * is well and what is missing, with what to do. Changes nothing on the box. */
enum check_status { CHECK_WELL, CHECK_MISSING, CHECK_BAD_FLAG };

/* argv[0] is "check". The exit status: enum check_status. */
int check_main(int argc, char **argv);
#endif
