/*
 * limits.h - every limit on what a guest can drive, by name. Options can lower or raise those that say so.
 */
#ifndef REGLET_UTIL_LIMITS_H
#define REGLET_UTIL_LIMITS_H

#include <stddef.h>
#include <stdint.h>

/* Defaults of options. */
#define REGLET__DEFAULT_TIMEOUT_MS       INT64_C(30000)
#define REGLET__DEFAULT_MEMORY_MIB       INT64_C(256)
#define REGLET__LOW_MEMORY_MIB           INT64_C(64) /* below: a warning, Go plugins will not start */
#define REGLET__MAX_MEMORY_MIB           INT64_C(4096)
#define REGLET__DEFAULT_EVIDENCE_BYTES   (INT64_C(1) << 20)
#define REGLET__DEFAULT_OUTPUT_BYTES     (INT64_C(1) << 20)
#define REGLET__DEFAULT_TABLE_ELEMENTS   INT64_C(1000000)
#define REGLET__DEFAULT_MODULE_BYTES     (INT64_C(128) << 20)
#define REGLET__DEFAULT_CACHE_BYTES      (INT64_C(2) << 30)
#define REGLET__DEFAULT_IMAGE_AGE_MS     INT64_C(60000)
#define REGLET__DEFAULT_IMAGE_CALLS      INT64_C(100000)
#define REGLET__DEFAULT_CONCURRENT_CALLS INT64_C(1000)
#define REGLET__DEFAULT_LOG_MESSAGES     INT64_C(10000)
#define REGLET__DEFAULT_LOG_BYTES        (INT64_C(1) << 20)
#define REGLET__DEFAULT_HOST_CALLS       INT64_C(100000)
#define REGLET__DEFAULT_NETWORK_IN       (INT64_C(256) << 20)
#define REGLET__DEFAULT_NETWORK_OUT      (INT64_C(64) << 20)
#define REGLET__DEFAULT_COMMANDS         INT64_C(1000)
#define REGLET__DEFAULT_OPEN_FILES       INT64_C(256) /* with stdio and preopens */
#define REGLET__MAX_OPEN_FILES           INT64_C(4096)

/* Fixed. */
#define REGLET__MAX_RESULT_BYTES  (INT64_C(64) << 20)  /* one answer of a guest; an option can lower it */
#define REGLET__MAX_CONFIG_BYTES  ((size_t)16 << 20)   /* a config as JSON */
#define REGLET__MAX_REQUEST_BYTES ((uint32_t)32 << 20) /* one request to a host function: a body in base64 */
#define REGLET__MAX_RESPONSE_BYTES                                                                           \
    ((size_t)128 << 20) /* one response: both streams of a command, when all is escaped */
#define REGLET__MAX_BODY_BYTES ((size_t)10 << 20) /* an HTTP body; stdout and stderr of a command, each */
#define REGLET__MAX_HANDED_OVER_BYTES                                                                        \
    ((uint64_t)64 << 20) /* strings and lists that a component hands over in one call of either side */
#define REGLET__MAX_IMAGE_BYTES     ((size_t)128 << 20) /* memory of a plugin that an image is taken of */
#define REGLET__MAX_RECORDING_BYTES ((size_t)64 << 20)  /* that a recording takes down, nearly as text */
#define REGLET__MAX_RECORDING_TEXT  ((size_t)256 << 20) /* of one that is read */
#define REGLET__WASM_STACK_BYTES    ((size_t)512 << 10) /* stack of guest code */
#define REGLET__HOST_STACK_BYTES    ((size_t)256 << 10) /* besides, for the host functions it calls */
#define REGLET__THREAD_STACK_BYTES  ((size_t)2 << 20)   /* of the library's own threads */

