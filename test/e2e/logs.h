#ifndef E2E_LOGS_H
#define E2E_LOGS_H

/* What the drivers of a test have written (NAME.log in its directory), looked at once
 * everything has ended, however it did: each line is JSON with the fixed keys first, and
 * none holds a piece of a private key that a driver was given, or LOGS_SECRET. A line
 * that a kill cut short may stand before the next start's first. */
void logs_check(const char *dir);

/* Stands wherever a secret belongs: in the secrets of every request, in tokens, in key
 * files that are none. No answer may hold it either. */
#define LOGS_SECRET "planted-Secret+7f3a/for-no-eyes"
#endif
