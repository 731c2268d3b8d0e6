#ifndef CSI_CALL_HELP_H
#define CSI_CALL_HELP_H
#include <protobuf-c/protobuf-c.h>

#include "core/buf.h"

/* The four services, from the generated descriptors; ended by NULL. */
extern const ProtobufCServiceDescriptor *const call_services[];

/* By "CreateVolume", "Controller/CreateVolume" or the gRPC path; NULL = none. */
const ProtobufCMethodDescriptor *call_find(
	const char *name, const ProtobufCServiceDescriptor **ret_service);
/* The text of `rds-csi call --help`: every method with its request's fields. 0 or -1. */
int call_help(struct buf *out);
#endif
