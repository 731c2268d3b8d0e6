#ifndef NVME_HELPER_H
#define NVME_HELPER_H

/* The child's side: "rds-csi helper VERB ARGS…" does one thing that may block in the
 * kernel, writes one JSON line on stdout and leaves by _exit. argv[0] is "helper". It
 * opens no library but libblkid (for probe) and never returns. */
int helper_main(int argc, char **argv) __attribute__((noreturn));
#endif
