#ifndef CTL_DRIVE_H
#define CTL_DRIVE_H
#include "csi.pb-c.h"
#include "csi/controller/attachments.h"
#include "csi/dispatch.h"
#include "fakes/fake_k8s.h"
#include "fakes/fake_rds.h"
#include "support/t.h"

/* A controller over the fake box, called through dispatch without a connection. The test
 * file includes fakes/call_seam.h once. Nodes: node-a (own), node-b, node-c; any other is
 * unknown. With a cluster the same three are there, Ready. */
struct grpc_call {
	const char *path;
	void *message, *reply; /* malloc'd, so that mem_live() is the driver's alone */
	size_t len, reply_len;
	unsigned n_answers;
	struct err err; /* of the answer */
};

struct ctl {
	struct t_loop l;
	struct fake_rds box;
	struct csi csi;
	struct dispatch dispatch;
	struct fake_k8s cluster; /* with ctl_open_k8s */
};

void ctl_open(struct ctl *c);
void ctl_open_k8s(struct ctl *c);
void ctl_close(struct ctl *c);
/* Another controller process: nothing is believed any more. */
void ctl_restart(struct ctl *c);

/* method: "DeleteVolume". The request is packed at once. */
void ctl_start(struct ctl *c, struct grpc_call *call, const char *method,
	       const void *request);
void ctl_finish(struct ctl *c, struct grpc_call *call);
/* Both; the code of the answer. */
enum err_code ctl_call(struct ctl *c, struct grpc_call *call, const char *method,
		       const void *request);
/* The answer, to be freed by protobuf_c_message_free_unpacked. */
void *ctl_reply(const struct grpc_call *call, const ProtobufCMessageDescriptor *desc);
void ctl_call_free(struct grpc_call *call);

/* Short forms: the code, and what is asked for most. */
enum err_code ctl_create(struct ctl *c, const char *id, int64_t bytes);
enum err_code ctl_publish(struct ctl *c, const char *id, const char *node);
enum err_code ctl_publish_as(struct ctl *c, const char *id, const char *node, int mode,
			     bool readonly);
enum err_code ctl_unpublish(struct ctl *c, const char *id, const char *node);
enum err_code ctl_delete(struct ctl *c, const char *id);
/* Turns the loop until annotations and the like are written. */
void ctl_idle(struct ctl *c);
/* The message of the last short form that failed. */
const char *ctl_message(void);

/* One capability: block when mode is MULTI_NODE_MULTI_WRITER, else mount. */
struct ctl_cap {
	Csi__V1__VolumeCapability cap, *list[1];
	Csi__V1__VolumeCapability__AccessMode mode;
	Csi__V1__VolumeCapability__BlockVolume block;
	Csi__V1__VolumeCapability__MountVolume mount;
};
void ctl_cap(struct ctl_cap *cap, int mode);
#define CTL_MODE(x) CSI__V1__VOLUME_CAPABILITY__ACCESS_MODE__MODE__##x
#endif
