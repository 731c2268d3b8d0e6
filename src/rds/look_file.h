#ifndef RDS_LOOK_FILE_H
#define RDS_LOOK_FILE_H
#include "rds/look_facts.h"

/* The two key files, looked at without a network. */

/* What the text of a private key file is, as far as its form tells: GOOD, PUBLIC,
 * ENCRYPTED, EMPTY or WRONG. Pure. */
enum look_file look_key_kind(const char *text);
/* Fills in key, host_key and file_error. */
void look_files(struct look_facts *f, const struct ssh_conf *conf);
#endif
