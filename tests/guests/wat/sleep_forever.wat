;; Sleeps for 584 years in one host call.
(module
  (import "wasi_snapshot_preview1" "poll_oneoff" (func $poll_oneoff (param i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 1)
  ;; A subscription: userdata, tag 0 (clock), clock 1 (monotonic), timeout in ns, precision, flags (relative).
  (data (i32.const 16) "\00\00\00\00\00\00\00\00" "\00\00\00\00\00\00\00\00" "\01\00\00\00\00\00\00\00"
                       "\ff\ff\ff\ff\ff\ff\ff\ff" "\00\00\00\00\00\00\00\00" "\00\00\00\00\00\00\00\00")
  (func (export "allocate") (param i32) (result i32) (i32.const 1024))
  (func (export "observe") (param i32 i32) (result i64)
    (loop $again
      (drop (call $poll_oneoff (i32.const 16) (i32.const 128) (i32.const 1) (i32.const 256)))
      (br $again))
    (unreachable)))
