#ifndef CSI_IDS_H
#define CSI_IDS_H
#include <stdbool.h>
#include <stdint.h>

#include "core/rand.h"

/* Every identifier's form, in one place. All pure but id_new_nqn, which draws a random
 * suffix. Sizes include the NUL. */
enum { ID_VOLUME = 129, ID_NQN = 224, ID_NODE = 64 };

/* The managed prefix. Prefix + lower-case id is the base: what the drivers before this
 * one export a volume under, and the family's name of all that it is ever exported as. */
#define ID_NQN_PREFIX "nqn.2000-02.com.mikrotik:"
/* A node's topology keys, behind "topology.<driver>/". The zone is the earlier driver's
 * too; its node plugin has no other, so that the second one, which CSINode shows, tells
 * that a node plugin heeds the publish_context. */
#define ID_TOPOLOGY_ZONE "zone"
#define ID_TOPOLOGY_PLUGIN "plugin"

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
/* base(id).g<generation>-<8 random hex>: a name that never was, and is never used again
 * once given up. Generation 0 is for a volume that is made; each fence takes the next. */
void id_new_nqn(const char *id, uint32_t generation, char out[ID_NQN]);
/* Whether nqn is base(id) or a form of it as above; its generation (0 for the base). */
bool id_nqn_is_of(const char *nqn, const char *id, uint32_t *ret_generation);

/* uuidv5(N, "fs:<id>"): the UUID of the volume's file system, so that any node can prove
 * it without stored state. N = uuidv5(DNS, "rds.csi.srvlab.io") for ever. */
void id_fs_uuid(const char *id, char out[UUID_TEXT]);
/* uuidv5(N, "host:<node>"): the host's NVMe identifier, the same at every start, and the
 * NQN that the NVMe base specification makes of it (4.5). */
void id_host(const char *node, char ret_uuid[UUID_TEXT], char ret_nqn[ID_NQN]);
/* The node's name as the record holds it: itself, or its uuidv5 when longer than 63. */
void id_record_node(const char *node, char out[ID_NODE]);
#endif
