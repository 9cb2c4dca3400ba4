/*
 * variant.h - other ways than the usual, forced when the library is built, so that every test can run on them. CMake's REGLET_VARIANT
 * sets them; `make check-variants` builds and tests each.
 */
#ifndef REGLET_UTIL_VARIANT_H
#define REGLET_UTIL_VARIANT_H

#ifndef REGLET__NO_IMAGES
#define REGLET__NO_IMAGES 0 /* each instance initialises itself, whatever the options say */
#endif
#ifndef REGLET__NO_SCAN
#define REGLET__NO_SCAN 0 /* as if the kernel did not say which pages were written */
#endif
#ifndef REGLET__FAST_COMPILER
#define REGLET__FAST_COMPILER 0 /* alone, where nothing else is chosen */
#endif
#ifndef REGLET__OPTIMIZING_COMPILER
#define REGLET__OPTIMIZING_COMPILER 0 /* the same */
#endif
#ifndef REGLET__PRIME
#define REGLET__PRIME 0 /* images are primed, whatever the options say */
#endif

#endif