enum {
    REGLET__JSON_DEPTH = 100,             /* nesting of what a guest answers */
    REGLET__JSON_VALUES = 1000000,        /* values in what a guest answers */
    REGLET__JSON_CONTAINERS = 400002,     /* of these, objects and arrays */
    REGLET__MAX_CAPABILITIES = 1000,      /* declared by one plugin */
    REGLET__MAX_RECORDED_CALLS = 1000000, /* in one recording */
    REGLET__RECORDING_DEPTH = 8,       /* levels that a line of a recording adds to a request or a response */
    REGLET__RECORDING_VALUES = 400000, /* in one of them that is recorded as JSON; with more it is text */
    REGLET__MAX_FIELDS = 1000,         /* in one schema */
    REGLET__MAX_SERVICES = 1000,       /* services, and operations of one service, in one manifest */
    REGLET__MAX_LOG_ATTRS = 64,        /* attributes of one log_message */
    REGLET__MAX_LOG_LINE = 16384,      /* bytes of one line on stdout or stderr; longer ones are split */
    REGLET__MAX_LOG_REQUEST = 65536,   /* bytes of one log_message request */
    REGLET__MAX_COOKIES = 1 << 20,     /* places in all open directories of one instance: 32 bytes each */
    REGLET__MAX_HOST_MESSAGE =
        3 * 4096, /* bytes of an error's message, and of what a denial says was asked: twice a pattern */
    REGLET__MAX_HOST_EVENTS =
        1000, /* events of the library about the requests of one call; more are not logged */
    REGLET__MAX_REQUEST_ID = 256,    /* bytes of a request's own id, in what is logged about it */
    REGLET__MAX_DENIALS = 1000,      /* refusals of one call that are reported; more are refused silently */
    REGLET__MAX_SUBSCRIPTIONS = 128, /* of one poll_oneoff */
    REGLET__MAX_IOVECS = 1024,       /* of one fd_read, fd_write, … */
    REGLET__MAX_PATH = 4096,         /* bytes of a path, as in the kernel */
    REGLET__MAX_NAME = 255,          /* bytes of a plugin's name */
    REGLET__MAX_PATTERN = 4096,      /* bytes of a capability's pattern */
    REGLET__MAX_MATCH_STEPS =
        1 << 19,                    /* of all globs in one decision, some 7 ms; beyond it nothing matches */
    REGLET__MAX_ADDRESSES = 32,     /* of one name that are judged and tried */
    REGLET__MAX_DNS_RECORDS = 1000, /* handed on by one dns_lookup */
    REGLET__MAX_NAMESERVERS =
        3, /* asked about one name; more of the system's, or of a name's, do not count */
    REGLET__DNS_TIMEOUT_MS = 2000, /* a nameserver has to answer in; the second time twice as long */
    REGLET__DNS_TRIES = 2,         /* each nameserver is asked */
    REGLET__DNS_READS = 64, /* messages of nameservers that are read between two looks at the deadline */
    REGLET__CONNECT_SHARE_MS = 250,       /* at least, for one address while others are left to be tried */
    REGLET__CONNECT_UNLIMITED_MS = 10000, /* the same, in a call without a deadline */
    REGLET__DEFAULT_NET_BYTES =
        65536,                       /* read by one net_connect; a request can ask for up to a body's bytes */
    REGLET__MAX_SMTP_LINE = 2000,    /* bytes of one line of a mail server */
    REGLET__MAX_SMTP_LINES = 100,    /* of one reply of a mail server */
    REGLET__SMTP_QUIT_MS = 1000,     /* that a mail server has for its goodbye */
    REGLET__MAX_COMMAND_ARGS = 4096, /* of one command */
    REGLET__MAX_COMMAND_VARIABLES = 1024, /* in the environment of one command */
    REGLET__MAX_COMMAND_BYTES = 1 << 20,  /* of its arguments, and of its environment */
    REGLET__COMMAND_KILL_MS = 5000,    /* that a command's processes have to die in once they were killed */
    REGLET__MAX_HOST_FUNCTIONS = 1000, /* of one embedder */
    REGLET__MAX_URL = 8192,            /* bytes of a URL, also of a redirect's */
    REGLET__MAX_HTTP_METHOD = 32,      /* bytes of a method */
    REGLET__MAX_HTTP_HEADERS = 100,    /* header lines of one HTTP request */
    REGLET__MAX_HTTP_HEADER_BYTES = 64 << 10, /* in them */
    REGLET__MAX_HTTP_RESPONSE_HEADERS = 1000, /* header lines of one HTTP response, with 1xx and trailers */
    REGLET__MAX_HTTP_RESPONSE_HEADER_BYTES = 256 << 10, /* in them */
    REGLET__MAX_HTTP_REDIRECTS = 10,                    /* followed for one request */
    REGLET__HTTP_SOCKETS = 8,         /* of one transfer: it tries one of each family at a time */
    REGLET__MAX_ACCOUNT_LINE = 16384, /* bytes of one line of /etc/passwd and /etc/group */
    REGLET__MAX_ACCOUNT_NAME = 256,   /* with its NUL; what is longer is no name */
    REGLET__MAX_MEMORIES = 1,
    REGLET__MAX_TABLES = 100,
    REGLET__MAX_COMPONENT_INSTANCES = 100, /* of modules, in one instance of a component */
    REGLET__MAX_COMPONENT_MEMORIES = 16,
    REGLET__WAIT_MAX = 130,   /* descriptors of one wait: subscriptions, and two of the host's own */
    REGLET__IDLE_SLOTS = 256, /* memories that the process keeps for the next instances, of all plugins */
    REGLET__IDLE_SLOT_SECONDS = 10,      /* that it keeps one which no instance takes */
    REGLET__IMAGE_RANGES = 8,            /* mappings of an image in one memory, and as many between them */
    REGLET__MAX_PRIME_MS = 1000,         /* that a plugin has to be primed in, and half of the call's time */
    REGLET__MAX_IMAGE_GLOBALS = 256,     /* mutable ones of a plugin that an image is taken of */
    REGLET__SLOT_KEPT_BYTES = 4 << 20,   /* of pages that an idle memory keeps, already restored */
    REGLET__KEPT_BYTES = 128 << 20,      /* of such pages that all of them keep together */
    REGLET__IDLE_MODULES = 16,           /* compiled modules a cache keeps though nobody uses them */
    REGLET__MAX_STORE_NAMES = 100000,    /* in the code cache's directory that are looked at */
    REGLET__MAX_INSPECTED = 10000,       /* imports, and exports, that an inspection lists */
    REGLET__MAX_INSPECTED_TYPES = 32,    /* parameters, and results, of one function that it names */
    REGLET__IMPROVE_AFTER_MS = 20,       /* that an answer has before optimised code is begun */
    REGLET__TRY_AGAIN_MS = 1000,         /* before what lacked descriptors or memory is tried again */
    REGLET__TICK_MS = 2,                 /* how often guest code looks at its deadline and token */
    REGLET__MAX_REDACT_PATTERNS = 10000, /* of one redactor */
    REGLET__MAX_RULE_FILE_BYTES = 4 << 20,
    REGLET__MAX_RULE_FILE_TEXTS = 100000, /* in one rule file: regexes, keywords, stopwords, … */
    REGLET__MAX_RULE_FILE_DEPTH = 2,      /* files that one rule file extends, one the other */
    REGLET__MAX_RULE_GROUP = 100,         /* the number of the group that is the secret */
    REGLET__REDACT_REACH_BYTES =
        64 << 10, /* of a secret that are found in one piece: the length of what an unbounded rule matches */
    REGLET__REDACT_LINE_BYTES = 4096,  /* before and behind a match that exceptions for lines look at */
    REGLET__REDACT_HEADER_BYTES = 256, /* of one header line in the armor of a key */
    REGLET__REDACT_WINDOW_BYTES = 256, /* that are searched first for the next match; then twice as many */
    REGLET__REDACT_ENDS_AHEAD =
        256, /* places behind a match that are looked at for the end of a longer one */
    REGLET__REDACT_OVERLAP_BYTES = 64,       /* behind a secret that may begin the next match too */
    REGLET__REDACT_IDLE_SCANS = 16,          /* that one redactor keeps for the next texts */
    REGLET__REDACT_HARMLESS_TEXTS = 8,       /* in which nothing was found, that one scan remembers */
    REGLET__REDACT_HARMLESS_BYTES = 1024,    /* of one of them; longer ones are searched each time */
    REGLET__MAX_REDACT_PATH_SEGMENTS = 4096, /* names and indexes in all paths of one redactor */
    REGLET__MAX_HELD_EVENTS = 1000,     /* events of one call that wait for others; more force them out */
    REGLET__MAX_HELD_BYTES = 256 << 10, /* texts in them */
    REGLET__REDACT_KEY_BYTES = 64, /* of an array's key that stand before each element, where rules look */
    REGLET__REDACT_DECODED_BYTES = 32, /* that a text in base64 has at least, to be looked into */
    REGLET__REDACT_VIEW_BYTES = 16384  /* of a text that are decoded at once to look for known values */
};

#endif
