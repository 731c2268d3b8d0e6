#ifndef CSI_REGISTRATION_H
#define CSI_REGISTRATION_H
#include <sys/types.h>

#include "core/op.h"
#include "csi/dispatch.h"
#include "csi/grpc/server.h"

/* Makes the node plugin known to the kubelet, without a registrar beside it: a second
 * gRPC server on a socket in <kubelet>/plugins_registry, which the kubelet's plugin
 * watcher finds, asks (pluginregistration.Registration/GetInfo) and tells the outcome
 * (NotifyRegistrationStatus). To be started once the CSI socket answers, for the kubelet
 * asks NodeGetInfo before it says yes. The watcher passes over names that begin with a
 * dot (Kubernetes 1.11 on, pluginwatcher), under which the socket is made.
 *
 * The directory may come later, and may be made anew by a kubelet that starts over: the
 * socket is then bound anew. A long-lived op: op.err is CANCELLED when it was stopped,
 * UNAVAILABLE when the kubelet refused the plugin. Owned by the caller. */
struct registration_conf {
	struct csi *csi;
	const char *socket;   /* borrowed; <kubelet>/plugins_registry/<driver>-reg.sock */
	const char *endpoint; /* borrowed; the CSI socket as the kubelet sees it */
};

struct registration {
	struct op op;
	struct registration_conf conf;
	bool is_registered; /* the kubelet said so, of the socket that is there */
	/* Private. */
	struct dispatch dispatch;
	const struct rpc_method *tables[1];
	struct grpc_server server;
	dev_t dev; /* of the socket's file, to see that it is still ours */
	ino_t ino;
	uv_fs_event_t dir_watch, parent_watch;
	struct clock_timer look; /* the next look, whatever the watches say */
};

/* conf must have been set. */
void registration_start(struct registration *r, void (*done)(struct op *op));
/* Removes the socket, upon which the kubelet takes the plugin for gone. */
void registration_stop(struct registration *r);
#endif
