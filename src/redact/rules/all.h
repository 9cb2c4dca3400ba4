/* The tables in their order: where two rules find the same text, the first one names it. No include guard, on purpose. */
#include "redact/rules/parts.h"

#include "redact/rules/keys.def"

#include "redact/rules/cloud.def"

#include "redact/rules/code.def"

#include "redact/rules/chat.def"

#include "redact/rules/payment.def"

#include "redact/rules/mail.def"

#include "redact/rules/packages.def"

#include "redact/rules/monitoring.def"

#include "redact/rules/identity.def"

#include "redact/rules/work.def"

#include "redact/rules/ai.def"

#include "redact/rules/data.def"

#include "redact/rules/hashes.def"

#include "redact/rules/generic.def"
