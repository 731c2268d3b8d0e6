#ifndef CSI_IDS_H
#define CSI_IDS_H
#include <stdbool.h>
#include <stdint.h>

#include "core/rand.h"

/* Every identifier's form, in one place. All pure but id_fenced_nqn, which draws a random
 * suffix. Sizes include the NUL. */
enum { ID_VOLUME = 129, ID_NQN = 224, ID_NODE = 64 };

/* The managed prefix; the NQN of a volume never fenced is prefix + lower-case id. */
#define ID_NQN_PREFIX "nqn.2000-02.com.mikrotik:"

/* [A-Za-z0-9][A-Za-z0-9-]{0,127}: a volume id is a CreateVolume name, a disk slot and
 * part of a file name, so nothing else may reach the box. */
bool id_is_volume(const char *id);
/* Lower-case hex and dashes as the API server makes them are not required: any
 * [A-Za-z0-9-]{1,36}. */
bool id_is_cluster(const char *id);
/* A Kubernetes node name (RFC 1123 subdomain, 253 characters at most). */
bool id_is_node(const char *node);

/* id must be valid. */
void id_base_nqn(const char *id, char out[ID_NQN]);
/* base(id).g<generation>-<8 random hex>: never used again once given up. */
void id_fenced_nqn(const char *id, uint32_t generation, char out[ID_NQN]);
/* Whether nqn is base(id) or a fenced form of it; its generation (0 for the base). */
bool id_nqn_is_of(const char *nqn, const char *id, uint32_t *ret_generation);

/* uuidv5(N, "fs:<id>"): the UUID of the volume's file system, so that any node can prove
 * it without stored state. N = uuidv5(DNS, "rds.csi.srvlab.io") for ever. */
void id_fs_uuid(const char *id, char out[UUID_TEXT]);
/* uuidv5(N, "host:<node>"): the host's NVMe identifier, the same at every start. */
void id_host_uuid(const char *node, char out[UUID_TEXT]);
/* The node's name as the record holds it: itself, or its uuidv5 when longer than 63. */
void id_record_node(const char *node, char out[ID_NODE]);
#endif
