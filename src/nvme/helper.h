#ifndef NVME_HELPER_H
#define NVME_HELPER_H
#include <stddef.h>

/* The child's side: "helper VERB ARGS…" does one thing that may block in the kernel, and
 * answers by one JSON line. argv[0] is "helper". */

/* In a worker, which goes on to other verbs: writes the line to out, max bytes at most,
 * and returns its length. */
size_t helper_answer(int argc, char **argv, char *out, size_t max);
/* In a program of its own: writes the line on stdout and leaves by _exit. */
int helper_main(int argc, char **argv) __attribute__((noreturn));
#endif
