/* SPDX-License-Identifier: Apache-2.0 */
/* soft.h - mount option soft: nobody waits for silent servers for ever; see soft.c. Lane's thread.
 */
#pragma once
#include "client/fuse/face.h"

void soft_init(struct flane *fl);
/* There are requests: looks at them now and then as long as there are. */
void soft_look(struct flane *fl);
