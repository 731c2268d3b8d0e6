#ifndef K8S_STAMP_H
#define K8S_STAMP_H
#include <stdint.h>

/* Times as the API writes them (RFC 3339, UTC). Pure. */
enum { K8S_STAMP = 32 };

/* "2026-01-02T03:04:05Z" (metav1.Time). */
void k8s_stamp(uint64_t wall_us, char out[K8S_STAMP]);
/* "2026-01-02T03:04:05.678901Z" (metav1.MicroTime, which demands all six digits). */
void k8s_stamp_micro(uint64_t wall_us, char out[K8S_STAMP]);
#endif
