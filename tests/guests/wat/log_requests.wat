;; Hands log_message what is no request: outside memory, wrapping, nothing, 4 GiB, not JSON; then it answers.
(module
  (import "reglet_host" "log_message" (func $log_message (param i64)))
  (memory (export "memory") 1)
  (data (i32.const 16) "{\22status\22: true}")
  (data (i32.const 64) "not JSON \ff\00 \1b]52;c;aGk=\07")
  (func (export "allocate") (param i32) (result i32) (i32.const 1024))
  (func (export "observe") (param i32 i32) (result i64)
    (call $log_message (i64.const 0x1000000000010))
    (call $log_message (i64.const 0xfffffff000000020))
    (call $log_message (i64.const 0))
    (call $log_message (i64.const 0x10ffffffff))
    (call $log_message (i64.const 0x4000000018))
    (i64.const 0x1000000010)))
