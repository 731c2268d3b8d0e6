#ifndef CORE_PAGES_H
#define CORE_PAGES_H

/* What memory this process holds beyond its heap. Neither can fail in a way that matters.
 */

/* No huge pages for this process and its children: where the kernel makes them always
 * (Debian's default), a heap that a burst has stretched becomes pages of 2 MiB, whole,
 * used or not. Best before the first allocation. */
void pages_small(void);
/* Gives back what the dynamic loader alone has read of the libraries: their relocations
 * and symbols, 850 KiB of libcrypto's. Other constants among it are read again from the
 * file when they are needed. Once, after the start. */
void pages_drop_loaders(void);
#endif
