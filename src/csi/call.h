#ifndef CSI_CALL_H
#define CSI_CALL_H

/* The command `rds-csi call METHOD [JSON]`: a CSI client for people. argv[0] is "call".
 * Prints the answer as JSON, or "CODE: message" on stderr; returns the gRPC code, or 2
 * when the command line or the JSON is wrong. Runs a loop of its own. */
int call_main(int argc, char **argv);
#endif
