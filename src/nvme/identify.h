#ifndef NVME_IDENTIFY_H
#define NVME_IDENTIFY_H
#include <stdint.h>

#include "nvme/facts.h"

/* What a target says of a namespace: the data structures of Identify that we read.
 * Pure; the bytes are the target's, and may be anything. Source: NVM Express Base
 * Specification 2.0, 5.17.2 and figure 281; NVM Command Set 1.0, figure 97. */
enum { IDENTIFY_SIZE = 4096 };

/* Identify Namespace (CNS 0): the size in bytes; 0 when it makes no sense, as for a
 * namespace that is not active. */
uint64_t identify_size(const uint8_t data[IDENTIFY_SIZE]);
/* Namespace Identification Descriptor list (CNS 3): the UUID as text, else the NGUID as
 * 32 digits, else "". */
void identify_ns_id(const uint8_t data[IDENTIFY_SIZE], char out[NVME_UUID_MAX + 1]);
/* Active Namespace ID list (CNS 2): its first entry; 0 when there is none. */
uint32_t identify_first_nsid(const uint8_t data[IDENTIFY_SIZE]);
#endif
