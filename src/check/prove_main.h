#ifndef CHECK_PROVE_MAIN_H
#define CHECK_PROVE_MAIN_H
#include "check/args.h"

/* `rds-csi check --prove-fence`: a whole fence on a scratch volume of the real box, with
 * a live writer on this machine, and whether any of its writes arrived afterwards. */
enum prove_status { PROVE_PROVEN, PROVE_LEAKS, PROVE_BAD_FLAG, PROVE_UNTRIED };

int prove_main(const struct check_args *args);
#endif
