#ifndef SUPPORT_H2PEER_H
#define SUPPORT_H2PEER_H
#include <nghttp2/nghttp2.h>
#include <stddef.h>
#include <stdint.h>

/* The other end of an HTTP/2 connection, made of bare frames: what it sends is collected
 * in out, what it receives is turned into a text with one line a frame, such as
 *   HEADERS(1) :status=200 content-type=application/grpc
 *   DATA(1) 10
 *   HEADERS(1,END) grpc-status=0
 * It checks nothing and answers nothing by itself, so it can misbehave at will. Does not
 * use core/mem: a failing allocation is always the tested side's. */
struct h2peer {
	uint8_t *out; /* bytes for the tested side */
	size_t n_out, cap_out;
	uint8_t *in; /* a frame that has not come whole */
	size_t n_in;
	char *trace; /* never NULL */
	size_t n_trace;
	size_t n_data; /* DATA bytes received */
	nghttp2_hd_deflater *deflater;
	nghttp2_hd_inflater *inflater;
};

void h2peer_open(struct h2peer *p);
void h2peer_close(struct h2peer *p);
void h2peer_preface(struct h2peer *p); /* the client's magic and an empty SETTINGS */
void h2peer_bytes(struct h2peer *p, const void *bytes, size_t n);
void h2peer_frame(struct h2peer *p, uint8_t type, uint8_t flags, uint32_t id,
		  const void *payload, size_t n);
/* HEADERS with END_HEADERS added; fields is "name: value" lines. */
void h2peer_headers(struct h2peer *p, uint8_t flags, uint32_t id, const char *fields);
/* A gRPC request's usual headers for the path, then the extra lines. */
void h2peer_request(struct h2peer *p, uint8_t flags, uint32_t id, const char *path,
		    const char *extra);
/* DATA with the 5-byte prefix and the message. */
void h2peer_message(struct h2peer *p, uint8_t flags, uint32_t id, const char *text);
void h2peer_u32(struct h2peer *p, uint8_t type, uint32_t id, uint32_t value);
void h2peer_receive(struct h2peer *p, const void *bytes, size_t n);
void h2peer_forget(struct h2peer *p); /* empties out and trace */
#endif
