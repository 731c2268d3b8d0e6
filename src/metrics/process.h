#ifndef METRICS_PROCESS_H
#define METRICS_PROCESS_H
#include "metrics/expo.h"

/* What the kernel says of this process (proc(5)), read at each scrape: memory, processor
 * time, open files, when it started. Collectors; what cannot be read is absent. */
expo_collect_fn process_cpu, process_rss, process_fds, process_start;
#endif
